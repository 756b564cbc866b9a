/** Looking up one method's entries, and counting what was found. */

import type { EntryMetadata, TierName } from '../entry.js';
import type { CacheError } from '../errors.js';
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
    const entry = this.#core.tiers.get(key, this.#state);
    return entry === undefined ? undefined : this.#answer<T>({ entry, tier: 'memory' });
  }

  /** What the slower tiers hold, counted. */
  async below<T>(key: string): Promise<Lookup<T>> {
    if (!this.#core.tiers.hasSlow) return this.missed(key);
    const found = await this.#core.tiers.search(key, this.#state);
    if (found === undefined) return this.missed(key);
    return 'error' in found ? { outcome: 'error', key, error: found.error } : this.#answer<T>(found);
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

  countHit(entry: MemoryEntry, tier: TierName): void {
    const { name, counters } = this.#state;
    counters.hits++;
    counters.saved(entry.loadMs);
    if (this.#core.events.isHeard('hit'))
      this.#core.events.emit('hit', { method: name, key: entry.key, tier });
  }

  countStaleHit(entry: MemoryEntry, tier: TierName): void {
    const { name, counters } = this.#state;
    counters.staleHits++;
    counters.saved(entry.loadMs);
    if (this.#core.events.isHeard('staleHit'))
      this.#core.events.emit('staleHit', { method: name, key: entry.key, tier });
  }

  #answer<T>({ entry, tier }: Found): Lookup<T> {
    let value: T;
    try {
      value = this.#core.keeper.give(entry.kept) as T;
    } catch (cause) {
      return { outcome: 'error', key: entry.key, error: this.#dropUnreadable(entry, cause) };
    }
    const isFresh = this.isFresh(entry);
    if (isFresh) this.countHit(entry, tier);
    else this.countStaleHit(entry, tier);
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
    this.#core.tiers.remove(this.#state, entry.key, 'invalidate');
    return error;
  }
}

/** What is known of an entry at this moment, apart from the entry itself. */
export function metadataOf(entry: MemoryEntry): EntryMetadata {
  const { createdAt, staleAt, expiresAt, accessCount, lastAccess, loadMs } = entry;
  return { createdAt, staleAt, expiresAt, accessCount, lastAccess, loadMs };
}
