/** The long form of `byte-accounting.slow.test.ts`. */

import './byte-accounting.slow.test.js';
