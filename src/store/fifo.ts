/** First in, first out: neither reads nor overwrites keep an entry longer. */

import { BoundedStore } from './bounded-store.js';
import { QueueOrder } from './queue-order.js';
import type { StoreFactory } from './store.js';

/** Makes a store that evicts the key that came in first. A key that is set again keeps its place. */
export const fifo: StoreFactory = (options) =>
  new BoundedStore(options, new QueueOrder(options.maxSize, 'first in'));
