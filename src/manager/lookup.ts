/** Looking up one method's entries, and counting what was found. */

import type { EntryMetadata, TierName } from '../entry.js';
import type { CacheError } from '../errors.js';
import type { CacheEvents } from '../events.js';
import { type Freshness, freshness } from '../guard/stale.js';
import { TimeSlice } from '../next-turn.js';
import type { ResolvedMethodOptions } from '../options.js';
import type { RecordedCall, RecordedTools, RecordedValue } from '../recorded-tools.js';
import type { MemoryEntry } from '../store/memory-entry.js';
import { storeFailure } from '../store/memory-tier.js';
import type { DecodedValue } from '../value/keeper.js';
import { LargeValue } from '../value/large-value.js';
import { reportEntry, reportRecorded } from './answer-reports.js';
import { asCacheError, type CacheCore } from './cache-context.js';
import { keepsForever } from './create-entry.js';
import type { MethodState } from './method-context.js';
import { prepareCopy, prepareFound } from './private-copies.js';
import type { SharedCopies } from './shared-copies.js';
import type { Found, Search } from './tiers/slow-reads.js';

/** What a lookup found. `outcome` distinguishes a stored `undefined` from a miss, and a failure from both. */
export type Lookup<T> = FoundValue<T> | MissedValue | FailedLookup;

/** A lookup that found a value. */
export interface FoundValue<T> {
  /** `stale`: past its ttl, still within `staleWhileRevalidate`. */
  readonly outcome: 'hit' | 'stale';
  /** The key, 32 hex digits. */
  readonly key: string;
  /** The value, a copy unless the option `values` says otherwise. */
  readonly value: T;
  /** Where it was found. */
  readonly tier: TierName;
  /** Milliseconds since it was set or loaded. */
  readonly ageMs: number;
  /** When it came, ages and leaves. */
  readonly metadata: EntryMetadata;
}

/** A lookup that found nothing. */
export interface MissedValue {
  /** There is none. */
  readonly outcome: 'miss';
  /** The key, 32 hex digits. */
  readonly key: string;
  /** What a recording has of a call that is like it, where that was asked for. */
  readonly approximate?: RecordedValue;
}

/** A lookup without an answer: the cache failed. */
export interface FailedLookup {
  /** It is not known whether there is one. */
  readonly outcome: 'error';
  /** The key, 32 hex digits. */
  readonly key: string;
  /** What failed. */
  readonly error: CacheError;
}

/** What `decode` returns for an entry whose value can't be read. */
export const unreadable = Symbol('unreadable');

/** What `fresh` returns where memory has no fresh value. */
export const absent = Symbol('absent');

/** One method's lookups. */
export class MethodLookups {
  readonly #core: CacheCore;
  readonly #state: MethodState;
  /** Whether the method's own options make no value stale that was not stale when it was stored. */
  readonly #isNeverStale: boolean;
  readonly #copies: SharedCopies | undefined;

  /** @param copies for a caller who never changes what it gets, unless others are told of it too */
  constructor(core: CacheCore, state: MethodState, copies?: SharedCopies) {
    this.#core = core;
    this.#state = state;
    this.#copies = copies;
    this.#isNeverStale = keepsForever(state.options);
  }

  /**
   * What memory holds, counted; `undefined` when it holds nothing, which is for the caller to count.
   * @param atOnce the caller can't wait: who can finds large values by `below`
   */
  inMemory<T>(key: string, atOnce = false): Lookup<T> | undefined {
    let entry: MemoryEntry | undefined;
    try {
      entry = this.#core.tiers.use(key);
    } catch (cause) {
      const error = storeFailure('get', cause);
      this.#core.failed(error, this.#state, key);
      return { outcome: 'error', key, error };
    }
    if (entry === undefined || (!atOnce && entry.stored instanceof LargeValue)) return undefined;
    return this.answer<T>({ entry, tier: 'memory' });
  }

  /** What memory holds, fresh or not, not counted. A faulty store counts as an error and holds nothing. */
  held(key: string): MemoryEntry | undefined {
    try {
      return this.#core.tiers.peek(key);
    } catch (error) {
      this.#core.failed(storeFailure('peek', error), this.#state, key);
      return undefined;
    }
  }

