/** The long form of `pull-faults.test.ts`. */

import './pull-faults.test.js';
