/** The memory tier: a store that knows the time, so that nothing expired is ever handed out. */

import type { Clock, Timer } from '../clock.js';
import { CacheError } from '../errors.js';
import { TimeSlice } from '../next-turn.js';
import { ExpiryRing } from './expiry-sweep.js';
import { LruStore, type Place } from './lru.js';
import type { MemoryEntry } from './memory-entry.js';
import type { ResolvedMemoryOptions } from './memory-options.js';
import { MemoryPressureWatch } from './memory-pressure.js';
import { type MethodGroup, MethodGroups } from './method-groups.js';
import { type ProcessMemory, processMemory } from './process-memory.js';
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
  /** A number in [0, 1), for stores that choose at random. */
  readonly random: () => number;
  /** Called for every entry that leaves, once it has left. It must not change the tier. */
  readonly onRemove: (entry: MemoryEntry, reason: RemovalReason) => void;
  /** Called for each method that is cleared, before any of its entries leaves with the reason `clear`. */
  readonly onClear?: ((cleared: Cleared) => void) | undefined;
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
  /** `undefined`: whatever memory the process has left, the tier keeps to its own bounds. */
  readonly memory?: ResolvedMemoryOptions | undefined;
  /** @default this process */
  readonly processMemory?: ProcessMemory | undefined;
}

/** What is cleared of one method. */
export type Cleared = Pick<MethodGroup<MemoryEntry>, 'method' | 'size' | 'bytes'>;

/** Milliseconds between background sweeps, unless told otherwise. */
export const defaultSweepInterval = 1000;

/** Entries one slice of a sweep looks at: some tens of microseconds. */
const sliceSteps = 1000;

/** Entries that leave between two looks at the time: as many as were cleared leave at once. */
const releaseSteps = 500;

/** Sweeps in which the hand comes around once, so that a dead entry leaves within about a minute. */
const sweepsPerRound = 60;

/** A sweep goes on past its share while at least one in this many entries it meets has expired. */
const worthwhileShare = 10;

/**
 * A bounded map from key to `MemoryEntry` that never returns an expired or cleared entry. An expired entry leaves with the
 * reason `expire` when it is met, when it is evicted, or when the background sweep finds it; until then it still
 * counts in `size` and `bytes`. So do the many entries of a method that was cleared, which leave in slices.
 */
export class MemoryTier {
  readonly #store: Store<MemoryEntry>;
  readonly #byPlace: LruStore<MemoryEntry> | undefined;
  readonly #maxSize: number;
  readonly #maxBytes: number;
  readonly #maxEntryBytes: number;
  readonly #clock: Clock;
  readonly #onRemove: (entry: MemoryEntry, reason: RemovalReason) => void;
  readonly #onClear: ((cleared: Cleared) => void) | undefined;
  readonly #onError: (error: unknown) => void;
  readonly #sweepInterval: number;
  readonly #ring = new ExpiryRing();
  readonly #groups = new MethodGroups<MemoryEntry>();
  /** What was cleared and is in the store still. */
  readonly #cleared: MethodGroup<MemoryEntry>[] = [];
  /** The release of it under way. */
  #release: Promise<void> | undefined;
  #timer: Timer | undefined;
  readonly #pressure: MemoryPressureWatch | undefined;
  /** Steps the current sweep still owes. */
  #stepsLeft = 0;
  #isClosed = false;

