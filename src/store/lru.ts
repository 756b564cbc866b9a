/** Least recently used goes first: `lru-cache` behind the store contract. */

import { LRUCache } from 'lru-cache';
import type { RemovalReason, Store, StoreEntry, StoreFactory, StoreOptions } from './store.js';

/**
 * A store that evicts the entry not read or set for the longest time.
 *
 * It makes room by itself before it inserts, because lru-cache tells of evictions only once the new entry is in.
 * lru-cache's own `max` stays unused: it would allocate for that many entries at once.
 */
export class LruStore<E extends StoreEntry> implements Store<E> {
  readonly #options: StoreOptions<E>;
  #cache: LRUCache<string, E>;

  constructor(options: StoreOptions<E>) {
    this.#options = options;
    this.#cache = emptyCache(options);
  }

  get size(): number {
    return this.#cache.size;
  }

  get bytes(): number {
    return this.#cache.calculatedSize;
  }

  get(key: string): E | undefined {
    return this.#cache.get(key);
  }

  peek(key: string): E | undefined {
    return this.#cache.peek(key);
  }

  has(key: string): boolean {
    return this.#cache.has(key);
  }

  set(entry: E): boolean {
    const { maxSize, maxBytes, onRemove } = this.#options;
    if (entry.bytes > maxBytes) {
      this.delete(entry.key, 'refuse');
      return false;
    }
    this.delete(entry.key, 'replace');
    const cache = this.#cache;
    while (cache.size >= maxSize || cache.calculatedSize + entry.bytes > maxBytes) {
      onRemove(cache.pop() as E, 'evict');
    }
    cache.set(entry.key, entry);
    return true;
  }

  delete(key: string, reason: RemovalReason = 'delete'): boolean {
    const cache = this.#cache;
    const entry = cache.peek(key);
    if (entry === undefined) return false;
    // lru-cache deletes its only entry by wiping all the slots it ever grew to; popping it is O(1).
    if (cache.size === 1) cache.pop();
    else cache.delete(key);
    this.#options.onRemove(entry, reason);
    return true;
  }

  clear(): void {
    const cleared = this.#cache;
    // A new one, because lru-cache would keep the memory of all its slots.
    this.#cache = emptyCache(this.#options);
    for (const entry of cleared.values()) this.#options.onRemove(entry, 'clear');
  }

  entries(): IterableIterator<E> {
    return this.#cache.values();
  }
}

/** Makes an `LruStore`. */
export const lru: StoreFactory = (options) => new LruStore(options);

function emptyCache<E extends StoreEntry>({ maxBytes }: StoreOptions<E>): LRUCache<string, E> {
  return new LRUCache({ maxSize: maxBytes, sizeCalculation: (entry) => entry.bytes });
}
