/** What the parts of one cache share. */

import type { AgeObserver, AnswerObserver, CacheAnswer, RepeatableHit, VerifiedFigures } from '../answers.js';
import { type Clock, inBackground } from '../clock.js';
import { CacheClosedError, CacheError, InvalidArgumentError } from '../errors.js';
import { type CircuitStateName, EventHub } from '../events.js';
import { ErrorMemory, RememberedErrors } from '../guard/error-cache.js';
import { warnOfIdleMethods, warnOfUnusedMethod } from '../guard/idle-options.js';
import { SingleFlight } from '../guard/single-flight.js';
import { ArgumentIndex } from '../key/argument-index.js';
import { sharingParams } from '../key/key-origin.js';
import { Redactions, warnOfUnmatched } from '../key/redacted-paths.js';
import { nodeCrypto } from '../node-crypto.js';
import {
  type CacheOptions,
  type ResolvedCacheOptions,
  type ResolvedMethodOptions,
  resolveMethodOptions,
  resolveOptions,
} from '../options.js';
import type { ConsolidationReport } from '../persistence/consolidate/consolidation.js';
import type { DiskTier } from '../persistence/disk-tier.js';
import type { IndexChanges } from '../persistence/index/partition-index.js';
import type { ReadOnlyTier } from '../persistence/read-only-tier.js';
import type { RecordedTools } from '../recorded-tools.js';
import type { Wording } from '../report/format.js';
import { type ClockOffset, type Stamp, StampClock } from '../stamp.js';
import { MethodCounters } from '../stats/counters.js';
import type { RemoteChange, SlowTier } from '../tier.js';
import { createValueCodec, type ValueCodec } from '../value/codec.js';
import { copyingKeeper, referenceKeeper, type ValueKeeper } from '../value/keeper.js';
import { ownString } from '../value/own-string.js';
import { checkedLoadRequest, type LoadRequest } from './call-checks.js';
import { BackgroundRefreshes } from './load/background-refresh.js';
import type { Loaded } from './load/loader.js';
import {
  type FailureCounters,
  MethodState,
  manyMethods,
  type SharedMethodState,
  Storability,
  ToolGates,
  warnOfManyMethods,
} from './method-context.js';
import { openRecording } from './recording-files.js';
import { diskCode } from './tiers/disk-code.js';
import { connectArena, type TierObserver, Tiers } from './tiers/tiers.js';

/** What a tier that others write to as well is told, and tells of them. */
export interface TierWiring {
  readonly clock: Clock;
  /** The id that this cache's stamps carry. */
  readonly writer: string;
  readonly onError: (error: CacheError) => void;
  /** Gets the newest stamp that was read, so that this cache's next one is newer. */
  readonly onStamp: (stamp: Stamp) => void;
  /** Hears how the machine's clock stands to the one that stamps are taken from; see `DiskTierInit`. */
  readonly onOffset: (offset: ClockOffset, setBack: number) => void;
  /** Hears what others have changed, so that memory lets go of it. */
  readonly onChanged: (changes: IndexChanges | 'everything') => void | Promise<void>;
}

export type { Wording };

/** Runs a load and gives back what it comes to, or throws what it throws. */
export type AroundLoads = <T>(method: string, load: () => T | PromiseLike<T>) => T | PromiseLike<T>;

/** Tiers below memory, fastest first, or how they are made. */
export type SlowTiers = readonly SlowTier[] | ((wiring: TierWiring) => readonly SlowTier[]);

