/** Counts of what a method's calls met, and their sum over methods. */

import type { RemovalReason } from '../entry.js';
import { LoadTimeRecorder, type LoadTimes } from './load-times.js';

/** What happened since the cache was made. Counts, but for `bytes`, `hitRate`, `savedMs` and `loadTime`. */
export interface CacheStats {
  /** Lookups answered with a fresh value. */
  readonly hits: number;
  /** Lookups answered with a stale value. */
  readonly staleHits: number;
  /** Lookups that found nothing. Callers who join a load are `coalesced` and not counted here. */
  readonly misses: number;
  /** Calls that joined a load under way. */
  readonly coalesced: number;
  /** Loaders that returned. */
  readonly loads: number;
  /** Loaders that failed. */
  readonly loadErrors: number;
  /** Failures of the cache itself; each was also an `error` event. */
  readonly cacheErrors: number;
  /** Values stored, by `set` or by a load. */
  readonly sets: number;
  /** Entries deleted by the caller, by key or by clearing. */
  readonly deletes: number;
  /** Entries that left for want of room. */
  readonly evicted: number;
  /** Entries that left because their time was over. */
  readonly expired: number;
  /** Entries overwritten. */
  readonly replaced: number;
  /** Entries that another node or a tag made invalid. */
  readonly invalidated: number;
  /** Values too large to store. */
  readonly refused: number;
  /** Calls that ran their tool without the cache. */
  readonly uncached: number;
  /** Entries in memory now. */
  readonly entries: number;
  /** Bytes in memory now. */
  readonly bytes: number;
  /** (hits + stale hits + coalesced) / all lookups; 0 before the first. */
  readonly hitRate: number;
  /** Tool time that was not spent: for each hit and coalesced call what the load had taken, in ms. */
  readonly savedMs: number;
  readonly loadTime: LoadTimes;
}

/** The counters of one method, written by the manager, field by field. */
export class MethodCounters {
  hits = 0;
  staleHits = 0;
  misses = 0;
  coalesced = 0;
  loads = 0;
  loadErrors = 0;
  cacheErrors = 0;
  sets = 0;
  deletes = 0;
  evicted = 0;
  expired = 0;
  replaced = 0;
  invalidated = 0;
  refused = 0;
  uncached = 0;
  entries = 0;
  bytes = 0;
  savedMs = 0;
  readonly loadTimes = new LoadTimeRecorder();

  added(bytes: number): void {
    this.entries++;
    this.bytes += bytes;
  }

  removed(bytes: number, reason: RemovalReason): void {
    this.entries--;
    this.bytes -= bytes;
    if (reason === 'evict') this.evicted++;
    else if (reason === 'expire') this.expired++;
    else if (reason === 'replace') this.replaced++;
    else if (reason === 'invalidate') this.invalidated++;
    else if (reason === 'clear' || reason === 'delete') this.deletes++;
  }

  /** A call was spared a load that took `loadMs`, or the method's mean where that is not known. */
  saved(loadMs: number): void {
    this.savedMs += loadMs > 0 ? loadMs : this.loadTimes.meanMs;
  }

  add(other: MethodCounters): void {
    this.hits += other.hits;
    this.staleHits += other.staleHits;
    this.misses += other.misses;
    this.coalesced += other.coalesced;
    this.loads += other.loads;
    this.loadErrors += other.loadErrors;
    this.cacheErrors += other.cacheErrors;
    this.sets += other.sets;
    this.deletes += other.deletes;
    this.evicted += other.evicted;
    this.expired += other.expired;
    this.replaced += other.replaced;
    this.invalidated += other.invalidated;
    this.refused += other.refused;
    this.uncached += other.uncached;
    this.entries += other.entries;
    this.bytes += other.bytes;
    this.savedMs += other.savedMs;
    this.loadTimes.add(other.loadTimes);
  }

  summary(): CacheStats {
    const { loadTimes, ...counts } = this;
    const answered = this.hits + this.staleHits + this.coalesced;
    const lookups = answered + this.misses;
    return { ...counts, hitRate: lookups === 0 ? 0 : answered / lookups, loadTime: loadTimes.summary() };
  }
}
