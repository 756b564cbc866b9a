/**
 * What happens between a caller and the tool, in the order in which it happens.
 *
 * For each caller, `answer`: memory (fresh; stale while revalidate), a renewal ahead of expiry, a remembered error, the
 * load under way or a new one. While it waits, `caller-waits.ts`: a value below memory, soft timeout, hard timeout, a
 * stale value in place of an error.
 *
 * For each load, `#run`: slower tiers (fresh; stale while revalidate), known keys, circuit breaker, a turn, the tool.
 * Then `calling.ts` and `keeping.ts`: errors among results, ttl, jitter, tags, all tiers.
 */

import { shouldRefreshEarly } from '../guard/refresh-ahead.js';
import type { Flight } from '../guard/single-flight.js';
import { type ResolvedMethodOptions, resolveCallOptions } from '../options.js';
import type { MemoryEntry } from '../store/memory-entry.js';
import { CallerWaits } from './caller-waits.js';
import { callTool, type LoadRequest } from './calling.js';
import { asCacheError, type CacheCore } from './core.js';
import type { Loaded } from './loaded.js';
import type { LoadCall, OwnLoader } from './loader.js';
import { type MethodLookups, unreadable } from './method-lookups.js';
import type { MethodState } from './method-state.js';
import { StaleAnswers } from './stale-answers.js';
import type { Found, Search } from './tiers.js';
import { enterLine } from './tool-entry.js';
import { isUnknownKey } from './unknown-keys.js';

/** Calls a tool without the cache, and counts it. */
export type CallAlone = <T>(loader: OwnLoader<T>, call: LoadCall, cause?: unknown) => Promise<T>;

/** The road from one method's callers to its tool. */
export class LoadPipeline {
  readonly #core: CacheCore;
  readonly #state: MethodState;
  readonly #lookups: MethodLookups;
  readonly #stales: StaleAnswers;
  readonly #waits: CallerWaits;
  readonly #alone: CallAlone;

  /** @param alone calls a tool without the cache: for who joined a load whose value can't be shared */
  constructor(core: CacheCore, state: MethodState, lookups: MethodLookups, alone: CallAlone) {
    this.#alone = alone;
    this.#core = core;
    this.#state = state;
    this.#lookups = lookups;
    this.#stales = new StaleAnswers(core, state, lookups);
    this.#waits = new CallerWaits(core, state, this.#stales);
  }

