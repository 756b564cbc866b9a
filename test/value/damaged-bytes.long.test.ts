/** The long form of `damaged-bytes.slow.test.ts`. */

import './damaged-bytes.slow.test.js';
