/** The long form of `redis-scale.slow.test.ts`. */

import './redis-scale.slow.test.js';
