/**
 * Least recently used goes first: an order over `lru-cache`. Above `largestMap` entries our own queue takes its place,
 * because lru-cache keeps its keys in one Map, which can't serve that many.
 */

import { LRUCache } from 'lru-cache';
import { BoundedStore, type EvictionOrder, type OrderNode } from './bounded-store.js';
import { largestMap } from './key-map.js';
import { QueueOrder } from './queue-order.js';
import type { StoreEntry, StoreFactory } from './store.js';

/**
 * The order of entries by when they were last read or set. lru-cache holds nodes rather than entries, so that an overwrite
 * leaves its map alone: that takes a third of the time.
 */
class LruOrder<E extends StoreEntry> implements EvictionOrder<E, OrderNode<E>> {
  #nodes = emptyCache<E>();

  peek(key: string): OrderNode<E> | undefined {
    return this.#nodes.peek(key);
  }

  use(key: string): OrderNode<E> | undefined {
    return this.#nodes.get(key);
  }

  /** Makes the node the last to leave, so that `evict` meets all others first. */
  reserve(key: string): OrderNode<E> | undefined {
    return this.#nodes.get(key);
  }

  insert(entry: E): void {
    this.#nodes.set(entry.key, { entry }, oneOfMany);
  }

  overwritten(): void {}

  remove(key: string): OrderNode<E> | undefined {
    const node = this.#nodes.peek(key);
    if (node === undefined) return undefined;
    // lru-cache deletes its only entry by wiping all the places it ever grew to; popping it is O(1).
    if (this.#nodes.size === 1) return this.#nodes.pop();
    this.#nodes.delete(key);
    return node;
  }

  evict(): OrderNode<E> | undefined {
    return this.#nodes.pop();
  }

  nodes(): IterableIterator<OrderNode<E>> {
    return this.#nodes.values();
  }

  clear(): IterableIterator<OrderNode<E>> {
    const cleared = this.#nodes;
    // A new one, because lru-cache would keep the memory of all its places.
    this.#nodes = emptyCache();
    return cleared.values();
  }
}

/** Makes a store that evicts the entry not read or set for the longest time. */
export const lru: StoreFactory = (options) =>
  options.maxSize <= largestMap
    ? new BoundedStore(options, new LruOrder())
    : new BoundedStore(options, new QueueOrder(options.maxSize, 'least recently used'));

/**
 * A cache without a bound that is ever reached, though lru-cache wants one. It tells of evictions only once the new entry
 * is in, so the store makes room before; and its own `max` would allocate for that many entries at once.
 */
function emptyCache<E>(): LRUCache<string, OrderNode<E>> {
  return new LRUCache({ maxSize: Number.MAX_SAFE_INTEGER });
}

/** lru-cache wants to be told of a size where it has a bound, and has to have a bound. */
const oneOfMany = { size: 1 };
