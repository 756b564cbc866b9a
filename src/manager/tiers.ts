/** The tiers as one: one read path, one write path, memory first. */

import type { TierName } from '../entry.js';
import { CacheError } from '../errors.js';
import type { EventHub } from '../events.js';
import { type Flight, SingleFlight } from '../guard/single-flight.js';
import type { ResolvedCacheOptions } from '../options.js';
import { compareStamps, type Stamp, type StampClock } from '../stamp.js';
import type { MemoryEntry } from '../store/memory-entry.js';
import { MemoryTier } from '../store/memory-tier.js';
import type { RemovalReason } from '../store/store.js';
import type { SlowTier, TierRecord } from '../tier.js';
import type { ValueKeeper } from '../value/value-keeper.js';
import { Departures } from './departures.js';
import type { MethodState } from './method-state.js';
import { entryFrom, type Incoming, newEntry, newRecord } from './new-entry.js';
import { TagInvalidations } from './tag-invalidations.js';

/** An entry and the tier it was found in. */
export interface Found {
  readonly entry: MemoryEntry;
  readonly tier: TierName;
}

/** What a search of the slower tiers came to. */
export type Search = Found | { readonly error: CacheError } | undefined;

/** Where the tiers tell what happened in them. */
export interface TierObserver {
  /** The state of the method that an entry belongs to. */
  state(method: string): MethodState;
  /** Counts and emits a failure of the cache. */
  failed(error: CacheError, state?: MethodState, key?: string): void;
}

/** Memory and the slower tiers below it. */
export class Tiers {
  readonly keeper: ValueKeeper;
  readonly tags: TagInvalidations;
  readonly #memory: MemoryTier;
  readonly #slow: readonly SlowTier[];
  readonly #stamps: StampClock;
  readonly #observer: TierObserver;
  readonly #events: EventHub;
  readonly #clock: ResolvedCacheOptions['clock'];
  readonly #departures: Departures;
  readonly #reads = new SingleFlight<Search | 'superseded'>();

