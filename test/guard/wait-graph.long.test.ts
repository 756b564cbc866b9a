/** The long form of `wait-graph.test.ts`. */

import './wait-graph.test.js';
