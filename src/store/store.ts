/** The contract of every store: a bounded map that decides which entry leaves next. */

import type { RemovalReason } from '../entry.js';

export type { RemovalReason };

/** What a store knows of an entry. Entries are immutable here, but for `bytes`-neutral bookkeeping by their owner. */
export interface StoreEntry {
  /** The entry's key, 32 hex digits. */
  readonly key: string;
  /** Bytes the entry takes: key, value and overhead. A positive integer. */
  readonly bytes: number;
  /** Epoch ms at which the entry is no longer to be used; `null` is never. */
  readonly expiresAt: number | null;
  /** What loading the value took, in ms; 0 when unknown. */
  readonly loadMs: number;
  /** What the value cost in a unit of the user's own; `undefined`: what loading it took. */
  readonly cost?: number | undefined;
  /** The tool it is a result of, if known: its loads take similar times. */
  readonly method?: string | undefined;
}

/** What a store is made from. */
export interface StoreOptions<E extends StoreEntry> {
  /** The most entries it may hold: 1 to 16,777,216. */
  readonly maxSize: number;
  /** The most bytes its entries may take together. */
  readonly maxBytes: number;
  /**
   * Called for every entry that leaves, after it has left and before anything takes its place: both bounds
   * hold inside the call. It must not change the store.
   */
  readonly onRemove: (entry: E, reason: RemovalReason) => void;
  /** A number in [0, 1), for stores that choose at random. */
  readonly random: () => number;
}

/**
 * A bounded map from key to entry. It knows nothing of time: whoever owns it (the memory tier) never hands
 * out an expired entry, and deletes it with the reason `expire`.
 */
export interface Store<E extends StoreEntry = StoreEntry> {
  /** Entries held. Never above `maxSize`. */
  readonly size: number;
  /** Bytes held: the sum of its entries' `bytes`. Never above `maxBytes`. */
  readonly bytes: number;
  /** The entry of this key, counted as a use. */
  get(key: string): E | undefined;
  /** The entry of this key, not counted as a use. */
  peek(key: string): E | undefined;
  /** Whether there is an entry of this key; not counted as a use. */
  has(key: string): boolean;
  /**
   * Puts an entry in, evicting others as needed. An older entry of the same key leaves with the reason `replace`.
   * An entry that alone exceeds `maxBytes` is refused: the result is `false`, the older entry of its key leaves
   * with the reason `refuse`, and nothing else changes.
   */
  set(entry: E): boolean;
  /** Takes an entry out and returns whether there was one. `reason` (default `delete`) is passed to `onRemove`. */
  delete(key: string, reason?: RemovalReason): boolean;
  /** Takes all entries out, each with the reason `clear`. */
  clear(): void;
  /**
   * Evicts the entry that is next to leave, and tells whether there was one: asked for where memory runs short (the option
   * `memory`). Without it entries leave in the order of `entries()` then.
   */
  evict?(): boolean;
  /** All entries, in no stated order. Don't change the store while iterating. */
  entries(): IterableIterator<E>;
}

/** Makes a store. Every store is made through one of these. */
export type StoreFactory = <E extends StoreEntry>(options: StoreOptions<E>) => Store<E>;
