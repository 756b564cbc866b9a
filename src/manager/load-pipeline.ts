/**
 * What happens between a caller and the tool, in the order in which it happens.
 *
 * For each caller, `answer`: memory (fresh; stale while revalidate), a renewal ahead of expiry, a remembered error, the
 * load under way or a new one. While it waits, `caller-waits.ts`: soft timeout, hard
 * timeout, a stale value in place of an error.
 *
 * For each load, `#run`: slower tiers, known keys, circuit breaker, a turn, the tool. Then `#keep` and `keeping.ts`:
 * errors among results, ttl, jitter, tags, all tiers.
 */

import { errorTtl } from '../guard/error-cache.js';
import { shouldRefreshEarly } from '../guard/refresh-ahead.js';
import type { Flight } from '../guard/single-flight.js';
import { type ResolvedMethodOptions, resolveCallOptions } from '../options.js';
import type { Stamp } from '../stamp.js';
import type { MemoryEntry } from '../store/memory-entry.js';
import { CallerWaits } from './caller-waits.js';
import { asCacheError, type CacheCore } from './core.js';
import { type AnswerPlace, isErrorResult, keepAnswer, rememberFor } from './keeping.js';
import type { Loaded } from './loaded.js';
import { type LoadCall, LoadContext, type Loader } from './loader.js';
import { type MethodLookups, unreadable } from './method-lookups.js';
import type { MethodState } from './method-state.js';
import { enterBreaker, enterLine } from './tool-entry.js';

/** One load that is about to run. */
export interface LoadRequest<T> extends AnswerPlace {
  readonly loader: Loader<T>;
  /** Go straight to the tool, whatever the slower tiers and the known keys say. */
  readonly isRefresh: boolean;
}

/** Calls a tool without the cache, and counts it. */
export type CallAlone = <T>(loader: Loader<T>, call: LoadCall, cause?: unknown) => Promise<T>;

/** The road from one method's callers to its tool. */
export class LoadPipeline {
  readonly #core: CacheCore;
  readonly #state: MethodState;
  readonly #lookups: MethodLookups;
  readonly #waits: CallerWaits;

  readonly #alone: CallAlone;

  /** @param alone calls a tool without the cache: for who joined a load whose value can't be shared */
  constructor(core: CacheCore, state: MethodState, lookups: MethodLookups, alone: CallAlone) {
    this.#alone = alone;
    this.#core = core;
    this.#state = state;
    this.#lookups = lookups;
    this.#waits = new CallerWaits(core, state, lookups);
  }

