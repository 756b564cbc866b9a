/** Searching the slower tiers for the newest entry of a key, and bringing it into those above. */

import type { Clock } from '../../clock.js';
import { inBackground } from '../../clock.js';
import { CacheError } from '../../errors.js';
import type { Flight } from '../../guard/single-flight.js';
import type { Tagged } from '../../guard/tag-invalidation.js';
import { compareStamps, type Stamp } from '../../stamp.js';
import type { MemoryEntry } from '../../store/memory-entry.js';
import type { RemoteTier, SlowTier, TierRecord } from '../../tier.js';
import type { ValueKeeper } from '../../value/keeper.js';
import { entryFrom, isOver, staleAtFor } from '../create-entry.js';
import type { MethodState } from '../method-context.js';
import type { Found, Read, SlowReads } from './slow-reads.js';

/** What a search works with. */
export interface SearchPlace {
  readonly slow: readonly SlowTier[];
  readonly remote: RemoteTier | undefined;
  readonly keeper: ValueKeeper;
  readonly clock: Clock;
  readonly reads: Pick<SlowReads, 'listeners'>;
  /** Takes note of a stamp that was read. */
  observe(stamp: Stamp): void;
  isInvalid(tagged: Tagged): boolean;
  /** What memory holds of a key. */
  peek(key: string): MemoryEntry | undefined;
  /** Brings an entry into memory. */
  admit(state: MethodState, entry: MemoryEntry): void;
  isClosed(): boolean;
  /** Counts a failure. */
  failed(error: CacheError, state: MethodState, key: string): void;
}

/** A record, and the place of its tier. */
interface Candidate {
  readonly record: TierRecord;
  readonly at: number;
}

/** Whose search it is. */
interface SearchOf {
  readonly state: MethodState;
  readonly flight: Flight<Read>;
}

/** One search, which ends early once its key was written meanwhile. */
export async function searchSlowTiers(
  place: SearchPlace,
  key: string,
  { state, flight }: SearchOf,
): Promise<Read> {
  const { remote, clock } = place;
  let failure: CacheError | undefined;
  /** The newest that was found and will not do if there is anything newer. */
  let candidate: Candidate | undefined;
  let isConfirmed = true;
  for (const [at, tier] of place.slow.entries()) {
    try {
      const began = clock.elapsed();
      const record = await inBackground(() => tier.lookup(key, state.name));
      for (const listener of place.reads.listeners)
        listener({ method: state.name, tier: tier.name, ms: clock.elapsed() - began });
      if (flight.superseded) return 'superseded';
      if (record === undefined) continue;
      place.observe(record.stamp);
      if (isVoid(place, record, at)) continue;
      const isOlder = candidate !== undefined && compareStamps(candidate.record.stamp, record.stamp) > 0;
      if (isOlder) continue;
      const found = { record, at };
      // What others may have changed is an answer only once the tier that all share has the same.
      isConfirmed = remote === undefined || tier === remote || isCurrent(remote, clock, record);
      if (isConfirmed && (at === place.slow.length - 1 || !isStale(record, state, clock)))
        return await bringIn(place, { state, flight }, { found, above: candidate });
      candidate = found;
    } catch (error) {
      if (place.isClosed()) return 'superseded';
      failure = countFailure(place, { state, key, tier }, error);
      if (flight.superseded) return 'superseded';
    }
  }
  // Where the shared tier has answered, and has nothing to confirm it by, it is out of date.
  const isAnswer = isConfirmed || (failure !== undefined && state.options.coherence === 'available');
  if (candidate !== undefined && isAnswer && !isVoid(place, candidate.record, candidate.at))
    try {
      return await bringIn(place, { state, flight }, { found: candidate, above: candidate });
    } catch (error) {
      if (place.isClosed() || flight.superseded) return 'superseded';
      failure = countFailure(place, { state, key, tier: place.slow[candidate.at]! }, error);
    }
  return failure === undefined ? undefined : { error: failure };
}

function countFailure(
  place: SearchPlace,
  { state, key, tier }: { readonly state: MethodState; readonly key: string; readonly tier: SlowTier },
  cause: unknown,
): CacheError {
  const failure = new CacheError(
    'ERR_STORAGE',
    `Reading ${state.name} (${key}) from the ${tier.name} tier failed`,
    {
      cause,
    },
  );
  place.failed(failure, state, key);
  return failure;
}

async function bringIn(
  place: SearchPlace,
  { state, flight }: SearchOf,
  { found, above }: { readonly found: Candidate; readonly above: Candidate | undefined },
): Promise<Read> {
  const { record, at } = found;
  const tier = place.slow[at]!;
  const { keeper, clock } = place;
  const { memoryTtl } = state.options;
  let held = asNewInMemory(place, record);
  if (held !== undefined) return held;
  let accepted = keeper.accept(record.encoded);
  if (accepted instanceof Promise) {
    accepted = await accepted;
    // While it was decoded others have run.
    if (flight.superseded) return 'superseded';
    if (isVoid(place, record, at) || place.slow.some((each) => each.isReplaced(record))) return undefined;
    held = asNewInMemory(place, record);
    if (held !== undefined) return held;
  }
  const { entry, decoded } = entryFrom(record, accepted, { clock, memoryTtl });
  place.admit(state, entry);
  if (tier === place.remote && (above === undefined || compareStamps(above.record.stamp, record.stamp) < 0))
    for (const faster of place.slow.slice(0, at)) faster.write(record);
  return { entry, tier: tier.name, decoded };
}

/** What memory holds, where that is as new: a stale entry is searched for below it, and may be the newest there too. */
function asNewInMemory(place: SearchPlace, { key, stamp }: TierRecord): Found | undefined {
  const entry = place.peek(key);
  return entry === undefined || compareStamps(entry.stamp, stamp) < 0 ? undefined : { entry, tier: 'memory' };
}

/** Whether a record is to be passed over: its time is over, or something newer is known. */
function isVoid(place: SearchPlace, record: TierRecord, at: number): boolean {
  if (place.isInvalid(record) || isOver(record.metadata, place.clock.now())) return true;
  return place.slow[at] === place.remote && place.slow.slice(0, at).some((tier) => tier.isReplaced(record));
}

function isCurrent(remote: RemoteTier, clock: Clock, { metadata, stamp }: TierRecord): boolean {
  const age = Math.max(0, clock.now() - metadata.createdAt);
  return remote.isCurrent(clock.elapsed() - age - metadata.loadMs, stamp);
}

/** Whether its ttl is over, for a reader with the options of its method. */
function isStale({ metadata }: TierRecord, state: MethodState, clock: Clock): boolean {
  const { hasOwnTtl = false, isNegative = false, createdAt } = metadata;
  const { staleAt: latest } = metadata.sliding ?? metadata;
  const entry = { createdAt, staleAt: latest, hasOwnTtl, isNegative };
  const staleAt = state.hasOtherTtls ? latest : staleAtFor(entry, state.options);
  return staleAt !== null && clock.now() >= staleAt;
}
