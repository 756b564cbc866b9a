/** The long form of `fuzz.test.ts`. */

import './fuzz.test.js';
