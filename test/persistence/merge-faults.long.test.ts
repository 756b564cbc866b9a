/** The long form of `merge-faults.test.ts`. */

import './merge-faults.test.js';
