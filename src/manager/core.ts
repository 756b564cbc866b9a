/** What the parts of one cache share. */

import type { Clock } from '../clock.js';
import { CacheError } from '../errors.js';
import { type CircuitStateName, EventHub } from '../events.js';
import { SingleFlight } from '../guard/single-flight.js';
import { type ResolvedCacheOptions, resolveMethodOptions } from '../options.js';
import { DiskTier } from '../persistence/disk-tier.js';
import { GivenFilesTier } from '../persistence/given-files.js';
import type { IndexChanges } from '../persistence/partition-index.js';
import { type Stamp, StampClock } from '../stamp.js';
import { MethodCounters } from '../stats/counters.js';
import type { SlowTier } from '../tier.js';
import { createValueCodec } from '../value/value-codec.js';
import { copyingKeeper, referenceKeeper, type ValueKeeper } from '../value/value-keeper.js';
import { BackgroundRefreshes } from './background-refreshes.js';
import type { Loaded } from './loaded.js';
import { MethodState, type SharedMethodState } from './method-state.js';
import { RememberedErrors } from './remembered-errors.js';
import { type TierObserver, Tiers } from './tiers.js';
import { ToolGates } from './tool-gates.js';

/** What a tier that others write to as well is told, and tells of them. */
export interface TierWiring {
  readonly clock: Clock;
  /** The id that this cache's stamps carry. */
  readonly writer: string;
  readonly onError: (error: CacheError) => void;
  /** Gets the newest stamp that was read, so that this cache's next one is newer. */
  readonly onStamp: (stamp: Stamp) => void;
  /** Hears what others have changed, so that memory lets go of it. */
  readonly onChanged: (changes: IndexChanges | 'everything') => void;
}

/** Tiers below memory, fastest first, or how they are made. */
export type SlowTiers = readonly SlowTier[] | ((wiring: TierWiring) => readonly SlowTier[]);

/** One cache's options, tiers, loads, events and methods. */
export class CacheCore implements TierObserver {
  readonly options: ResolvedCacheOptions;
  readonly events = new EventHub();
  readonly keeper: ValueKeeper;
  readonly tiers: Tiers;
  readonly loads = new SingleFlight<Loaded>();
  readonly refreshes: BackgroundRefreshes;
  /** The tier in partition files, where there is one. */
  readonly disk: DiskTier | GivenFilesTier | undefined;
  isClosed = false;
  readonly #states = new Map<string, MethodState>();

  constructor(options: ResolvedCacheOptions, slow: SlowTiers, writer: string) {
    this.options = options;
    const codec = createValueCodec(options.codecs);
    this.keeper = options.values === 'copy' ? copyingKeeper(codec) : referenceKeeper(codec);
    const { keeper, events } = this;
    const { clock, random } = options;
    this.refreshes = new BackgroundRefreshes(this.loads, clock, random);
    const stamps = new StampClock(clock, writer);
    const wiring: TierWiring = {
      clock,
      writer,
      onError: (error) => this.failed(error),
      onStamp: (stamp) => stamps.observe(stamp),
      onChanged: (changes) => {
        const isTold = changes !== 'everything' && !changes.hasNewMarkers;
        const keys = isTold ? changes.keys : undefined;
        this.tiers.dropReplaced(keys);
        for (const { errors } of this.#states.values()) errors.forgetChanged(keys);
      },
    };
    if (options.disk !== undefined) {
      const Tier = options.persist ? DiskTier : GivenFilesTier;
      this.disk = new Tier({ options: options.disk, ...wiring });
    }
    const given = typeof slow === 'function' ? slow(wiring) : slow;
    const all = this.disk === undefined ? given : [this.disk, ...given];
    this.tiers = new Tiers({ options, keeper, slow: all, stamps, events, observer: this });
  }

  /** The state of a method, made at its first use and kept. @throws InvalidArgumentError for a malformed name */
  state(method: string): MethodState {
    let state = this.#states.get(method);
    if (state === undefined) {
      const { defaults, methods } = this.options;
      const shared = this.#sharedState(method);
      state = new MethodState(method, methods.get(method) ?? resolveMethodOptions({}, '', defaults), shared);
      this.#states.set(method, state);
    }
    return state;
  }

  #sharedState(method: string): SharedMethodState {
    const { clock } = this.options;
    const { events, tiers } = this;
    const onCircuit = (state: CircuitStateName, previous: CircuitStateName) => {
      if (events.isHeard('circuit')) events.emit('circuit', { method, state, previous });
    };
    return {
      counters: new MethodCounters(),
      errors: new RememberedErrors(clock, (tagged) => tiers.tags.isDoubtful(tagged)),
      gates: new ToolGates({ name: method, clock, onCircuit }),
    };
  }

  /** The states of the methods used so far, in the order of their first use. */
  states(): IterableIterator<MethodState> {
    return this.#states.values();
  }

  /** Counts and emits a failure of the cache. It goes no further: the tool call goes on. */
  failed(error: CacheError, state?: MethodState, key?: string): void {
    (state ?? this.unattributed).counters.cacheErrors++;
    if (this.events.isHeard('error')) {
      this.events.emit('error', {
        error,
        ...(state && { method: state.name }),
        ...(key !== undefined && { key }),
      });
    }
  }

  /** Counts what belongs to no single method. */
  readonly unattributed = { counters: { cacheErrors: 0 } };

  /** Counts and emits that a call runs its tool without the cache. */
  uncached(state: MethodState, reason: string, cause?: unknown): void {
    state.counters.uncached++;
    if (this.events.isHeard('uncached'))
      this.events.emit('uncached', { method: state.name, reason, ...(cause !== undefined && { cause }) });
  }
}

/** Any failure as a `CacheError`. */
export function asCacheError(error: unknown, message: string): CacheError {
  return error instanceof CacheError ? error : new CacheError('ERR_STORAGE', message, { cause: error });
}
