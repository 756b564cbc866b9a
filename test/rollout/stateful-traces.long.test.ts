/** The long form of `stateful-traces.slow.test.ts`. */

import './stateful-traces.slow.test.js';
