/** The memory tier: a store that knows the time, so that nothing expired is ever handed out. */

import type { Clock, Timer } from '../clock.js';
import { ExpiryRing } from './expiry-ring.js';
import type { MemoryEntry } from './memory-entry.js';
import { createStore } from './registry.js';
import type { RemovalReason, Store, StoreFactory } from './store.js';

/** What a memory tier is made from. */
export interface MemoryTierOptions {
  /** The eviction policy: a registered name or a factory. */
  readonly store: string | StoreFactory;
  /** The most entries it may hold. */
  readonly maxSize: number;
  /** The most bytes its entries may take together. */
  readonly maxBytes: number;
  /**
   * The most bytes one entry may take.
   * @default maxBytes
   */
  readonly maxEntryBytes?: number | undefined;
  readonly clock: Clock;
  /** A number in [0, 1), for stores that draw lots. */
  readonly random: () => number;
  /** Called for every entry that leaves, once it has left. It must not change the tier. */
  readonly onRemove: (entry: MemoryEntry, reason: RemovalReason) => void;
  /**
   * Called when the background sweep fails, which only a faulty store or `onRemove` can cause.
   * @default throws
   */
  readonly onError?: ((error: unknown) => void) | undefined;
  /**
   * Milliseconds between background sweeps.
   * @default 1000
   */
  readonly sweepInterval?: number | undefined;
}

/** Milliseconds between background sweeps, unless told otherwise. */
export const defaultSweepInterval = 1000;

/** Entries one slice of a sweep looks at: some tens of microseconds. */
const sliceSteps = 1000;

/** Sweeps in which the hand comes around once, so that a dead entry leaves within about a minute. */
const sweepsPerRound = 60;

/** A sweep goes on past its share while at least one in this many entries it meets has expired. */
const worthwhileShare = 10;

/**
 * A bounded map from key to `MemoryEntry` that never returns an expired entry. An expired entry leaves with the
 * reason `expire` when it is met, when it is evicted, or when the background sweep finds it; until then it still
 * counts in `size` and `bytes`.
 */
export class MemoryTier {
  readonly #store: Store<MemoryEntry>;
  readonly #maxEntryBytes: number;
  readonly #clock: Clock;
  readonly #onRemove: (entry: MemoryEntry, reason: RemovalReason) => void;
  readonly #onError: (error: unknown) => void;
  readonly #sweepInterval: number;
  readonly #ring = new ExpiryRing();
  #timer: Timer | undefined;
  /** Steps the current sweep still owes. */
  #stepsLeft = 0;
  #isClosed = false;

  constructor(options: MemoryTierOptions) {
    this.#clock = options.clock;
    this.#onRemove = options.onRemove;
    this.#onError = options.onError ?? rethrow;
    this.#sweepInterval = options.sweepInterval ?? defaultSweepInterval;
    this.#maxEntryBytes = Math.min(options.maxEntryBytes ?? options.maxBytes, options.maxBytes);
    this.#store = createStore<MemoryEntry>(options.store, {
      maxSize: options.maxSize,
      maxBytes: options.maxBytes,
      random: options.random,
      onRemove: (entry, reason) => this.#removed(entry, reason),
    });
  }

  /** Entries held, those that expired but were not met yet included. */
  get size(): number {
    return this.#store.size;
  }

  /** Bytes held, those of entries that expired but were not met yet included. */
  get bytes(): number {
    return this.#store.bytes;
  }

  /** The entry of this key, counted as a use by the store and in the entry itself. */
  get(key: string): MemoryEntry | undefined {
    const entry = this.#store.get(key);
    if (entry === undefined) return undefined;
    const now = this.#clock.now();
    if (this.#expire(entry, now)) return undefined;
    entry.touch(now);
    return entry;
  }

  /** The entry of this key, not counted as a use. */
  peek(key: string): MemoryEntry | undefined {
    const entry = this.#store.peek(key);
    return entry === undefined || this.#expire(entry, this.#clock.now()) ? undefined : entry;
  }

  /** Whether there is an entry of this key; not counted as a use. */
  has(key: string): boolean {
    return this.peek(key) !== undefined;
  }

  /**
   * Puts an entry in, evicting others as needed; an older one of its key leaves with the reason `replace`. An entry
   * above `maxEntryBytes` is refused: the result is `false` and the older entry leaves with the reason `refuse`.
   */
  set(entry: MemoryEntry): boolean {
    if (entry.bytes > this.#maxEntryBytes) {
      this.#store.delete(entry.key, 'refuse');
      return false;
    }
    if (!this.#store.set(entry)) return false;
    this.#ring.add(entry);
    if (this.#timer === undefined) this.#arm(this.#sweepInterval);
    return true;
  }

  /** Takes an entry out and tells whether there was a live one. */
  delete(key: string, reason: RemovalReason = 'delete'): boolean {
    return this.peek(key) !== undefined && this.#store.delete(key, reason);
  }

  /** Takes out all entries, or those of one method. Either way it looks at every entry held. */
  clear(method?: string): void {
    if (method === undefined) {
      this.#store.clear();
      return;
    }
    const keys: string[] = [];
    for (const entry of this.#store.entries()) if (entry.method === method) keys.push(entry.key);
    for (const key of keys) this.#store.delete(key, 'clear');
  }

  /** All live entries, in no stated order. Don't change the tier while iterating. */
  *entries(): IterableIterator<MemoryEntry> {
    for (const entry of this.#store.entries()) if (!entry.isExpired(this.#clock.now())) yield entry;
  }

  /** Stops the background sweep for good. The entries stay. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #expire(entry: MemoryEntry, now: number): boolean {
    if (!entry.isExpired(now)) return false;
    this.#store.delete(entry.key, 'expire');
    return true;
  }

  #removed(entry: MemoryEntry, reason: RemovalReason): void {
    this.#ring.remove(entry);
    const isDead = reason === 'evict' && entry.isExpired(this.#clock.now());
    this.#onRemove(entry, isDead ? 'expire' : reason);
  }

  #arm(delayMs: number): void {
    if (this.#isClosed || this.#ring.size === 0) return;
    // Weak, so that a cache that was dropped without being closed is not kept alive by its own timer.
    const reference = new WeakRef(this);
    this.#timer = this.#clock.schedule(() => {
      const tier = reference.deref();
      if (tier) tier.#sweep();
    }, delayMs);
  }

  #sweep(): void {
    this.#timer = undefined;
    if (this.#stepsLeft <= 0) this.#stepsLeft = Math.ceil(this.#ring.size / sweepsPerRound);
    const now = this.#clock.now();
    let expired = 0;
    try {
      expired = this.#ring.sweep({ now, steps: sliceSteps, onExpired: (entry) => this.#drop(entry) });
    } catch (error) {
      this.#arm(this.#sweepInterval);
      this.#onError(error);
      return;
    }
    this.#stepsLeft -= sliceSteps;
    const goesOn = this.#stepsLeft > 0 || expired * worthwhileShare >= sliceSteps;
    this.#arm(goesOn ? 0 : this.#sweepInterval);
  }

  #drop(entry: MemoryEntry): void {
    // A user's store may have lost the entry without saying so; what has its key now is not ours to drop.
    if (this.#store.peek(entry.key) === entry) this.#store.delete(entry.key, 'expire');
  }
}

function rethrow(error: unknown): never {
  throw error;
}
