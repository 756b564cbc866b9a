/** The long form of `every-await.test.ts`. */

import './every-await.test.js';
