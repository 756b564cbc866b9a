/** Counts of what a method's calls met, and their sum over methods. */

import type { RemovalReason } from '../entry.js';
import type { CircuitStateName } from '../events.js';
import type { DiskStatus, RemoteStatus } from '../tier.js';
import { LoadTimeRecorder, type LoadTimes } from './load-times.js';

/** What happened since the cache was made. Counts, but for `bytes`, `hitRate`, `savedMs` and `loadTime`. */
export interface CacheStats {
  /** Lookups answered with a fresh value. */
  readonly hits: number;
  /** Hits on a remembered "nothing found". */
  readonly negativeHits: number;
  /** Calls answered with a stale value, for any reason. */
  readonly staleHits: number;
  /** Stale hits in place of a load that failed or was refused. */
  readonly staleIfErrors: number;
  /** Stale hits in place of a load that took longer than `softTimeout`. */
  readonly softTimeouts: number;
  /** Lookups that found nothing, and failed ones that a load followed. Callers who join one are `coalesced`. */
  readonly misses: number;
  /** Calls that joined a load under way. */
  readonly coalesced: number;
  /** Loaders that returned. */
  readonly loads: number;
  /** Loaders that failed, by an error they threw or one they returned, or that took longer than `hardTimeout`. */
  readonly loadErrors: number;
  /** Background loads that were begun to refresh a value. */
  readonly refreshes: number;
  /** Calls that were thrown a remembered error. */
  readonly errorHits: number;
  /** Calls whose key `knownKeys` surely didn't hold. */
  readonly unknownKeys: number;
  /** Calls that gave up at `hardTimeout`. */
  readonly hardTimeouts: number;
  /** Loads refused because the circuit was open. */
  readonly circuitRejections: number;
  /** Loads refused because the queue was full. */
  readonly queueRejections: number;
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
  /** Values too large to store, or that `set` refused. */
  readonly refused: number;
  /** Calls that ran their tool without the cache. */
  readonly uncached: number;
  /** Entries in memory now. */
  readonly entries: number;
  /** Bytes in memory now. */
  readonly bytes: number;
  /** Bytes that arguments seen lately take now, besides `bytes`: at most a sixteenth of `maxBytes` for all methods. */
  readonly indexBytes: number;
  /**
   * Lookups that were answered without a load of their own, of all lookups; 0 before the first. A stale value in place
   * of a load counts as what the call was before: a miss, or coalesced.
   */
  readonly hitRate: number;
  /** Tool time that was not spent: for each hit and coalesced call what the load had taken, in ms. */
  readonly savedMs: number;
  /** How long loads took, in ms. */
  readonly loadTime: LoadTimes;
  /** Where the circuit breaker stands, of several the worst; `undefined` without one. */
  readonly circuit: CircuitStateName | undefined;
  /** Loads that hold a permit of `concurrency` now. */
  readonly running: number;
  /** Loads that wait for one now. */
  readonly queued: number;
  /** What the disk tier has done; `undefined` without `persist`, and in the statistics of one method. */
  readonly disk: DiskStatus | undefined;
  /** How the remote tier stands; `undefined` without one, and in the statistics of one method. */
  readonly remote: RemoteStatus | undefined;
}

/** What the guards of a tool are doing right now. */
export type GuardSummary = Pick<CacheStats, 'circuit' | 'running' | 'queued'>;

/** The counters of one method, written by the manager, field by field. */
export class MethodCounters {
  hits = 0;
  negativeHits = 0;
  staleHits = 0;
  staleIfErrors = 0;
  softTimeouts = 0;
  misses = 0;
  coalesced = 0;
  loads = 0;
  loadErrors = 0;
  refreshes = 0;
  errorHits = 0;
  unknownKeys = 0;
  hardTimeouts = 0;
  circuitRejections = 0;
  queueRejections = 0;
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
  indexBytes = 0;
  savedMs = 0;
  /** Calls that joined a load and had no answer from it: it failed, they left, or it could not be shared. */
  failedJoins = 0;
  /** Calls that were counted when they began to wait for a load, and again when they were answered in another way. */
  doubleCounted = 0;
  readonly loadTimes: LoadTimeRecorder;

  constructor(loadTimes = new LoadTimeRecorder()) {
    this.loadTimes = loadTimes;
  }

  added(bytes: number): void {
    this.entries++;
    this.bytes += bytes;
  }

  removed(bytes: number, reason: Exclude<RemovalReason, 'clear'>): void {
    this.entries--;
    this.bytes -= bytes;
    if (reason === 'evict') this.evicted++;
    else if (reason === 'expire') this.expired++;
    else if (reason === 'replace') this.replaced++;
    else if (reason === 'invalidate') this.invalidated++;
    else if (reason === 'delete') this.deletes++;
  }

  /** Entries were cleared together. */
  cleared(bytes: number, entries: number): void {
    this.released(bytes, entries);
    this.deletes += entries;
  }

  /** Entries left because the cache was closed. */
  released(bytes: number, entries: number): void {
    this.entries -= entries;
    this.bytes -= bytes;
  }

  /** A call was spared a load that took `loadMs`, or the method's mean where that is not known. */
  saved(loadMs: number): void {
    this.savedMs += loadMs > 0 ? loadMs : this.loadTimes.meanMs;
  }

  add(other: MethodCounters): void {
    this.hits += other.hits;
    this.negativeHits += other.negativeHits;
    this.staleHits += other.staleHits;
    this.staleIfErrors += other.staleIfErrors;
    this.softTimeouts += other.softTimeouts;
    this.misses += other.misses;
    this.coalesced += other.coalesced;
    this.loads += other.loads;
    this.loadErrors += other.loadErrors;
    this.refreshes += other.refreshes;
    this.errorHits += other.errorHits;
    this.unknownKeys += other.unknownKeys;
    this.hardTimeouts += other.hardTimeouts;
    this.circuitRejections += other.circuitRejections;
    this.queueRejections += other.queueRejections;
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
    this.indexBytes += other.indexBytes;
    this.savedMs += other.savedMs;
    this.failedJoins += other.failedJoins;
    this.doubleCounted += other.doubleCounted;
    this.loadTimes.add(other.loadTimes);
  }

  summary(guards: GuardSummary): CacheStats {
    const { loadTimes, failedJoins, doubleCounted, ...counts } = this;
    const inPlaceOfLoads = this.staleIfErrors + this.softTimeouts;
    const coalesced = this.coalesced - doubleCounted;
    const answered = this.hits + this.staleHits - inPlaceOfLoads + coalesced - failedJoins;
    const lookups = answered + failedJoins + this.misses;
    const hitRate = lookups === 0 ? 0 : answered / lookups;
    return {
      ...counts,
      hitRate,
      loadTime: loadTimes.summary(),
      ...guards,
      disk: undefined,
      remote: undefined,
    };
  }
}