  /** What memory holds of a large value, or else what the slower tiers hold, counted. */
  async below<T>(key: string): Promise<Lookup<T>> {
    const { tiers } = this.#core;
    const held = this.held(key);
    if (held !== undefined && held.stored instanceof LargeValue && this.isAnswered(held)) {
      const isStill = await prepareCopy(this.#core, { entry: held, stored: held.stored });
      const answer = isStill ? this.answer<T>({ entry: held, tier: 'memory' }) : this.inMemory<T>(key, true);
      if (answer !== undefined) return answer;
    }
    if (!tiers.hasSlow) return this.missed(key);
    return this.#told(key, await this.search(key));
  }

  /** `below` for many keys, which the slower tiers look for together. */
  async manyBelow<T>(keys: readonly string[]): Promise<Lookup<T>[]> {
    const { tiers } = this.#core;
    const asked = keys.filter((key) => !(this.held(key)?.stored instanceof LargeValue));
    const found = tiers.hasSlow && asked.length > 0 ? await tiers.search(asked, this.#state) : [];
    const lookups: Lookup<T>[] = [];
    const slice = new TimeSlice();
    let at = 0;
    for (const key of keys) {
      if (slice.isOver) await slice.next();
      if (key !== asked[at]) {
        lookups.push(await this.below<T>(key));
        continue;
      }
      const copied = this.#copied(key, found[at]);
      lookups.push(this.#told(key, copied instanceof Promise ? await copied : copied));
      at += 1;
    }
    return lookups;
  }

  /** What the slower tiers find, with a copy that is ready to be taken in this turn. */
  async search(key: string): Promise<Search> {
    const [found] = await this.#core.tiers.search([key], this.#state);
    return this.#copied(key, found);
  }

  #copied(key: string, found: Search): Search | Promise<Search> {
    if (found === undefined || 'error' in found) return found;
    // Written meanwhile? What is there then is decoded at once: else somebody who writes on and on would keep it away.
    const again = async () => (await this.#core.tiers.search([key], this.#state))[0];
    return prepareFound(this.#core, found)?.then((isStill) => (isStill ? found : again())) ?? found;
  }

  #told<T>(key: string, found: Search): Lookup<T> {
    if (found === undefined) return this.missed(key);
    if ('error' in found) return { outcome: 'error', key, error: found.error };
    return this.answer<T>(found) ?? this.missed(key);
  }

  /**
   * What memory holds of a large value, or else what is recorded, counted; what only approximates it is no value.
   * @throws CacheError `ERR_NOT_RECORDED`
   */
  async recorded<T>(replay: RecordedTools, call: Omit<RecordedCall, 'method'>): Promise<Lookup<T>> {
    const { name: method, counters } = this.#state;
    const { key } = call;
    if (this.held(key) !== undefined) {
      const held = await this.below<T>(key);
      if (held.outcome !== 'miss') return held;
    }
    const found = await replay.find({ method, ...call });
    if (found === undefined) return this.missed<T>(key);
    if (found.answer.approximate !== undefined) {
      this.missed(key);
      return { outcome: 'miss', key, approximate: found };
    }
    if (this.#core.observers !== undefined) reportRecorded(this.#core, this.#state, key, found);
    const { value, metadata } = found;
    const tier = 'recording';
    counters.hits++;
    counters.saved(metadata.loadMs);
    if (this.#core.events.isHeard('hit')) this.#core.events.emit('hit', { method, key, tier });
    const ageMs = Math.max(0, this.#core.options.clock.now() - metadata.createdAt);
    return { outcome: 'hit', key, value: value as T, tier, ageMs, metadata };
  }

  missed<T>(key: string): Lookup<T> {
    const { name, counters } = this.#state;
    counters.misses++;
    if (this.#core.events.isHeard('miss')) this.#core.events.emit('miss', { method: name, key });
    return { outcome: 'miss', key };
  }

  /** A value for the caller, or `unreadable`, in which case the failure was counted and the entry is gone. */
  decode(entry: MemoryEntry, decoded?: DecodedValue): unknown {
    const { keeper, observers } = this.#core;
    try {
      if (this.#copies === undefined || observers !== undefined) return keeper.decode(entry.stored, decoded);
      return this.#copies.of(entry, () => keeper.decode(entry.stored, decoded));
    } catch (cause) {
      this.#dropUnreadable(entry, cause);
      return unreadable;
    }
  }

  /**
   * The value of an entry that memory had, counted as a hit, or `absent`: so is a large value, but for who takes it at
   * once, having waited until it was ready, or because it can't wait.
   */
  fresh(entry: MemoryEntry | undefined, options: ResolvedMethodOptions, atOnce = false): unknown {
    if (entry === undefined || !this.isFresh(entry, options)) return absent;
    if (!atOnce && entry.stored instanceof LargeValue) return absent;
    const value = this.decode(entry);
    if (value === unreadable) return absent;
    this.countHit(entry, 'memory');
    if (this.#core.observers !== undefined)
      reportEntry(this.#core, this.#state, entry, { tier: 'memory', isStale: false, value });
    return value;
  }

  isFresh(entry: MemoryEntry, options = this.#state.options): boolean {
    if (entry.staleAt === null && options === this.#state.options && this.#isNeverStale) return true;
    const staleAt = this.#state.staleAt(entry, options);
    // Most entries are never stale: what has no such time, or has expired before it, needs no clock.
    if (staleAt === null || (entry.expiresAt !== null && entry.expiresAt <= staleAt)) return true;
    return entry.now(this.#core.options.clock) < staleAt;
  }

  /** What a value is good for now, to a caller with these options. */
  freshness(entry: MemoryEntry, options: ResolvedMethodOptions): Freshness {
    // Whoever waits for a load may still have what memory has let go of meanwhile.
    const staleAt = this.#state.staleAt(entry, options);
    const { validUntil: expiresAt } = entry;
    const { staleWhileRevalidate, staleIfError } = options;
    const now = entry.now(this.#core.options.clock);
    return freshness({ now, staleAt, expiresAt, staleWhileRevalidate, staleIfError });
  }

  /** Whether a value is answered to those who have no loader: not where it may only stand in for a failed load. */
  isAnswered(entry: MemoryEntry): boolean {
    return this.isFresh(entry) || this.freshness(entry, this.#state.options) === 'stale-while-revalidate';
  }

  countHit(entry: MemoryEntry, tier: TierName): void {
    const { name, counters } = this.#state;
    if (tier !== 'memory') this.#use(entry);
    counters.hits++;
    if (entry.isNegative) counters.negativeHits++;
    counters.saved(entry.loadMs);
    if (this.#core.events.isHitHeard) this.#core.events.emit('hit', { method: name, key: entry.key, tier });
  }

  countStaleHit(entry: MemoryEntry, tier: TierName, reason: CacheEvents['staleHit']['reason']): void {
    const { name, counters } = this.#state;
    if (tier !== 'memory') this.#use(entry);
    counters.staleHits++;
    if (reason === 'error') counters.staleIfErrors++;
    else if (reason === 'timeout') counters.softTimeouts++;
    counters.saved(entry.loadMs);
    if (this.#core.events.isHeard('staleHit'))
      this.#core.events.emit('staleHit', { method: name, key: entry.key, tier, reason });
  }

  /** Memory counts the uses of what it finds itself. One that has expired meanwhile is not brought back by it. */
  #use(entry: MemoryEntry): void {
    const now = entry.now(this.#core.options.clock);
    if (!entry.isExpired(now)) entry.touch(now);
  }

  /** `undefined` for a value that may only stand in for a failed load. */
  answer<T>({ entry, tier, decoded }: Found): Lookup<T> | undefined {
    const isFresh = this.isFresh(entry);
    if (!isFresh && !this.isAnswered(entry)) return undefined;
    let value: T;
    try {
      value = this.#core.keeper.decode(entry.stored, decoded) as T;
    } catch (cause) {
      return { outcome: 'error', key: entry.key, error: this.#dropUnreadable(entry, cause) };
    }
    if (isFresh) this.countHit(entry, tier);
    else this.countStaleHit(entry, tier, 'revalidate');
    if (this.#core.observers !== undefined)
      reportEntry(this.#core, this.#state, entry, { tier, isStale: !isFresh, value });
    return {
      outcome: isFresh ? 'hit' : 'stale',
      key: entry.key,
      value,
      tier,
      ageMs: Math.max(0, entry.now(this.#core.options.clock) - entry.createdAt),
      metadata: metadataOf(entry),
    };
  }

  #dropUnreadable(entry: MemoryEntry, cause: unknown): CacheError {
    const error = asCacheError(cause, `The value of ${entry.key} can't be read`);
    this.#core.failed(error, this.#state, entry.key);
    // From memory alone: what a slower tier holds may be whole.
    this.#core.tiers.drop(this.#state, entry.key);
    return error;
  }
}

/** What a lookup has found, or `undefined`. */
export function valueIn<T>(lookup: Lookup<T>): T | undefined {
  return 'value' in lookup ? lookup.value : undefined;
}

/** What is known of an entry at this moment, apart from the entry itself. */
export function metadataOf(entry: MemoryEntry): EntryMetadata {
  const { createdAt, staleAt, accessCount, lastAccess, loadMs, idleMs, cost, isNegative } = entry;
  const { validUntil } = entry;
  const expiresAt =
    idleMs > 0 && validUntil !== null ? Math.min(validUntil, lastAccess + idleMs) : validUntil;
  const always = { createdAt, staleAt, expiresAt, accessCount, lastAccess, loadMs };
  return { ...always, ...(cost !== undefined && { cost }), ...(isNegative && { isNegative }) };
}
