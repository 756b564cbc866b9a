/** The long form of `single-flight.test.ts`. */

import './single-flight.test.js';