/** One cache's options, tiers, loads, events and methods. */
export class CacheCore implements TierObserver {
  readonly options: ResolvedCacheOptions;
  readonly events = new EventHub();
  readonly codec: ValueCodec;
  readonly keeper: ValueKeeper;
  readonly tiers: Tiers;
  readonly loads = new SingleFlight<Loaded>();
  readonly refreshes: BackgroundRefreshes;
  /** What is recorded, or takes in what tools answer, where there is such. */
  readonly recorded: RecordedTools | undefined;
  /** The same where it answers in the place of tools. */
  readonly replay: RecordedTools | undefined;
  /** The tier in partition files, where there is one. */
  readonly disk: DiskTier | ReadOnlyTier | undefined;
  isClosed = false;
  /** Who wants to know of answers; `undefined` where nobody does, as mostly. */
  observers: readonly AnswerObserver[] | undefined;
  /** What those know who verify hits; they stay when they are stopped. */
  readonly verifications: (() => readonly VerifiedFigures[])[] = [];
  /** Methods that are not answered from the cache any more; `undefined` where there are none. */
  distrusted: Set<string> | undefined;
  /** Who learns how long answers stay equal; `undefined` where nobody does, as mostly. */
  ages: AgeObserver | undefined;
  /** Runs each load within something, such as a span; `undefined` where nobody asked for it, as mostly. */
  aroundLoads: AroundLoads | undefined;
  /** What is to be done before the tiers are closed. Never rejects, and takes a bounded time. */
  readonly onClose = new Set<() => Promise<void>>();
  /** Sentences that reports end with, of those who watch the cache. */
  readonly remarks = new Set<(say: Wording) => readonly string[]>();
  /** Whether a caller is told of what can't be opened. */
  #isOpenAwaited = false;
  readonly #states = new Map<string, MethodState>();
  readonly #index: ArgumentIndex;
  readonly #redactions = new Redactions();
  #unlistedOptions: ResolvedMethodOptions | undefined;
  /** What all methods remember of errors. */
  readonly errorMemory: ErrorMemory;

