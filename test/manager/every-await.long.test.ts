/** The long form of `every-await.slow.test.ts`. */

import './every-await.slow.test.js';
