/** The search of the slower tiers for one key: of what they have the newest counts, and is brought into those above. */

import type { Clock } from '../../clock.js';
import { CacheError } from '../../errors.js';
import type { Tagged } from '../../guard/tag-invalidation.js';
import { compareStamps, type Stamp } from '../../stamp.js';
import type { MemoryEntry } from '../../store/memory-entry.js';
import type { LookupOutcome, RemoteTier, SlowTier, TierRecord } from '../../tier.js';
import type { Accepted, ValueKeeper } from '../../value/keeper.js';
import { entryFrom, isOver, staleAtFor } from '../create-entry.js';
import type { MethodState } from '../method-context.js';
import type { Found, Read, SlowRead, SlowReads } from './slow-reads.js';

/** What a search works with. */
export interface SearchPlace {
  readonly slow: readonly SlowTier[];
  readonly remote: RemoteTier | undefined;
  readonly keeper: ValueKeeper;
  readonly clock: Clock;
  readonly reads: SlowReads;
  /** Takes note of a stamp that was read. */
  observe(stamp: Stamp): void;
  isInvalid(tagged: Tagged): boolean;
  /** What memory holds of a key. */
  peek(key: string): MemoryEntry | undefined;
  /** The same, counted as a use. */
  get(key: string, state: MethodState): MemoryEntry | undefined;
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

/** The search for one key. */
export class KeySearch {
  readonly #place: SearchPlace;
  readonly #state: MethodState;
  readonly #read: SlowRead;
  #failure: CacheError | undefined;
  /** Whether the tier that all share has not answered. */
  #isRemoteAway = false;
  /** The newest that was found and will not do if there is anything newer. */
  #candidate: Candidate | undefined;
  #isConfirmed = true;

  constructor(place: SearchPlace, state: MethodState, read: SlowRead) {
    this.#place = place;
    this.#state = state;
    this.#read = read;
  }

  get key(): string {
    return this.#read.key;
  }

