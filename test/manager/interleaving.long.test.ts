/** The long form of `interleaving.test.ts`. */

import './interleaving.test.js';
