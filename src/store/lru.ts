/**
 * Least recently used goes first: `lru-cache` behind the store contract. Above `largestMap` entries our own queue takes
 * its place, because lru-cache keeps its keys in one Map, which can't serve that many.
 */

import { LRUCache } from 'lru-cache';
import { largestMap } from './key-map.js';
import { PolicyStore } from './policy-store.js';
import { QueuePolicy } from './queue-policy.js';
import type { RemovalReason, Store, StoreEntry, StoreFactory, StoreOptions } from './store.js';

/** What lru-cache holds, so that an overwrite changes a slot and not lru-cache's map: that takes a third of the time. */
class Slot<E> {
  /** `undefined` only while the entry is being overwritten. */
  entry: E | undefined;

  constructor(entry: E) {
    this.entry = entry;
  }
}

/**
 * A store that evicts the entry not read or set for the longest time.
 *
 * It keeps both bounds by itself and makes room before it inserts, because lru-cache tells of evictions only once the
 * new entry is in. lru-cache's own `max` stays unused: it would allocate for that many entries at once.
 */
export class LruStore<E extends StoreEntry> implements Store<E> {
  readonly #maxSize: number;
  readonly #maxBytes: number;
  readonly #onRemove: (entry: E, reason: RemovalReason) => void;
  #slots = noSlots<E>();
  #size = 0;
  #bytes = 0;

  constructor(options: StoreOptions<E>) {
    this.#maxSize = options.maxSize;
    this.#maxBytes = options.maxBytes;
    this.#onRemove = options.onRemove;
  }

  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): E | undefined {
    return this.#slots.get(key)?.entry;
  }

  peek(key: string): E | undefined {
    return this.#slots.peek(key)?.entry;
  }

  has(key: string): boolean {
    return this.peek(key) !== undefined;
  }

  set(entry: E): boolean {
    if (entry.bytes > this.#maxBytes) {
      this.delete(entry.key, 'refuse');
      return false;
    }
    // This makes it the last to go, so making room for its own entry spares it.
    const slot = this.#slots.get(entry.key);
    if (slot === undefined) {
      this.#makeRoom(entry.bytes);
      this.#slots.set(entry.key, new Slot(entry));
    } else {
      this.#empty(slot, entry);
      slot.entry = entry;
    }
    this.#size += 1;
    this.#bytes += entry.bytes;
    return true;
  }

  delete(key: string, reason: RemovalReason = 'delete'): boolean {
    const slot = this.#slots.peek(key);
    if (slot === undefined) return false;
    this.#drop(key);
    return this.#vacate(slot, reason);
  }

  clear(): void {
    const cleared = this.#slots;
    // A new one, because lru-cache would keep the memory of all its places.
    this.#slots = noSlots();
    this.#size = 0;
    this.#bytes = 0;
    for (const { entry } of cleared.values()) if (entry !== undefined) this.#onRemove(entry, 'clear');
  }

  *entries(): IterableIterator<E> {
    for (const { entry } of this.#slots.values()) if (entry !== undefined) yield entry;
  }

  #makeRoom(bytes: number): void {
    while (this.#size >= this.#maxSize || this.#bytes + bytes > this.#maxBytes) {
      const victim = this.#slots.pop();
      if (victim === undefined) return;
      this.#vacate(victim, 'evict');
    }
  }

  /** Lets the older entry of a slot go and makes room for its successor. */
  #empty(slot: Slot<E>, successor: E): void {
    try {
      this.#vacate(slot, 'replace');
      this.#makeRoom(successor.bytes);
    } catch (error) {
      // `onRemove` failed: without an entry, the slot must not stay.
      this.#drop(successor.key);
      throw error;
    }
  }

  /** Lets a slot's entry go, and tells whether there was one. */
  #vacate(slot: Slot<E>, reason: RemovalReason): boolean {
    const { entry } = slot;
    if (entry === undefined) return false;
    slot.entry = undefined;
    this.#size -= 1;
    this.#bytes -= entry.bytes;
    this.#onRemove(entry, reason);
    return true;
  }

  #drop(key: string): void {
    // lru-cache deletes its only entry by wiping all the places it ever grew to; popping it is O(1).
    if (this.#slots.size === 1) this.#slots.pop();
    else this.#slots.delete(key);
  }
}

/** Makes a store that evicts the entry not read or set for the longest time. */
export const lru: StoreFactory = (options) =>
  options.maxSize <= largestMap
    ? new LruStore(options)
    : new PolicyStore(options, new QueuePolicy('least recently used'));

function noSlots<E>(): LRUCache<string, Slot<E>> {
  // lru-cache wants some bound; this one is never reached.
  return new LRUCache({ maxSize: Number.MAX_SAFE_INTEGER, sizeCalculation: () => 1 });
}
