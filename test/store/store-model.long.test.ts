/** The long form of `store-model.test.ts`. */

import './store-model.test.js';