  constructor(init: {
    readonly options: ResolvedCacheOptions;
    readonly keeper: ValueKeeper;
    readonly slow: readonly SlowTier[];
    readonly stamps: StampClock;
    readonly events: EventHub;
    readonly observer: TierObserver;
  }) {
    const { options } = init;
    this.keeper = init.keeper;
    this.#slow = init.slow;
    this.#events = init.events;
    this.#observer = init.observer;
    this.#clock = options.clock;
    this.#stamps = init.stamps;
    this.tags = new TagInvalidations(init.stamps);
    this.#departures = new Departures(init.events);
    this.#memory = new MemoryTier({
      store: options.eviction,
      maxSize: options.maxSize,
      maxBytes: options.maxBytes,
      maxEntryBytes: options.maxEntryBytes,
      clock: options.clock,
      random: options.random,
      onRemove: (entry, reason) =>
        this.#departures.count(entry, reason, this.#observer.state(entry.method).counters),
      onError: (error) => this.#observer.failed(storeFailure('sweep', error)),
    });
  }

  /** Whether there is anything below memory. */
  get hasSlow(): boolean {
    return this.#slow.length > 0;
  }

  /** The entry in memory, counted as a use. A faulty store counts as an error and answers nothing. */
  get(key: string, state: MethodState): MemoryEntry | undefined {
    const found = this.find(key, state);
    return found instanceof CacheError ? undefined : found;
  }

  /** The entry in memory, counted as a use; for a faulty store its error, which was counted. */
  find(key: string, state: MethodState): MemoryEntry | CacheError | undefined {
    try {
      const entry = this.#memory.get(key);
      this.#departures.tell();
      return entry?.tags === undefined ? entry : this.#validated(entry);
    } catch (cause) {
      const error = storeFailure('get', cause);
      this.#observer.failed(error, state, key);
      return error;
    }
  }

  /** The entry in memory, not counted as a use. */
  peek(key: string): MemoryEntry | undefined {
    const entry = this.#memory.peek(key);
    this.#departures.tell();
    return entry?.tags === undefined ? entry : this.#validated(entry);
  }

  /** The stamp of a load that begins now. */
  begin(): Stamp {
    return this.#stamps.next();
  }

  /**
   * The newest entry of the slower tiers, brought into memory. Concurrent searches of one key share one; a write or
   * deletion meanwhile makes it start over, and an older answer is never brought in.
   */
  async search(key: string, state: MethodState): Promise<Search> {
    for (;;) {
      if (this.#departures.isClosed) return undefined;
      const read =
        this.#reads.find(key) ??
        this.#reads.start(key, state.name, (flight) => this.#read(key, state, flight));
      const found = await read.promise;
      if (found !== 'superseded') {
        if (found === undefined || 'error' in found || !this.tags.isInvalid(found.entry)) return found;
        continue;
      }
      const entry = this.get(key, state);
      if (entry !== undefined) return { entry, tier: 'memory' };
    }
  }

  /** Stores a value in every tier; tells whether any tier has taken it. */
  put(state: MethodState, key: string, incoming: Incoming): boolean {
    this.#reads.supersede(key);
    if (incoming.terms.ttl === 0) {
      this.remove(state, key, 'replace');
      return false;
    }
    const stamp = incoming.began ?? this.#stamps.next();
    const entry = newEntry(incoming, { key, method: state.name, stamp, now: this.#clock.now() });
    if (this.tags.isInvalid(entry)) {
      // Invalidated while it was loaded; and what is there is older than what the tool has said.
      this.remove(state, key, 'invalidate');
      return false;
    }
    if (this.isReplaced(entry)) {
      // Another process has written or deleted it while it was loaded.
      this.drop(state, key);
      return false;
    }
    let isStored = this.#admit(state, entry);
    if (this.hasSlow) {
      const record = newRecord(entry, this.keeper.encode(entry.kept), incoming.terms);
      for (const tier of this.#slow) isStored = tier.write(record) || isStored;
    }
    if (!isStored) return false;
    state.counters.sets++;
    if (this.#events.isHeard('set'))
      this.#events.emit('set', { method: state.name, key, bytes: entry.bytes });
    return true;
  }

  /** Takes a key out of every tier; tells whether memory had it. */
  remove(state: MethodState, key: string, reason: RemovalReason): boolean {
    this.#reads.supersede(key);
    const existed = this.drop(state, key, reason);
    if (this.hasSlow) {
      const stamp = this.#stamps.next();
      for (const tier of this.#slow) tier.delete(key, state.name, stamp);
    }
    return existed;
  }

  /** Takes a key out of memory alone; tells whether memory had it. */
  drop(state: MethodState, key: string, reason: RemovalReason = 'invalidate'): boolean {
    try {
      return this.#memory.delete(key, reason);
    } catch (error) {
      this.#observer.failed(storeFailure('delete', error), state, key);
      return false;
    } finally {
      this.#departures.tell();
    }
  }

  /** Takes a method's entries, or all, out of every tier. */
  clear(method?: string): void {
    this.#reads.supersedeAll(method);
    this.#clearMemory(method);
    const stamp: Stamp = this.#stamps.next();
    for (const tier of this.#slow) tier.clear(method, stamp);
  }

  /** Makes void whatever carries one of the tags, in every tier, however much that is. */
  invalidateTags(tags: readonly string[]): void {
    const stamp = this.tags.invalidate(tags);
    for (const tier of this.#slow) for (const tag of tags) tier.invalidateTag(tag, stamp);
  }

  /** Every live entry, memory first, each key once. Entries set meanwhile may be missing. */
  async *entries(method?: string): AsyncGenerator<Found> {
    const seen = new Set<string>();
    for (const entry of [...this.#memory.entries()]) {
      if (method !== undefined && entry.method !== method) continue;
      if (this.peek(entry.key) !== entry) continue;
      if (this.hasSlow) seen.add(entry.key);
      yield { entry, tier: 'memory' };
    }
    for (const tier of this.#slow) {
      for await (const record of tier.entries()) {
        if (method !== undefined && record.method !== method) continue;
        if (seen.has(record.key)) continue;
        if (this.tags.isInvalid(record)) continue;
        seen.add(record.key);
        const entry = this.#readable(record);
        if (entry !== undefined) yield { entry, tier: tier.name };
      }
    }
  }

  #readable(record: TierRecord): MemoryEntry | undefined {
    try {
      return entryFrom(record, { keeper: this.keeper, now: this.#clock.now(), memoryTtl: undefined });
    } catch (cause) {
      const error = new CacheError('ERR_UNREADABLE_VALUE', `The value of ${record.key} can't be read`, {
        cause,
      });
      this.#observer.failed(error, this.#observer.state(record.method), record.key);
      return undefined;
    }
  }

  /** Drops from memory what a slower tier has learnt to be replaced or deleted meanwhile: of these keys, or of all. */
  dropReplaced(keys?: readonly string[]): void {
    const entries = keys?.map((key) => this.#memory.peek(key)) ?? [...this.#memory.entries()];
    for (const entry of entries) {
      if (entry === undefined || !this.isReplaced(entry)) continue;
      this.drop(this.#observer.state(entry.method), entry.key);
    }
  }

  /** Whether a slower tier knows of something newer than this entry. */
  isReplaced(entry: MemoryEntry): boolean {
    return this.#slow.some((tier) => tier.isReplaced(entry));
  }

  async open(): Promise<void> {
    await Promise.all(this.#slow.map((tier) => tier.open()));
  }

  /** When the slower tiers have room again, for a caller that can wait; `undefined` when they have. */
  room(): Promise<unknown> | undefined {
    const waits = this.#slow.flatMap((tier) => tier.room() ?? []);
    return waits.length === 0 ? undefined : Promise.all(waits);
  }

  async flush(): Promise<void> {
    await Promise.all(this.#slow.map((tier) => tier.flush()));
  }

  async close(): Promise<void> {
    this.#departures.isClosed = true;
    this.#reads.supersedeAll();
    this.#memory.close();
    try {
      await Promise.all(this.#slow.map((tier) => tier.close()));
    } finally {
      this.#clearMemory();
    }
  }

  #clearMemory(method?: string): void {
    try {
      this.#memory.clear(method);
    } catch (error) {
      this.#observer.failed(storeFailure('clear', error));
    } finally {
      this.#departures.tell();
    }
  }

  async #read(
    key: string,
    state: MethodState,
    flight: Flight<Search | 'superseded'>,
  ): Promise<Search | 'superseded'> {
    let failure: CacheError | undefined;
    for (const tier of this.#slow) {
      try {
        const record = await tier.lookup(key, state.name);
        if (flight.superseded) return 'superseded';
        if (record === undefined) continue;
        this.#stamps.observe(record.stamp);
        if (this.tags.isInvalid(record)) continue;
        const { expiresAt } = record.metadata;
        const now = this.#clock.now();
        if (expiresAt !== null && now >= expiresAt) continue;
        // A stale entry is searched for in the slower tiers, and may be the newest they know too.
        const held = this.peek(key);
        if (held !== undefined && compareStamps(held.stamp, record.stamp) >= 0)
          return { entry: held, tier: 'memory' };
        const { memoryTtl } = state.options;
        const entry = entryFrom(record, { keeper: this.keeper, now, memoryTtl });
        this.#admit(state, entry);
        return { entry, tier: tier.name };
      } catch (error) {
        failure = new CacheError('ERR_STORAGE', `Reading ${key} from the ${tier.name} tier failed`, {
          cause: error,
        });
        this.#observer.failed(failure, state, key);
        if (flight.superseded) return 'superseded';
      }
    }
    return failure === undefined ? undefined : { error: failure };
  }

  #validated(entry: MemoryEntry): MemoryEntry | undefined {
    if (!this.tags.isInvalid(entry)) return entry;
    this.drop(this.#observer.state(entry.method), entry.key);
    return undefined;
  }

  #admit(state: MethodState, entry: MemoryEntry): boolean {
    if (this.#departures.isClosed) return false;
    try {
      if (this.#memory.set(entry)) {
        state.counters.added(entry.bytes);
        return true;
      }
      state.counters.refused++;
      return false;
    } catch (error) {
      this.#observer.failed(storeFailure('set', error), state, entry.key);
      // The older value, which it may still hold, is not to be answered any more.
      this.drop(state, entry.key, 'refuse');
      return false;
    } finally {
      this.#departures.tell();
    }
  }
}

function storeFailure(operation: string, cause: unknown): CacheError {
  return new CacheError('ERR_STORAGE', `The memory store failed in \`${operation}\``, { cause });
}