  constructor(options: MemoryTierOptions) {
    this.#clock = options.clock;
    this.#onRemove = options.onRemove;
    this.#onClear = options.onClear;
    this.#onError = options.onError ?? rethrow;
    this.#sweepInterval = options.sweepInterval ?? defaultSweepInterval;
    this.#maxSize = options.maxSize;
    this.#maxBytes = options.maxBytes;
    this.#maxEntryBytes = Math.min(options.maxEntryBytes ?? options.maxBytes, options.maxBytes);
    this.#store = createStore<MemoryEntry>(options.store, {
      maxSize: options.maxSize,
      maxBytes: options.maxBytes,
      random: options.random,
      onRemove: (entry, reason) => this.#removed(entry, reason),
    });
    this.#byPlace = this.#store instanceof LruStore ? this.#store : undefined;
    if (options.memory !== undefined) this.#pressure = this.#watch(options.memory, options);
  }

  /** Entries held, those that expired or were cleared but have not left yet included. */
  get size(): number {
    return this.#store.size;
  }

  /** Bytes held, those of entries that expired or were cleared but have not left yet included. */
  get bytes(): number {
    return this.#store.bytes;
  }

  /** As what a store that adapts evicts now, and why. */
  get policy(): string | undefined {
    const { policy } = this.#store as { policy?: unknown };
    return typeof policy === 'string' ? policy : undefined;
  }

  /** The entry of this key, counted as a use by the store and in the entry itself. */
  get(key: string, place?: Place): MemoryEntry | undefined {
    const entry =
      place === undefined || this.#byPlace === undefined ? this.#store.get(key) : this.#byPlace.getAt(place);
    if (entry === undefined) return undefined;
    if (entry.expiresAt === null && !entry.isCleared) {
      // It is never over, whatever its age: to tell that a second clock is read.
      entry.touch(this.#clock.now());
      return entry;
    }
    const now = entry.now(this.#clock);
    const isOver = entry.isCleared || (entry.expiresAt !== null && entry.isExpired(now));
    if (isOver) return this.#letGo(entry);
    entry.touch(now);
    return entry;
  }

  /** The entry of this key, not counted as a use. */
  peek(key: string): MemoryEntry | undefined {
    const entry = this.#store.peek(key);
    if (entry === undefined || (entry.expiresAt === null && !entry.isCleared)) return entry;
    const isOver = entry.isCleared || entry.isExpired(entry.now(this.#clock));
    return isOver ? this.#letGo(entry) : entry;
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
    if (this.#cleared.length > 0) this.#makeRoom(entry.bytes);
    if (!this.#store.set(entry)) return false;
    this.#groups.add(entry);
    if (entry.expiresAt !== null) {
      this.#ring.add(entry);
      if (this.#timer === undefined) this.#arm(this.#sweepInterval);
    }
    this.#pressure?.stored(entry.bytes);
    return true;
  }

  /** Lets entries leave, cleared ones first, until no more than so many bytes are held; tells how many were evicted. */
  shrink(bytes: number): number {
    if (this.#cleared.length > 0) this.#makeRoom(this.#maxBytes - bytes);
    let evicted = 0;
    while (this.#store.bytes > bytes && this.#evictOne()) evicted += 1;
    return evicted;
  }

  /** Takes an entry out and tells whether there was a live one. */
  delete(key: string, reason: RemovalReason = 'delete'): boolean {
    return this.peek(key) !== undefined && this.#store.delete(key, reason);
  }

  /**
   * Clears all entries, or those of one method: none of them is returned any more. Those that take longer than a slice to
   * leave the store do so in the background, which the promise tells the end of.
   */
  clear(method?: string): Promise<void> | undefined {
    for (const group of this.#groups.clear(method)) {
      this.#cleared.push(group);
      this.#onClear?.(group);
    }
    if (this.#release !== undefined) return this.#release;
    const slice = new TimeSlice();
    const failures: unknown[] = [];
    if (!this.#releaseSlice(slice, failures)) this.#release = this.#releaseRest(slice, failures);
    else if (failures.length > 0) throw failures[0];
    return this.#release;
  }

  /** All live entries, or those of one method, in no stated order. Those set meanwhile may be missing. */
  *entries(method?: string): IterableIterator<MemoryEntry> {
    for (const entry of this.#groups.entries(method)) {
      if (entry.place >= 0 && !entry.isCleared && !entry.isExpired(entry.now(this.#clock))) yield entry;
    }
  }

  /** Stops the background sweep for good. The entries stay. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#pressure?.close();
  }

  #watch(options: ResolvedMemoryOptions, init: MemoryTierOptions): MemoryPressureWatch {
    const reference = new WeakRef(this);
    const tier = {
      get bytes() {
        return reference.deref()?.bytes ?? 0;
      },
      shrink: (bytes: number) => reference.deref()?.shrink(bytes) ?? 0,
    };
    const { clock, maxBytes, processMemory: memory = processMemory } = init;
    return new MemoryPressureWatch({ options, memory, clock, maxBytes, tier, onError: this.#onError });
  }

  #evictOne(): boolean {
    if (this.#store.evict !== undefined) return this.#store.evict();
    const next = this.#store.entries().next();
    return next.done !== true && this.#store.delete(next.value.key, 'evict');
  }

  /** An entry that is not to be used any more leaves. */
  #letGo(entry: MemoryEntry): undefined {
    this.#store.delete(entry.key, entry.isCleared ? 'clear' : 'expire');
  }

  #removed(entry: MemoryEntry, reason: RemovalReason): void {
    this.#forget(entry);
    const isDead = reason === 'evict' && entry.isExpired(entry.now(this.#clock));
    this.#onRemove(entry, entry.isCleared ? 'clear' : isDead ? 'expire' : reason);
  }

  #forget(entry: MemoryEntry): void {
    this.#ring.remove(entry);
    this.#groups.remove(entry);
  }

  /** Lets cleared entries leave rather than live ones. */
  #makeRoom(bytes: number): void {
    while (
      this.#cleared.length > 0 &&
      (this.#store.size >= this.#maxSize || this.#store.bytes + bytes > this.#maxBytes)
    ) {
      this.#releaseOne();
    }
  }

  async #releaseRest(slice: TimeSlice, failures: unknown[]): Promise<void> {
    try {
      do await slice.next();
      while (!this.#releaseSlice(slice, failures));
    } finally {
      this.#release = undefined;
    }
    if (failures.length > 0) throw failures[0];
  }

  /** Lets cleared entries leave while the slice lasts, a few in any case; tells whether all have left. */
  #releaseSlice(slice: TimeSlice, failures: unknown[]): boolean {
    for (let steps = 1; this.#cleared.length > 0; steps += 1) {
      if (steps % releaseSteps === 0 && slice.isOver) return false;
      try {
        this.#releaseOne();
      } catch (error) {
        failures.push(error);
      }
    }
    // Empty, it lets go of what it has grown to.
    if (this.#store.size === 0) this.#store.clear();
    return true;
  }

  #releaseOne(): void {
    const entry = this.#cleared.at(-1)?.last;
    if (entry === undefined) {
      this.#cleared.pop();
      return;
    }
    this.#drop(entry, 'clear');
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
    const clock = this.#clock;
    let expired = 0;
    try {
      expired = this.#ring.sweep({
        clock,
        steps: sliceSteps,
        onExpired: (entry) => this.#drop(entry, 'expire'),
      });
    } catch (error) {
      this.#arm(this.#sweepInterval);
      this.#onError(error);
      return;
    }
    this.#stepsLeft -= sliceSteps;
    const goesOn = this.#stepsLeft > 0 || expired * worthwhileShare >= sliceSteps;
    this.#arm(goesOn ? 0 : this.#sweepInterval);
  }

  #drop(entry: MemoryEntry, reason: RemovalReason): void {
    try {
      // A user's store may have lost the entry without saying so; what has its key now is not ours to drop.
      if (this.#store.peek(entry.key) === entry) this.#store.delete(entry.key, reason);
    } finally {
      this.#forget(entry);
    }
  }
}

function rethrow(error: unknown): never {
  throw error;
}

/** What a faulty store is told as. */
export function storeFailure(operation: string, cause: unknown): CacheError {
  return new CacheError('ERR_STORAGE', `The memory store failed in \`${operation}\``, { cause });
}
