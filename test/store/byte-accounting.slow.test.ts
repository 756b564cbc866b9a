/** The long form of `byte-accounting.test.ts`. */

import './byte-accounting.test.js';
