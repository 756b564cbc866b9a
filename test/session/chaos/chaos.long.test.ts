/** The long form of `chaos.slow.test.ts`: 200 rounds with `npm run test:sessions`. */

import './chaos.slow.test.js';
