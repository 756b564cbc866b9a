/** Looking up one method's entries, and counting what was found. */

import type { EntryMetadata, TierName } from '../entry.js';
import { CacheError } from '../errors.js';
import type { CacheEvents } from '../events.js';
import { type Freshness, freshness } from '../guard/stale.js';
import type { ResolvedMethodOptions } from '../options.js';
import type { MemoryEntry } from '../store/memory-entry.js';
import { asCacheError, type CacheCore } from './core.js';
import type { MethodState } from './method-state.js';
import type { Found } from './tiers.js';

/** What a lookup came to. `outcome` tells a stored `undefined` from a miss, and a failure from both. */
export type Lookup<T> =
  | {
      /** `stale`: past its ttl, still within `staleWhileRevalidate`. */
      readonly outcome: 'hit' | 'stale';
      readonly key: string;
      readonly value: T;
      readonly tier: TierName;
      /** Milliseconds since it was set or loaded. */
      readonly ageMs: number;
      readonly metadata: EntryMetadata;
    }
  | { readonly outcome: 'miss'; readonly key: string }
  | { readonly outcome: 'error'; readonly key: string; readonly error: CacheError };

/** What `give` returns for an entry whose value can't be read. */
export const unreadable = Symbol('unreadable');

/** One method's lookups. */
export class MethodLookups {
  readonly #core: CacheCore;
  readonly #state: MethodState;

  constructor(core: CacheCore, state: MethodState) {
    this.#core = core;
    this.#state = state;
  }

  /** What memory holds, counted; `undefined` when it holds nothing, which is for the caller to count. */
  inMemory<T>(key: string): Lookup<T> | undefined {
    const entry = this.#core.tiers.find(key, this.#state);
    if (entry instanceof CacheError) return { outcome: 'error', key, error: entry };
    return entry === undefined ? undefined : this.#answer<T>({ entry, tier: 'memory' });
  }

  /** What memory holds, fresh or not, not counted. A faulty store counts as an error and holds nothing. */
  held(key: string): MemoryEntry | undefined {
    try {
      return this.#core.tiers.peek(key);
    } catch (error) {
      this.#core.failed(asCacheError(error, 'The memory store failed in `peek`'), this.#state, key);
      return undefined;
    }
  }

  /** What the slower tiers hold, counted. */
  async below<T>(key: string): Promise<Lookup<T>> {
    if (!this.#core.tiers.hasSlow) return this.missed(key);
    const found = await this.#core.tiers.search(key, this.#state);
    if (found === undefined) return this.missed(key);
    if ('error' in found) return { outcome: 'error', key, error: found.error };
    return this.#answer<T>(found) ?? this.missed(key);
  }

  missed<T>(key: string): Lookup<T> {
    const { name, counters } = this.#state;
    counters.misses++;
    if (this.#core.events.isHeard('miss')) this.#core.events.emit('miss', { method: name, key });
    return { outcome: 'miss', key };
  }

  /** A value for the caller, or `unreadable`, in which case the failure was counted and the entry is gone. */
  give(entry: MemoryEntry): unknown {
    try {
      return this.#core.keeper.give(entry.kept);
    } catch (cause) {
      this.#dropUnreadable(entry, cause);
      return unreadable;
    }
  }

  isFresh(entry: MemoryEntry): boolean {
    // Most entries are never stale: what has no such time, or expires with it, needs no clock.
    return (
      entry.staleAt === null ||
      entry.staleAt === entry.expiresAt ||
      this.#core.options.clock.now() < entry.staleAt
    );
  }

  /** What a value is good for now, to a caller with these options. */
  freshness(entry: MemoryEntry, options: ResolvedMethodOptions): Freshness {
    // Whoever waits for a load may still have what memory has let go of meanwhile.
    const { staleAt, validUntil: expiresAt } = entry;
    const { staleWhileRevalidate, staleIfError } = options;
    const now = this.#core.options.clock.now();
    return freshness({ now, staleAt, expiresAt, staleWhileRevalidate, staleIfError });
  }

  /** Whether a value is answered to those who have no loader: not where it may only stand in for a failed load. */
  isAnswered(entry: MemoryEntry): boolean {
    return this.isFresh(entry) || this.freshness(entry, this.#state.options) === 'stale-while-revalidate';
  }

  countHit(entry: MemoryEntry, tier: TierName): void {
    const { name, counters } = this.#state;
    this.#use(entry, tier);
    counters.hits++;
    if (entry.isNegative) counters.negativeHits++;
    counters.saved(entry.loadMs);
    if (this.#core.events.isHeard('hit'))
      this.#core.events.emit('hit', { method: name, key: entry.key, tier });
  }

  countStaleHit(entry: MemoryEntry, tier: TierName, reason: CacheEvents['staleHit']['reason']): void {
    const { name, counters } = this.#state;
    this.#use(entry, tier);
    counters.staleHits++;
    if (reason === 'error') counters.staleIfErrors++;
    else if (reason === 'timeout') counters.softTimeouts++;
    counters.saved(entry.loadMs);
    if (this.#core.events.isHeard('staleHit'))
      this.#core.events.emit('staleHit', { method: name, key: entry.key, tier, reason });
  }

  /** Memory counts the uses of what it finds itself. One that has expired meanwhile is not brought back by it. */
  #use(entry: MemoryEntry, tier: TierName): void {
    if (tier === 'memory') return;
    const now = this.#core.options.clock.now();
    if (!entry.isExpired(now)) entry.touch(now);
  }

  /** `undefined` for a value that may only stand in for a failed load. */
  #answer<T>({ entry, tier }: Found): Lookup<T> | undefined {
    const isFresh = this.isFresh(entry);
    if (!isFresh && !this.isAnswered(entry)) return undefined;
    let value: T;
    try {
      value = this.#core.keeper.give(entry.kept) as T;
    } catch (cause) {
      return { outcome: 'error', key: entry.key, error: this.#dropUnreadable(entry, cause) };
    }
    if (isFresh) this.countHit(entry, tier);
    else this.countStaleHit(entry, tier, 'revalidate');
    return {
      outcome: isFresh ? 'hit' : 'stale',
      key: entry.key,
      value,
      tier,
      ageMs: Math.max(0, this.#core.options.clock.now() - entry.createdAt),
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

/** What is known of an entry at this moment, apart from the entry itself. */
export function metadataOf(entry: MemoryEntry): EntryMetadata {
  const { createdAt, staleAt, accessCount, lastAccess, loadMs, idleMs, cost, isNegative } = entry;
  const { validUntil } = entry;
  const expiresAt =
    idleMs > 0 && validUntil !== null ? Math.min(validUntil, lastAccess + idleMs) : validUntil;
  const always = { createdAt, staleAt, expiresAt, accessCount, lastAccess, loadMs };
  return { ...always, ...(cost !== undefined && { cost }), ...(isNegative && { isNegative }) };
}
