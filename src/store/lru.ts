/**
 * Least recently used goes first: `lru-cache`, bounded by bytes too. Above `largestMap` entries our own queue takes its
 * place, because lru-cache keeps its keys in one Map, which can't serve that many.
 */

import { LRUCache } from 'lru-cache';
import { BoundedStore } from './bounded-store.js';
import { largestMap } from './key-map.js';
import { QueueOrder } from './queue-order.js';
import type { RemovalReason, Store, StoreEntry, StoreFactory, StoreOptions } from './store.js';

/**
 * lru-cache allocates for as many entries as it is told may come: some 30 bytes each, which is 4 MB here. Stores of more
 * entries grow as they are filled, and count them themselves, which takes a further lookup for each insertion.
 */
const mostAllocated = 2 ** 17;

/** Where a store has found an entry, to look there first the next time. Held by who asks, and the store's alone to change. */
export interface Place {
  /** Its key; once found, the entry's own string, as one that is the same in memory needs no comparing. */
  key: string;
  /** A number of the store's own; -1 before it was found. */
  at: number;
}

/** The entries as lru-cache holds them. It tells of one that leaves while it holds it still, so that one is hidden meanwhile. */
export class LruStore<E extends StoreEntry> implements Store<E> {
  readonly #maxSize: number;
  readonly #maxBytes: number;
  readonly #onRemove: (entry: E, reason: RemovalReason) => void;
  readonly #isAllocated: boolean;
  #entries: LRUCache<string, E>;
  /** The same, as lru-cache looks at them inside. */
  #places: Places<E>;
  #bytes = 0;
  /** What `onRemove` is being told of. */
  #leaving: E | undefined;
  /** Why entries leave that are not overwritten. */
  #reason: RemovalReason = 'evict';

  /** @param most the most entries that are allocated for */
  constructor({ maxSize, maxBytes, onRemove }: StoreOptions<E>, most = mostAllocated) {
    this.#maxSize = maxSize;
    this.#maxBytes = maxBytes;
    this.#onRemove = onRemove;
    this.#isAllocated = maxSize <= most;
    this.#entries = this.#empty();
    this.#places = placesOf(this.#entries);
  }

  get size(): number {
    return this.#entries.size - (this.#leaving === undefined ? 0 : 1);
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): E | undefined {
    return this.#leaving?.key === key ? undefined : this.#entries.get(key);
  }

  peek(key: string): E | undefined {
    return this.#leaving?.key === key ? undefined : this.#entries.peek(key);
  }

  has(key: string): boolean {
    return this.peek(key) !== undefined;
  }

  set(entry: E): boolean {
    const { key, bytes } = entry;
    if (bytes > this.#maxBytes) {
      this.delete(key, 'refuse');
      return false;
    }
    if (this.#bytes + bytes > this.#maxBytes || this.#isTooMany(key)) this.#makeRoom(key, bytes);
    const bytesBefore = this.#bytes;
    const sizeBefore = this.#entries.size;
    this.#entries.set(key, entry, this.#isAllocated ? undefined : oneOfMany);
    // lru-cache tells nothing of an entry that is overwritten with itself.
    if (this.#bytes === bytesBefore && this.#entries.size === sizeBefore) this.#tell(entry, 'replace');
    this.#bytes += bytes;
    return true;
  }

  delete(key: string, reason: RemovalReason = 'delete'): boolean {
    if (!this.has(key)) return false;
    this.#reason = reason;
    try {
      this.#takeOut(key);
    } finally {
      this.#reason = 'evict';
    }
    return true;
  }

  clear(): void {
    const cleared = this.#entries;
    // A new one, because lru-cache would keep the memory of all its places.
    this.#entries = this.#empty();
    this.#places = placesOf(this.#entries);
    this.#bytes = 0;
    for (const entry of cleared.values()) this.#onRemove(entry, 'clear');
  }

  evict(): boolean {
    return this.#entries.pop() !== undefined;
  }

  *entries(): IterableIterator<E> {
    for (const entry of this.#entries.values()) if (entry !== this.#leaving) yield entry;
  }

  /** As `get` by the place's key: what is there, or else where that key is now. */
  getAt(place: Place): E | undefined {
    const { valList, keyMap, moveToTail } = this.#places;
    let entry = place.at < 0 ? undefined : (valList[place.at] as E | undefined);
    if (entry?.key !== place.key) {
      const at = keyMap.get(place.key);
      if (at === undefined) return undefined;
      entry = valList[at] as E;
      place.at = at;
      place.key = entry.key;
    }
    if (this.#leaving === entry) return undefined;
    moveToTail(place.at);
    return entry;
  }

  /** Without places allocated, lru-cache wants another bound, which is never reached. */
  #empty(): LRUCache<string, E> {
    const bound = this.#isAllocated ? { max: this.#maxSize } : { maxSize: Number.MAX_SAFE_INTEGER };
    return new LRUCache<string, E>({
      ...bound,
      dispose: (entry, _, reason) => this.#tell(entry, reason === 'set' ? 'replace' : this.#reason),
    });
  }

  #isTooMany(key: string): boolean {
    return !this.#isAllocated && this.size >= this.#maxSize && !this.has(key);
  }

  #makeRoom(key: string, bytes: number): void {
    this.delete(key, 'replace');
    while (this.#bytes + bytes > this.#maxBytes || this.size >= this.#maxSize) if (!this.evict()) return;
  }

  /** lru-cache deletes its only entry by wiping all its places; popping it is O(1). */
  #takeOut(key: string): void {
    if (this.#entries.size === 1) this.#entries.pop();
    else this.#entries.delete(key);
  }

  #tell(entry: E, reason: RemovalReason): void {
    // Being taken out for good, after `onRemove` failed.
    if (this.#leaving === entry) return;
    this.#leaving = entry;
    this.#bytes -= entry.bytes;
    try {
      this.#onRemove(entry, reason);
    } catch (error) {
      this.#takeOut(entry.key);
      throw error;
    } finally {
      this.#leaving = undefined;
    }
  }
}

type Places<E extends StoreEntry> = ReturnType<typeof LRUCache.unsafeExposeInternals<string, E>>;

/** What lru-cache shows of its inside: an entry whose place is known is found without the Map, which takes most of a lookup. */
function placesOf<E extends StoreEntry>(entries: LRUCache<string, E>): Places<E> {
  return LRUCache.unsafeExposeInternals(entries);
}

/** lru-cache wants to be told of a size where it has a bound by size. */
const oneOfMany = { size: 1 };

/** Makes a store that evicts the entry not read or set for the longest time. */
export const lru: StoreFactory = (options) =>
  options.maxSize <= largestMap
    ? new LruStore(options)
    : new BoundedStore(options, new QueueOrder(options.maxSize, 'least recently used'));
