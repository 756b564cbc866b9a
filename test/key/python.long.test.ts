/** The long form of `python.test.ts`. */

import './python.test.js';