  /**
   * The value of a call, from where it is had soonest.
   * @throws InvalidOptionError for a malformed option of the call
   */
  answer<T>(key: string, loader: OwnLoader<T>, call: LoadCall): Promise<T> {
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
    const remembered = this.#state.errors.find(key, options);
    if (remembered !== undefined) {
      const { error } = remembered;
      counters.errorHits++;
      if (events.isHeard('errorHit')) events.emit('errorHit', { method: name, key, error });
      return this.#waits.insteadOf(error, { key, options });
    }
    let flight = loads.find(key);
    if (flight !== undefined && tiers.tags.isLoadDoubtful(flight)) {
      loads.supersede(key);
      flight = undefined;
    }
    const caller = { key, options, signal, takesStale: true };
    if (flight !== undefined) this.#core.refreshes.handOver(flight);
    if (flight === undefined) {
      call.prepare?.(key);
      const started = this.#start({ state: this.#state, key, loader, options, isRefresh: false });
      return this.#waits.for(started, {
        ...caller,
        looksBelow: false,
        own: ({ stale, value }) =>
          stale === undefined ? (value as T) : this.#stale(stale, { key, loader, call, options }),
      });
    }
    counters.coalesced++;
    if (events.isHeard('coalesced')) events.emit('coalesced', { method: name, key });
    let isCounted = false;
    const unanswered = () => {
      if (!isCounted) counters.unanswered++;
      isCounted = true;
    };
    const joined = this.#waits.for(flight, {
      ...caller,
      looksBelow: this.#stales.mayBeBelow(flight, options),
      own: (loaded) => {
        if (loaded.stale === undefined) return this.#shared(loaded, { loader, call, unanswered });
        counters.countedAgain++;
        isCounted = true;
        return this.#stale(loaded.stale, { key, loader, call, options });
      },
    });
    return joined.then(undefined, (error: unknown) => {
      unanswered();
      throw error;
    });
  }

  /** The value of a call, from the tool. */
  renew<T>(key: string, loader: OwnLoader<T>, call: LoadCall): Promise<T> {
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
      looksBelow: false,
      own: (loaded) => loaded.value as T,
    });
  }

  #start<T>(request: LoadRequest<T>): Flight<Loaded> {
    return this.#core.loads.start(request.key, this.#state.name, (flight) => this.#run(request, flight));
  }

  /** What a caller gets whose load has ended with a stale value from below memory. */
  #stale<T>(
    found: Found,
    asked: { key: string; loader: OwnLoader<T>; call: LoadCall; options: ResolvedMethodOptions },
  ): T | Promise<T> {
    const taken = this.#stales.take(found, asked.options, 'revalidate');
    // It was good enough for who began the load, not for this caller: there is a renewal to join by now, or none.
    if (taken === undefined) return this.answer(asked.key, asked.loader, asked.call);
    this.#refreshInBackground(found.entry, 'stale', asked);
    return taken.value as T;
  }

  /** What a caller gets who joined a load. */
  #shared<T>(
    loaded: Loaded,
    { loader, call, unanswered }: { loader: OwnLoader<T>; call: LoadCall; unanswered: () => void },
  ): T | Promise<T> {
    if (loaded.share === undefined) {
      unanswered();
      return this.#alone(loader, call);
    }
    let value: unknown;
    try {
      value = loaded.share();
    } catch (error) {
      this.#core.failed(asCacheError(error, 'A shared value can not be read'), this.#state);
      unanswered();
      return this.#alone(loader, call, error);
    }
    this.#state.counters.saved(loaded.loadMs);
    return value as T;
  }

  #refreshAhead<T>(entry: MemoryEntry, loader: OwnLoader<T>, call: LoadCall): void {
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
    { loader, call, options }: { loader: OwnLoader<T>; call: LoadCall; options: ResolvedMethodOptions },
  ): void {
    const { refreshes, events } = this.#core;
    const { key } = entry;
    if (!refreshes.isDue(entry)) return;
    call.prepare?.(key);
    this.#state.counters.refreshes++;
    if (events.isHeard('refresh')) events.emit('refresh', { method: this.#state.name, key, reason });
    const flight = this.#start({ state: this.#state, key, loader, options, isRefresh: true });
    refreshes.watch(entry, flight, options);
  }

  /** One load: slower tiers, then the guards of the tool, then the tool. */
  async #run<T>(request: LoadRequest<T>, flight: Flight<Loaded>): Promise<Loaded> {
    const { tiers, loads } = this.#core;
    const { key } = request;
    if (request.isRefresh) this.#stales.note(flight, 'not searched');
    else {
      const found = tiers.hasSlow ? await this.#findBelow(request, flight) : undefined;
      if (found !== undefined) return found;
      if (!tiers.hasSlow) this.#lookups.missed(key);
      if (isUnknownKey(this.#core, request)) return nothingFound;
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
            this.#stales.forget(flight);
            loads.reinstate(flight);
          }
          return await callTool(this.#core, request, flight);
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
    let searched: Search;
    // Invalidated on its way here: callers who came after that may have joined this load.
    do searched = await tiers.search(key, this.#state);
    while (searched !== undefined && 'entry' in searched && tiers.tags.isInvalid(searched.entry));
    const found = searched;
    // An error is no miss: it was counted where it happened, and the tool runs.
    const isError = found !== undefined && 'error' in found;
    const freshness = isError || !found ? 'expired' : this.#lookups.freshness(found.entry, request.options);
    if (isError || found === undefined || freshness === 'expired' || freshness === 'stale-if-error-only') {
      this.#stales.note(flight, isError || found === undefined ? 'nothing there' : found);
      if (!isError) this.#lookups.missed(key);
      return undefined;
    }
    const { entry, tier } = found;
    const share = () => keeper.give(entry.kept);
    let value: unknown;
    try {
      value = share();
    } catch (error) {
      this.#core.failed(asCacheError(error, `The value of ${key} can't be read`), this.#state, key);
      this.#stales.note(flight, 'nothing there');
      return undefined;
    }
    tiers.tags.note(flight, entry);
    const loaded = { value, loadMs: entry.loadMs, share, isError: false };
    if (freshness !== 'fresh') return { ...loaded, stale: found };
    this.#lookups.countHit(entry, tier);
    return loaded;
  }
}

const nothingFound: Loaded = { value: undefined, loadMs: 0, share: () => undefined, isError: false };
