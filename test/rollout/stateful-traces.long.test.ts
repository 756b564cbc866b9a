/** The long form of `stateful-traces.test.ts`. */

import './stateful-traces.test.js';
