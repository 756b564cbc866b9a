/** The long form of `consolidation-faults.test.ts`. */

import './consolidation-faults.test.js';