  /**
   * Takes in what a tier has; tells whether the search goes on. It ends early once the key was written meanwhile.
   * @param isLater whether others may have run since the tier has answered
   */
  take(outcome: LookupOutcome, at: number, isLater: boolean): boolean | Promise<boolean> {
    const place = this.#place;
    const { remote, clock, slow } = place;
    try {
      if (outcome !== undefined && 'failure' in outcome) return this.#failed(outcome.failure, at);
      if (this.#read.superseded) return this.#settle('superseded');
      if (outcome === undefined) return true;
      const record = outcome;
      place.observe(record.stamp);
      if (isVoid(place, record, isLater ? at + 1 : at)) return true;
      const candidate = this.#candidate;
      if (candidate !== undefined && compareStamps(candidate.record.stamp, record.stamp) > 0) return true;
      // What others may have changed is an answer only once the tier that all share has the same.
      this.#isConfirmed = remote === undefined || slow[at] === remote || isCurrent(remote, clock, record);
      if (this.#isConfirmed && (at === slow.length - 1 || !isStale(record, this.#state, clock))) {
        const brought = this.#bringIn({ record, at }, candidate);
        if (!(brought instanceof Promise)) return this.#settle(brought);
        return brought.then(
          (read) => this.#settle(read),
          (error: unknown) => this.#failed(error, at),
        );
      }
      this.#candidate = { record, at };
      return true;
    } catch (error) {
      return this.#failed(error, at);
    }
  }

  /** No tier is left to ask. Others may have run since the last one has answered. */
  end(): Promise<void> | undefined {
    const { coherence } = this.#state.options;
    const candidate = this.#candidate;
    // Where the shared tier has answered, and has nothing to confirm it by, it is out of date.
    const isAnswer = this.#isConfirmed || (this.#isRemoteAway && coherence === 'available');
    if (this.#read.superseded) this.#settle('superseded');
    else if (candidate !== undefined && isAnswer) return this.#endWith(candidate);
    else this.#settleEmpty();
    return undefined;
  }

  async #endWith(candidate: Candidate): Promise<void> {
    const { record, at } = candidate;
    try {
      if (isVoid(this.#place, record, at + 1)) this.#settleEmpty();
      else this.#settle(await this.#bringIn(candidate, candidate));
    } catch (error) {
      if (this.#failed(error, at)) this.#settleEmpty();
    }
  }

  #settleEmpty(): void {
    this.#settle(this.#failure === undefined ? undefined : { error: this.#failure });
  }

  #settle(outcome: Read): false {
    this.#place.reads.settle(this.#read, outcome);
    return false;
  }

  /** Counts a failure, unless it is the end of the cache; tells whether the search goes on. */
  #failed(cause: unknown, at: number): boolean {
    const place = this.#place;
    if (place.isClosed()) return this.#settle('superseded');
    const { name } = this.#state;
    const message = `Reading ${name} (${this.key}) from the ${place.slow[at]!.name} tier failed`;
    this.#failure = new CacheError('ERR_STORAGE', message, { cause });
    this.#isRemoteAway ||= place.slow[at] === place.remote;
    place.failed(this.#failure, this.#state, this.key);
    return this.#read.superseded ? this.#settle('superseded') : true;
  }

  /** @param above the newest that the tiers above have */
  #bringIn({ record, at }: Candidate, above: Candidate | undefined): Read | Promise<Read> {
    const held = asNewInMemory(this.#place, record);
    if (held !== undefined) return held;
    const accepted = this.#place.keeper.accept(record.encoded);
    if (!(accepted instanceof Promise)) return this.#admit({ record, at }, above, accepted);
    return accepted.then((value) => {
      const place = this.#place;
      // While it was decoded others have run.
      if (this.#read.superseded) return 'superseded';
      if (isVoid(place, record, place.slow.length)) return undefined;
      return asNewInMemory(place, record) ?? this.#admit({ record, at }, above, value);
    });
  }

  #admit({ record, at }: Candidate, above: Candidate | undefined, accepted: Accepted): Read {
    const { slow, remote, clock, admit } = this.#place;
    const { memoryTtl } = this.#state.options;
    const tier = slow[at]!;
    const { entry, decoded } = entryFrom(record, accepted, { clock, memoryTtl });
    admit(this.#state, entry);
    if (tier === remote && (above === undefined || compareStamps(above.record.stamp, record.stamp) < 0)) {
      const received = asReceived(record, clock);
      for (let faster = 0; faster < at; faster += 1) slow[faster]!.write(received);
    }
    return { entry, tier: tier.name, decoded };
  }
}

/** What memory holds, where that is as new: a stale entry is searched for below it, and may be the newest there too. */
function asNewInMemory(place: SearchPlace, { key, stamp }: TierRecord): Found | undefined {
  const entry = place.peek(key);
  return entry === undefined || compareStamps(entry.stamp, stamp) < 0 ? undefined : { entry, tier: 'memory' };
}

/**
 * Whether a record is to be passed over: its time is over, or something newer is known.
 * @param asked how many of the tiers may know that: those above its own, and its own too once it may have learnt of it since
 */
function isVoid(place: SearchPlace, record: TierRecord, asked: number): boolean {
  const { expiresAt } = record.metadata;
  if (place.isInvalid(record) || (expiresAt !== null && isOver(record.metadata, place.clock.now())))
    return true;
  for (let at = 0; at < asked && at < place.slow.length; at += 1)
    if (place.slow[at]!.isReplaced(record)) return true;
  return false;
}

function isCurrent(remote: RemoteTier, clock: Clock, { metadata, stamp }: TierRecord): boolean {
  const age = clock.now() - metadata.createdAt;
  // Where the clock was set back since, nothing tells how long it has lain there.
  const knownAt = age < 0 ? undefined : clock.elapsed() - age - metadata.loadMs;
  return remote.isCurrent(knownAt, stamp);
}

/** What another machine has made, as of now where its clock is ahead: later its age tells how long ago it was confirmed here. */
function asReceived(record: TierRecord, clock: Clock): TierRecord {
  const now = clock.now();
  const { metadata } = record;
  return metadata.createdAt <= now ? record : { ...record, metadata: { ...metadata, createdAt: now } };
}

/** Whether its ttl is over, for a reader with the options of its method. */
function isStale({ metadata }: TierRecord, state: MethodState, clock: Clock): boolean {
  const { hasOwnTtl = false, isNegative = false, createdAt } = metadata;
  const { staleAt: latest } = metadata.sliding ?? metadata;
  const entry = { createdAt, staleAt: latest, hasOwnTtl, isNegative };
  const staleAt = state.hasOtherTtls ? latest : staleAtFor(entry, state.options);
  return staleAt !== null && clock.now() >= staleAt;
}
