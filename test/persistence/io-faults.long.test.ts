/** The long form of `io-faults.test.ts`. */

import './io-faults.test.js';