  /**
   * The value of a call, from where it is had soonest.
   * @throws InvalidOptionError for a malformed option of the call
   */
  answer<T>(key: string, loader: Loader<T>, call: LoadCall): Promise<T> {
    const { tiers, events, loads } = this.#core;
    const { counters, name } = this.#state;
    const entry = tiers.get(key, this.#state);
    if (entry !== undefined && this.#lookups.isFresh(entry)) {
      const value = this.#lookups.give(entry);
      if (value !== unreadable) {
        this.#lookups.countHit(entry, 'memory');
        if (entry.staleAt !== null) this.#refreshAhead(entry, loader, call);
        return Promise.resolve(value as T);
      }
    }
    const options = resolveCallOptions(call, this.#state.options);
    if (entry !== undefined && this.#lookups.freshness(entry, options) === 'stale-while-revalidate') {
      const value = this.#lookups.give(entry);
      if (value !== unreadable) {
        this.#lookups.countStaleHit(entry, 'memory', 'revalidate');
        this.#refreshInBackground(entry, 'stale', { loader, call, options });
        return Promise.resolve(value as T);
      }
    }
    const { signal } = call;
    const remembered = this.#state.errors.find(key);
    if (remembered !== undefined) {
      const { error } = remembered;
      counters.errorHits++;
      if (events.isHeard('errorHit')) events.emit('errorHit', { method: name, key, error });
      return this.#waits.staleOr(key, options, () => Promise.reject(error));
    }
    let flight = loads.find(key);
    if (flight !== undefined && tiers.tags.isLoadDoubtful(flight)) {
      loads.supersede(key);
      flight = undefined;
    }
    const takesStale = true;
    if (flight === undefined) {
      call.prepare?.(key);
      const started = this.#start({ state: this.#state, key, loader, options, isRefresh: false });
      return this.#waits.for(started, {
        key,
        options,
        signal,
        takesStale,
        own: (loaded) => loaded.value as T,
      });
    }
    counters.coalesced++;
    if (events.isHeard('coalesced')) events.emit('coalesced', { method: name, key });
    const joined = this.#waits.for(flight, {
      key,
      options,
      signal,
      takesStale,
      own: (loaded) => this.#shared(loaded, loader, call),
    });
    return joined.then(undefined, (error: unknown) => {
      counters.unanswered++;
      throw error;
    });
  }

  /** The value of a call, from the tool. */
  renew<T>(key: string, loader: Loader<T>, call: LoadCall): Promise<T> {
    const options = resolveCallOptions(call, this.#state.options);
    this.#core.loads.supersede(key);
    this.#state.errors.forget(key);
    call.prepare?.(key);
    const flight = this.#start({ state: this.#state, key, loader, options, isRefresh: true });
    const { signal } = call;
    return this.#waits.for(flight, {
      key,
      options,
      signal,
      takesStale: false,
      own: (loaded) => loaded.value as T,
    });
  }

  #start<T>(request: LoadRequest<T>): Flight<Loaded> {
    return this.#core.loads.start(request.key, this.#state.name, (flight) => this.#run(request, flight));
  }

  /** What a caller gets who joined a load. */
  #shared<T>(loaded: Loaded, loader: Loader<T>, call: LoadCall): T | Promise<T> {
    if (loaded.share === undefined) {
      this.#state.counters.unanswered++;
      return this.#alone(loader, call);
    }
    let value: unknown;
    try {
      value = loaded.share();
    } catch (error) {
      this.#core.failed(asCacheError(error, 'A shared value can not be read'), this.#state);
      this.#state.counters.unanswered++;
      return this.#alone(loader, call, error);
    }
    this.#state.counters.saved(loaded.loadMs);
    return value as T;
  }

  #refreshAhead<T>(entry: MemoryEntry, loader: Loader<T>, call: LoadCall): void {
    const own = this.#state.options;
    const beta =
      call.refreshAhead === undefined ? own.refreshAhead : resolveCallOptions(call, own).refreshAhead;
    if (beta === 0) return;
    const { clock, random } = this.#core.options;
    const { staleAt: expiresAt, loadMs } = entry;
    if (!shouldRefreshEarly({ now: clock.now(), expiresAt, loadMs, beta, random })) return;
    this.#refreshInBackground(entry, 'ahead', { loader, call, options: resolveCallOptions(call, own) });
  }

  /** Renews a value while its callers go on with the one there is. */
  #refreshInBackground<T>(
    entry: MemoryEntry,
    reason: 'stale' | 'ahead',
    { loader, call, options }: { loader: Loader<T>; call: LoadCall; options: ResolvedMethodOptions },
  ): void {
    const { refreshes, events } = this.#core;
    const { key } = entry;
    if (!refreshes.isDue(entry)) return;
    call.prepare?.(key);
    this.#state.counters.refreshes++;
    if (events.isHeard('refresh')) events.emit('refresh', { method: this.#state.name, key, reason });
    const flight = this.#start({ state: this.#state, key, loader, options, isRefresh: true });
    refreshes.watch(entry, flight, options.hardTimeout);
  }

  /** One load: slower tiers, then the guards of the tool, then the tool. */
  async #run<T>(request: LoadRequest<T>, flight: Flight<Loaded>): Promise<Loaded> {
    const { tiers, loads } = this.#core;
    const { key } = request;
    if (!request.isRefresh) {
      const found = tiers.hasSlow ? await this.#findBelow(request, flight) : undefined;
      if (found !== undefined) return found;
      if (!tiers.hasSlow) this.#lookups.missed(key);
      if (this.#isUnknown(request)) return nothingFound;
    }
    for (;;) {
      flight.throwIfAborted();
      const turn = enterLine(this.#core, this.#state, flight);
      let newer: Flight<Loaded> | undefined;
      try {
        if (turn?.granted !== undefined) await turn.granted;
        flight.node.takeTurn();
        // From here to the call of the loader nothing may be awaited: what was true must still be true there.
        flight.throwIfAborted();
        newer = flight.superseded ? loads.find(key) : undefined;
        if (newer === undefined) {
          // Written or deleted before the tool was called: its answer will be the newer one.
          if (flight.superseded) {
            const written = request.isRefresh ? undefined : this.#writtenMeanwhile(key);
            if (written !== undefined) return written;
            loads.reinstate(flight);
          }
          return await this.#callTool(request, flight);
        }
      } finally {
        turn?.leave();
        flight.node.leaveTurn();
      }
      // Another load has begun since it was written or deleted: that is the one to wait for.
      const loaded = await loads.join(newer);
      if (loaded.share !== undefined) return { ...loaded, value: loaded.share() };
    }
  }

  /** What was set while a load waited for its turn, so that the tool need not be called. */
  #writtenMeanwhile(key: string): Loaded | undefined {
    const entry = this.#lookups.held(key);
    if (entry === undefined || !this.#lookups.isFresh(entry)) return undefined;
    const value = this.#lookups.give(entry);
    if (value === unreadable) return undefined;
    const share = () => this.#core.keeper.give(entry.kept);
    return { value, loadMs: entry.loadMs, share, isError: false };
  }

  /** What the slower tiers have for this load; `undefined`: nothing. */
  async #findBelow<T>(request: LoadRequest<T>, flight: Flight<Loaded>): Promise<Loaded | undefined> {
    const { tiers, keeper } = this.#core;
    const { key } = request;
    const found = await tiers.search(key, this.#state);
    // An error is no miss: it was counted where it happened, and the tool runs.
    if (found !== undefined && 'error' in found) return undefined;
    // A stale value below is not worth a second answer path: the tool runs, as on a miss. Memory has it now, in case
    // that fails.
    if (found === undefined || !this.#lookups.isFresh(found.entry)) {
      this.#lookups.missed(key);
      return undefined;
    }
    const { entry, tier } = found;
    const share = () => keeper.give(entry.kept);
    let value: unknown;
    try {
      value = share();
    } catch (error) {
      this.#core.failed(asCacheError(error, `The value of ${key} can't be read`), this.#state, key);
      return undefined;
    }
    tiers.tags.note(flight, entry);
    this.#lookups.countHit(entry, tier);
    return { value, loadMs: entry.loadMs, share, isError: false };
  }

  #isUnknown<T>({ key, options }: LoadRequest<T>): boolean {
    try {
      if (options.knownKeys === undefined || options.knownKeys.mayHave(key)) return false;
    } catch (error) {
      this.#core.failed(
        asCacheError(error, `\`knownKeys\` of \`${this.#state.name}\` failed`),
        this.#state,
        key,
      );
      return false;
    }
    const { events } = this.#core;
    this.#state.counters.unknownKeys++;
    if (events.isHeard('unknownKey')) events.emit('unknownKey', { method: this.#state.name, key });
    return true;
  }

  async #callTool<T>(request: LoadRequest<T>, flight: Flight<Loaded>): Promise<Loaded> {
    const { tiers, options } = this.#core;
    const passage = enterBreaker(this.#core, this.#state, flight);
    const tags = typeof request.options.tags === 'function' ? undefined : request.options.tags;
    const tagged = { tags, stamp: tiers.begin() };
    if (tags === undefined || tags.length > 0) tiers.tags.note(flight, tagged);
    const context = new LoadContext(flight);
    const started = options.clock.elapsed();
    let value: T;
    try {
      value = await request.loader(context);
    } catch (error) {
      passage?.threw(error);
      this.#countLoadError(request.key, error);
      const ttlMs = rememberFor(this.#core, request, (policy) => errorTtl(error, policy));
      if (ttlMs > 0 && !flight.superseded && !this.#core.isClosed) {
        this.#state.errors.remember(request.key, error, { ttlMs, tagged });
      }
      throw error;
    }
    const loadMs = options.clock.elapsed() - started;
    const isError = isErrorResult(this.#core, request, value);
    if (isError !== false) context.skip();
    if (isError === true) {
      passage?.failed();
      this.#countLoadError(request.key, value);
    } else {
      passage?.succeeded();
      this.#countLoad(request.key, loadMs);
    }
    return this.#keep(request, flight, context, {
      value,
      loadMs,
      began: tagged.stamp,
      isError: isError === true,
    });
  }

  #countLoad(key: string, loadMs: number): void {
    const { events } = this.#core;
    const { counters, name } = this.#state;
    counters.loads++;
    counters.loadTimes.record(loadMs);
    if (events.isHeard('load')) events.emit('load', { method: name, key, loadMs });
  }

  #countLoadError(key: string, error: unknown): void {
    const { events } = this.#core;
    this.#state.counters.loadErrors++;
    if (events.isHeard('loadError')) events.emit('loadError', { method: this.#state.name, key, error });
  }

  /** Stores a load's value where it may be stored, and shares it with who waits for it. */
  #keep<T>(
    request: LoadRequest<T>,
    flight: Flight<Loaded>,
    context: LoadContext<Loaded>,
    { value, loadMs, began, isError }: { value: T; loadMs: number; began: Stamp; isError: boolean },
  ): Loaded {
    // From here on a caller finds the value in memory, or must load anew where it is not kept.
    this.#core.loads.retire(flight);
    const isStored = !context.isSkipped && !flight.superseded && !this.#core.isClosed;
    // Nobody to share it with and nowhere to store it: the value need not be encoded at all.
    if (!isStored && flight.callers <= 1) return { value, loadMs, share: undefined, isError };
    const { ttl } = context;
    const share = keepAnswer(this.#core, request, { value, loadMs, ttl, isStored, began });
    return { value, loadMs, share, isError };
  }
}

const nothingFound: Loaded = { value: undefined, loadMs: 0, share: () => undefined, isError: false };
