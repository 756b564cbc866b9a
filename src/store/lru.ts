/** Least recently used goes first. */

import { BoundedStore } from './bounded-store.js';
import { QueueOrder } from './queue-order.js';
import type { StoreFactory } from './store.js';

/** Makes a store that evicts the entry not read or set for the longest time. */
export const lru: StoreFactory = (options) =>
  new BoundedStore(options, new QueueOrder(options.maxSize, 'least recently used'));
