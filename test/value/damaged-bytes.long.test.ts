/** The long form of `damaged-bytes.test.ts`. */

import './damaged-bytes.test.js';
