/**
 * Least frequently used goes first, with counts that age: LFU with dynamic aging (LFU-DA).
 *
 * Martin Arlitt, Ludmila Cherkasova, John Dilley, Rich Friedrich, Tai Jin: Evaluating Content Management Techniques for
 * Web Proxy Caches, ACM SIGMETRICS Performance Evaluation Review 27(4), 2000.
 */

import { BoundedStore } from './bounded-store.js';
import { GreedyDualOrder } from './greedy-dual.js';
import type { StoreFactory } from './store.js';

/**
 * Makes a store that evicts the entry with the lowest `age + uses`, among equals the least recently used. The age is
 * what the last evicted entry had: so newcomers start no lower than what has just left, and what was popular long ago
 * leaves once it is not used any more. Being set is a use; a key that is set again keeps its count. O(log n).
 */
export const lfu: StoreFactory = (options) =>
  new BoundedStore(options, new GreedyDualOrder(options.maxSize, () => 1));