  constructor(options: ResolvedCacheOptions, slow: SlowTiers, writer: string) {
    this.options = options;
    this.#index = new ArgumentIndex(options, (taken) => {
      const entry = this.tiers.peek(taken.key);
      if (entry?.origin) entry.origin = sharingParams(entry.origin, taken, this.codec);
    });
    this.codec = createValueCodec(options.codecs);
    const { values, arena: shared, maxBytes } = options;
    const keeperOf = values === 'copy' ? copyingKeeper : referenceKeeper;
    this.keeper = keeperOf(this.codec, { holdsLong: shared === undefined, maxBytes });
    const [{ keeper, events }, { clock, random }] = [this, options];
    this.errorMemory = new ErrorMemory(clock);
    this.refreshes = new BackgroundRefreshes(this.loads, clock, random);
    const arena = connectArena(this, writer);
    const stamps = new StampClock(clock, writer, { sequence: arena, isSteady: options.remote !== undefined });
    let isShared = false;
    const wiring: TierWiring = {
      clock,
      writer,
      onError: (error) => this.failed(error),
      onStamp: (stamp) => stamps.observe(stamp),
      onOffset: (offset, setBack) => {
        // All machines go by the clock of the tier that they share.
        if (!isShared) stamps.follow(offset);
        if (setBack === 0) return;
        stamps.setBack(setBack);
        // What is held or under way has stamps of the machine's clock; the slower tiers have stamped it anew.
        this.loads.supersedeAll();
        this.tiers.restart();
        for (const { errors } of this.#states.values()) errors.clear();
      },
      onChanged: (changes) => {
        const isTold = changes !== 'everything' && !changes.hasNewTombstones;
        const keys = isTold ? changes.keys : undefined;
        for (const { errors } of this.#states.values()) errors.forgetChanged(keys);
        return this.tiers.dropReplaced(keys);
      },
    };
    const { disk, persist } = options;
    if (disk !== undefined) {
      const { assertThere, DiskTier, ReadOnlyTier } = diskCode();
      assertThere('loadCache', disk.loadCache);
      const Tier = persist ? DiskTier : ReadOnlyTier;
      const hasNoErrorListener = () => persist && !this.#isOpenAwaited && !this.events.isHeard('error');
      this.disk = inBackground(() => new Tier({ options: disk, hasNoErrorListener, ...wiring }));
    }
    this.recorded = openRecording(options, {
      decode: (encoded) => this.codec.decode(encoded),
      onError: wiring.onError,
    });
    this.replay = this.recorded?.mode === 'record' ? undefined : this.recorded;
    const given = typeof slow === 'function' ? slow(wiring) : slow;
    const all = [...(this.disk === undefined ? [] : [this.disk]), ...options.tiers, ...given];
    const remote = options.remote?.connect({
      ...{ clock, writer, onError: wiring.onError, onStamp: wiring.onStamp },
      newestStamp: () => stamps.newest,
      persistDir: persist ? disk?.persistDir : undefined,
      onClock: (offset) => {
        isShared = true;
        stamps.follow(offset);
      },
      onChange: (change) => this.#apply(change),
      onRefused: (refused) => this.tiers.shared.refuse(refused),
      onStored: (record, given) => this.tiers.shared.restamp(record, given),
      flushFaster: () => this.tiers.shared.flush(),
    });
    this.tiers = new Tiers({ options, keeper, slow: all, remote, arena, stamps, events, observer: this });
  }

  /** Takes in what another machine has changed: whatever was loaded or remembered before may be wrong. */
  #apply(change: RemoteChange): void {
    if (this.isClosed) return;
    if (change.kind === 'key') {
      this.loads.supersede(change.key);
      this.knownState(change.method)?.errors.forget(change.key);
    } else {
      if (change.kind !== 'tag')
        this.loads.supersedeAll(change.kind === 'method' ? change.method : undefined);
      for (const { errors } of this.#states.values()) errors.forgetChanged(undefined);
    }
    this.tiers.shared.apply(change);
  }

  /** The state of a method, made at its first use and kept, by a name with memory of its own. @throws InvalidArgumentError for a malformed name */
  state(method: string): MethodState {
    let state = this.#states.get(method);
    if (state === undefined) {
      warnOfUnusedMethod(method, this.options.methods, (name) => this.#states.has(name));
      const name = typeof method === 'string' ? ownString(method) : method;
      state = new MethodState(name, this.methodOptions(name), this.#sharedState(name));
      if (this.#states.set(name, state).size === manyMethods) warnOfManyMethods(name);
    }
    return state;
  }

  /** The state of a method, if it was used already. */
  knownState(method: string): MethodState | undefined {
    return this.#states.get(method);
  }

  /** What counts the failures of a method; a name that nobody used, as files may hold many, gets no state by it. */
  countersOf(method: string): FailureCounters {
    return this.knownState(method) ?? { name: method, ...this.unattributed };
  }

  /** The options of a method; all that are not in `methods` share theirs. @throws InvalidOptionError */
  methodOptions(method: string): ResolvedMethodOptions {
    const { defaults, methods } = this.options;
    const own = methods.get(method);
    if (own !== undefined) return own;
    this.#unlistedOptions ??= resolveMethodOptions({}, '', defaults);
    return this.#unlistedOptions;
  }

  #sharedState(method: string): SharedMethodState {
    const [{ events, tiers }, { clock }] = [this, this.options];
    const onCircuit = (state: CircuitStateName, previous: CircuitStateName) => {
      if (events.isHeard('circuit')) events.emit('circuit', { method, state, previous });
    };
    return {
      counters: new MethodCounters(),
      errors: new RememberedErrors(clock, this.errorMemory, tiers),
      gates: new ToolGates({ name: method, clock, onCircuit }),
      storability: new Storability(method),
      ...{ index: this.#index, codec: this.codec, redactions: this.#redactions },
    };
  }

  /** The states of the methods used so far, in the order of their first use. */
  states(): IterableIterator<MethodState> {
    return this.#states.values();
  }

  /** Counts and emits a failure of the cache. It goes no further: the tool call goes on. */
  failed(error: CacheError, state?: FailureCounters, key?: string): void {
    (state ?? this.unattributed).counters.cacheErrors++;
    if (this.events.isHeard('error')) {
      this.events.emit('error', {
        error,
        ...(state && { method: state.name }),
        ...(key !== undefined && { key }),
      });
    }
  }

  /** Reads partition files again, or other files. @throws InvalidArgumentError, CacheError `ERR_STORAGE` */
  async load(request: LoadRequest): Promise<void> {
    const { disk } = this;
    if (disk === undefined)
      throw new InvalidArgumentError('There is nothing to load into: make the cache with `persist: true`');
    const checked = checkedLoadRequest(request);
    await disk.load(checked).catch((error: unknown) => {
      throw diskCode().toStorageError(error, 'Reading partition files failed');
    });
  }

  /** Merges the partition files that nobody appends to any more. @throws InvalidArgumentError */
  async consolidate(): Promise<ConsolidationReport> {
    const { disk } = this;
    if (disk === undefined || !('consolidate' in disk))
      throw new InvalidArgumentError('There is nothing to consolidate: make the cache with `persist: true`');
    return disk.consolidate();
  }

  /** Waits for what starts in the background; rejects when it can't be had, or the cache is closed. */
  async open(): Promise<void> {
    if (this.isClosed) throw new CacheClosedError('The cache is closed: make a new CacheManager');
    this.#isOpenAwaited = true;
    await Promise.all([this.tiers.open(), this.recorded?.open()]);
  }

  /** Takes nothing more in, flushes, and lets go of everything. */
  async close(): Promise<void> {
    this.isClosed = true;
    this.errorMemory.close();
    this.#index.clear();
    warnOfIdleMethods([...this.#states.keys()], this.options.methods);
    warnOfUnmatched(this.#redactions);
    await Promise.all(Array.from(this.onClose, (close) => close()));
    await Promise.all([this.tiers.close(), this.recorded?.close()]);
  }

  /** Tells observers of an answer. */
  answered(answer: CacheAnswer, value: unknown): void {
    for (const observer of this.observers ?? []) observer.answered?.(answer, value);
  }

  /** Tells observers of a call that was answered without its tool. */
  hitAgain(hit: RepeatableHit): void {
    for (const observer of this.observers ?? []) observer.hit?.(hit);
  }

  /** Adds an observer, until what is returned is called. */
  observe(observer: AnswerObserver): () => void {
    this.observers = [...(this.observers ?? []), observer];
    return () => {
      const others = (this.observers ?? []).filter((each) => each !== observer);
      this.observers = others.length === 0 ? undefined : others;
    };
  }

  /** Lets no call of a method be answered from the cache any more. */
  distrust(method: string): void {
    this.distrusted ??= new Set();
    this.distrusted.add(method);
  }

  /** Counts what belongs to no single method. */
  readonly unattributed = { counters: { cacheErrors: 0 } };

  /**
   * Counts and emits that a call runs its tool without the cache.
   * @throws CacheError `ERR_NOT_RECORDED` where its recording lets no call go past it
   */
  uncached(state: MethodState, reason: string, cause?: unknown): void {
    this.recorded?.past(state.name, reason);
    state.counters.uncached++;
    if (this.events.isHeard('uncached'))
      this.events.emit('uncached', { method: state.name, reason, ...(cause !== undefined && { cause }) });
  }
}

const cores = new WeakMap<object, CacheCore>();

/** What a manager under these options consists of, known to parts of the package that users import. @throws InvalidOptionError */
export function coreFor(manager: object, options: CacheOptions, slow: SlowTiers): CacheCore {
  const core = new CacheCore(resolveOptions(options), slow, nodeCrypto().randomBytes(8).toString('hex'));
  cores.set(manager, core);
  return core;
}

/** The core of a manager; `undefined` for what is none of this build of the package. */
export function coreOf(manager: object): CacheCore | undefined {
  return cores.get(manager);
}

/** Any failure as a `CacheError`. */
export function asCacheError(error: unknown, message: string): CacheError {
  return error instanceof CacheError ? error : new CacheError('ERR_STORAGE', message, { cause: error });
}
