/** The long form of `round-trip.test.ts`. */

import './round-trip.test.js';
