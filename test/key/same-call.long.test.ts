/** The long form of `same-call.test.ts`. */

import './same-call.test.js';
