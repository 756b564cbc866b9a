/** The long form of `kept-bytes.test.ts`. */

import './kept-bytes.test.js';
