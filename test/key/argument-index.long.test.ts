/** The long form of `argument-index.test.ts`: a million pairs. */

import './argument-index.test.js';
