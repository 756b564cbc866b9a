/** The long form of `hostile-memory.slow.test.ts`. */

import './hostile-memory.slow.test.js';
