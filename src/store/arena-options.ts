/** What the cache needs of an arena, whose memory threads share: the option `memory` takes one. */

import type { MessagePort } from 'node:worker_threads';
import type { Clock } from '../clock.js';
import { InvalidOptionError } from '../errors.js';
import type { Stamp, StampSequence } from '../stamp.js';
import type { LoadLease, LoadLeaseRequest, RemoteChange } from '../tier.js';
import type { ValueCodec } from '../value/codec.js';
import type { ValueKeeper } from '../value/keeper.js';
import type { MemoryEntry } from './memory-entry.js';
import { type MemoryOptions, type ResolvedMemoryOptions, resolveMemoryOptions } from './memory-options.js';
import type { MemoryTier } from './memory-tier.js';

/** What the cache does with memory, whoever holds it. */
export interface Memory extends Pick<MemoryTier, 'get' | 'peek' | 'delete' | 'clear' | 'entries' | 'close'> {
  /** As what a store that adapts evicts now, and why. */
  readonly policy?: string | undefined;
  /** @param isLoaded it is the result of a load that began at the entry's stamp, and not stored where its key was changed since */
  set(entry: MemoryEntry, isLoaded?: boolean): boolean;
}

/** Memory that other threads read and write as well. */
export interface SharedMemory extends Memory, StampSequence {
  readonly name: 'memory';
  /** A load begins whose result will have this stamp. */
  begin(key: string, stamp: Stamp): void;
  /** That load is over: its result was stored, or will never be. */
  end(key: string, stamp: Stamp): void;
  /** Makes void in all threads what carries one of the tags. */
  invalidateTags(tags: readonly string[], stamp: Stamp): void;
  /** Takes a turn to load a key among all threads. */
  takeLease(load: LoadLeaseRequest): LoadLease;
  /** What all threads hold and have counted. */
  counts(): SharedCounts;
}

/** Counts of all threads together. */
export interface SharedCounts {
  readonly entries: number;
  readonly bytes: number;
  readonly evicted: number;
  readonly expired: number;
  readonly replaced: number;
  readonly invalidated: number;
  readonly deletes: number;
}

/** What an arena is given by a cache. */
export interface ArenaWiring {
  readonly clock: Clock;
  readonly codec: ValueCodec;
  readonly keeper: ValueKeeper;
  /** The id that this cache's stamps carry. */
  readonly writer: string;
  readonly maxEntryBytes: number | undefined;
  /** Hears what other threads have changed. */
  readonly onChange: (change: RemoteChange) => void;
}

/** An arena on its way to another thread, in `workerData` or by `postMessage`. It is for one thread. */
export interface ArenaHandle {
  /** To be put in the `transferList` as well. By it others learn that the thread has ended: leave it alone. */
  readonly port: MessagePort;
  /** @internal */
  readonly id: number;
  /** @internal */
  readonly memory: unknown;
}

/** What all threads hold, and have done since the arena was made. */
export interface ArenaStats {
  /** Entries held, those that have expired but not left yet included. */
  readonly entries: number;
  /** Bytes of those entries. */
  readonly bytes: number;
  /** Threads that use the arena, and handles that wait for theirs. */
  readonly threads: number;
  /** Lookups that found an entry. */
  readonly hits: number;
  /** Lookups that found none. */
  readonly misses: number;
  /** Entries stored. */
  readonly sets: number;
  /** Values too large to store. */
  readonly refused: number;
  /** Entries that left for want of room. */
  readonly evicted: number;
  /** Entries that left because their time was over. */
  readonly expired: number;
  /** Entries overwritten. */
  readonly replaced: number;
  /** Entries deleted. */
  readonly deleted: number;
  /** Entries that a tag made invalid. */
  readonly invalidated: number;
  /** Entries that were moved, as they had been read, or to clear away what lay between. */
  readonly moved: number;
  /** Lookups that could not have a lock within 2 ms, and found nothing. */
  readonly bypassedReads: number;
  /** Changes that could not: nothing was stored, and what was there is gone. */
  readonly bypassedWrites: number;
  /** Steps of loads that could not: threads may have loaded the same, or a result was not stored. */
  readonly bypassedLoads: number;
  /** Parts of the arena that were emptied: cleared, or a thread had died while it changed them. */
  readonly resets: number;
  /** Loads that waited for another thread's. */
  readonly coalesced: number;
  /** Loads that took the place of a dead thread's. */
  readonly takenOver: number;
}

/** Memory that threads share: what `arena()` and `attach()` of `toolstash/arena` make, for the option `memory`. */
export interface Arena {
  /** A handle for one other thread, which `attach` takes there. @throws CacheError when there are too many threads */
  share(): ArenaHandle;
  /** What all threads hold and have done together. */
  stats(): ArenaStats;
  /** @internal Takes its place in one cache. @throws InvalidOptionError where it has one already */
  connect(wiring: ArenaWiring): SharedMemory;
}

/** Options that mean nothing, or not the same, beside an arena. */
const idle: Readonly<Record<string, string>> = {
  eviction: 'it evicts by a policy of its own',
  maxSize: 'give it to `arena({ maxSize })`',
  maxBytes: 'give it to `arena({ maxBytes })`',
  persist: 'tiers behind it would not hear of what other threads change',
  loadCache: 'tiers behind it would not hear of what other threads change',
  tiers: 'tiers behind it would not hear of what other threads change',
  remote: 'tiers behind it would not hear of what other threads change',
  recording: 'recorded answers are not for all threads',
};

/** Memory as the option says. @throws InvalidOptionError naming the option, and what to do */
export function resolveMemory(
  options: { readonly memory?: MemoryOptions | Arena | undefined; readonly values?: unknown } & object,
): { readonly memory: ResolvedMemoryOptions | undefined; readonly arena: Arena | undefined } {
  const { memory } = options;
  if (memory === null || typeof memory !== 'object' || !('connect' in memory))
    return { memory: resolveMemoryOptions(memory as MemoryOptions | undefined), arena: undefined };
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || value === false || (Array.isArray(value) && value.length === 0)) continue;
    const why = Object.hasOwn(idle, name) ? idle[name] : undefined;
    if (why !== undefined) throw refused(name, why);
  }
  if (options.values === 'reference')
    throw refused('values', "an arena holds encoded copies, as `values: 'copy'` does");
  return { memory: undefined, arena: memory as Arena };
}

function refused(name: string, why: string): InvalidOptionError {
  return new InvalidOptionError(`Expected no \`${name}\` beside \`memory: arena(…)\`: ${why}`);
}
