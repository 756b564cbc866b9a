/** The long form of `crash.test.ts`. */

import './crash.test.js';
