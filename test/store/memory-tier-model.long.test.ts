/** The long form of `memory-tier-model.test.ts`. */

import './memory-tier-model.test.js';
