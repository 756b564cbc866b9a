/** The long form of `kept-bytes.slow.test.ts`. */

import './kept-bytes.slow.test.js';
