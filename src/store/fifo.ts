/** First in, first out: neither reads nor overwrites keep an entry longer. */

import { PolicyStore } from './policy-store.js';
import { QueuePolicy } from './queue-policy.js';
import type { StoreFactory } from './store.js';

/** Makes a store that evicts the key that came in first. A key that is set again keeps its place. */
export const fifo: StoreFactory = (options) => new PolicyStore(options, new QueuePolicy('first in'));
