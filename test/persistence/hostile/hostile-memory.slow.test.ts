/** The long form of `hostile-memory.test.ts`. */

import './hostile-memory.test.js';
