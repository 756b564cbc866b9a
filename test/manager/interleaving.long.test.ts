/** The long form of `interleaving.slow.test.ts`. */

import './interleaving.slow.test.js';
