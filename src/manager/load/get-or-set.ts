/**
 * What happens between a caller and the tool, in the order in which it happens.
 *
 * For each caller, `answer`: memory (fresh; stale while revalidate), a renewal ahead of expiry, a remembered error, the
 * load under way or a new one. While it waits, `load-wait.ts`: a value below memory, soft timeout, hard timeout, a
 * stale value in place of an error.
 *
 * For each load, `load-steps.ts`: slower tiers (fresh; stale while revalidate), known keys, circuit breaker, a lease, the tool.
 * Then `load.ts` and `store-result.ts`: errors among results, ttl, jitter, tags, all tiers.
 */

import { shouldRefreshEarly } from '../../guard/refresh-ahead.js';
import type { Flight } from '../../guard/single-flight.js';
import { needStackRoom } from '../../guard/stack-room.js';
import { enclosingLoad } from '../../guard/wait-graph.js';
import { resolveCallOptions } from '../../options.js';
import { asker } from '../../recorded-tools.js';
import type { MemoryEntry } from '../../store/memory-entry.js';
import { LargeValue } from '../../value/large-value.js';
import type { KnownCall } from '../../wrap/host.js';
import {
  reportEntry,
  reportHit,
  reportLoaded,
  reportOwn,
  reportRecorded,
  tellAsker,
} from '../answer-reports.js';
import { asCacheError, type CacheCore } from '../cache-context.js';
import { noOptions, ttlOptions } from '../call-checks.js';
import { absent, type MethodLookups, unreadable } from '../lookup.js';
import type { MethodState } from '../method-context.js';
import { prepareCopy, prepareFound } from '../private-copies.js';
import type { Found } from '../tiers/slow-reads.js';
import type { LoadRequest } from './load.js';
import { boundLoad, joinable, outlasts } from './load-bound.js';
import { LoadSteps } from './load-steps.js';
import { CallerWaits } from './load-wait.js';
import type { Asked, BypassCall, CallToLoad, Loaded } from './loader.js';
import { SlowAnswers } from './slow-answers.js';
import { StaleAnswers } from './stale-fallback.js';

/** The road from one method's callers to its tool. */
export class LoadPipeline {
  readonly #core: CacheCore;
  readonly #state: MethodState;
  readonly #lookups: MethodLookups;
  readonly #stales: StaleAnswers;
  readonly #steps: LoadSteps;
  readonly #waits: CallerWaits;
  readonly #bypass: BypassCall;

  /** @param alone calls a tool without the cache: for who joined a load whose value can't be shared */
  constructor(core: CacheCore, state: MethodState, lookups: MethodLookups, bypass: BypassCall) {
    this.#bypass = bypass;
    this.#core = core;
    this.#state = state;
    this.#lookups = lookups;
    this.#stales = new StaleAnswers(core, state, lookups);
    const answers = new SlowAnswers(core, state, lookups, this.#stales);
    this.#steps = new LoadSteps({ core, state, lookups, stales: this.#stales, answers });
    this.#waits = new CallerWaits(core, state, this.#stales);
  }

  /**
   * The value of a call, from where it is had soonest; what memory has is no promise.
   * @throws InvalidOptionError for a malformed option of the call
   */
  answer<T>(key: string, toLoad: CallToLoad<T>): T | Promise<T> {
    const { call } = toLoad;
    const entry = this.#core.tiers.get(key, this.#state);
    const value = this.#lookups.fresh(entry, ttlOptions(call, this.#state.options));
    if (value === absent) {
      const own = this.#state.options;
      const options = call === noOptions ? own : resolveCallOptions(call, own);
      const { signal, [asker]: by } = call;
      return this.#answerBeyond(entry, { key, options, signal, made: () => toLoad, by });
    }
    if (call[asker] !== undefined) tellAsker(this.#core, call[asker], { entry: entry!, tier: 'memory' });
    if (this.#core.observers !== undefined) reportHit(this.#core, this.#state, entry!, () => toLoad);
    this.#refreshAhead(entry!, toLoad);
    return value as T;
  }

  /** `answer` for a call that has no options but a signal, and is made where more is needed of it; what memory has is no promise. */
  answerKnown(known: KnownCall, loadOf: (known: KnownCall) => CallToLoad<unknown>): unknown {
    const { options } = this.#state;
    const entry = this.#core.tiers.get(known.key, this.#state, known.known);
    const value = this.#lookups.fresh(entry, options);
    if (value === absent) {
      const { key, signal } = known; // Its signal may have to be looked for: a hit needs none.
      return this.#answerBeyond(entry, { key, options, signal, made: () => loadOf(known) });
    }
    if (this.#core.observers !== undefined) reportHit(this.#core, this.#state, entry!, () => loadOf(known));
    if (options.refreshAhead !== 0) this.#refreshAhead(entry!, loadOf(known));
    return value;
  }

  /** The value of a call that has asked before: its deadline is not moved by asking again. */
  #answerAgain<T>(asked: Asked<T>): Promise<T> {
    const entry = this.#core.tiers.get(asked.key, this.#state);
    const value = this.#lookups.fresh(entry, asked.options);
    if (value === absent) return this.#answerBeyond(entry, asked);
    tellAsker(this.#core, asked.by, { entry: entry!, tier: 'memory' });
    return Promise.resolve(value as T);
  }

  /** The value of a call for which memory has a large one, decoded in slices. */
  async #answerLarge<T>(entry: MemoryEntry, stored: LargeValue, asked: Asked<T>): Promise<T> {
    const isStill = await prepareCopy(this.#core, { entry, stored, caller: asked.signal });
    // Written meanwhile: what is there now is decoded at once, so that nobody can keep it away by writing on and on.
    const held = isStill ? entry : this.#core.tiers.get(asked.key, this.#state);
    const value = this.#lookups.fresh(held, asked.options, true);
    if (value === absent) return this.#answerBeyond(held, asked, true);
    tellAsker(this.#core, asked.by, { entry: held!, tier: 'memory' });
    if (asked.options.refreshAhead !== 0) this.#refreshAhead(held!, asked.made());
    return value as T;
  }

  /** The value of a call that memory has no fresh value for, or one that is large and not decoded yet. */
  #answerBeyond<T>(
    entry: MemoryEntry | undefined,
    { key, options, signal, made, by, since }: Omit<Asked<T>, 'since'> & Partial<Pick<Asked<T>, 'since'>>,
    atOnce = false,
  ): Promise<T> {
    const { events, options: core } = this.#core;
    const { counters, name } = this.#state;
    const began = since ?? (options.hardTimeout === undefined ? undefined : core.clock.elapsed());
    const asked = { key, options, signal, made, by, since: began };
    const freshness = entry && this.#lookups.freshness(entry, options);
    const isAnswer = !atOnce && (freshness === 'fresh' || freshness === 'stale-while-revalidate');
    if (isAnswer && entry?.stored instanceof LargeValue) return this.#answerLarge(entry, entry.stored, asked);
    if (entry !== undefined && freshness === 'stale-while-revalidate') {
      const value = this.#lookups.decode(entry);
      if (value !== unreadable) {
        this.#lookups.countStaleHit(entry, 'memory', 'revalidate');
        if (this.#core.observers !== undefined)
          reportEntry(this.#core, this.#state, entry, { tier: 'memory', isStale: true, value });
        tellAsker(this.#core, by, { entry, tier: 'memory', isStale: true });
        this.#refreshInBackground(entry, 'stale', { ...made(), options });
        return Promise.resolve(value as T);
      }
    }
    const remembered = this.#state.errors.find(key, options);
    if (remembered !== undefined) {
      const { error } = remembered;
      counters.errorHits++;
      if (events.isHeard('errorHit')) events.emit('errorHit', { method: name, key, error });
      return this.#waits.insteadOf(error, { key, options, by });
    }
    const underWay = this.#core.loads.find(key);
    needStackRoom();
    const flight = underWay && joinable(this.#core, underWay, options);
    if (flight === undefined) {
      const { loader, call, origin } = made();
      call.prepare?.(key);
      const isExact = call[asker]?.isExact;
      const request = {
        state: this.#state,
        key,
        loader,
        options,
        origin: origin?.(),
        isRefresh: false,
        isExact,
      };
      const started = this.#start(request);
      return this.#waits.for(started, {
        key,
        options,
        signal,
        since,
        by,
        takesStale: true,
        searchesSlowTiers: false,
        own: (loaded) => {
          if (loaded.recorded !== undefined) by?.onRecorded?.(loaded.recorded);
          if (loaded.stale !== undefined) return this.#stale(loaded.stale, asked);
          if (loaded.found !== undefined) tellAsker(this.#core, by, loaded.found);
          if (this.#core.observers !== undefined) reportOwn(this.#core, this.#state, asked, loaded);
          return loaded.value as T;
        },
      });
    }
    // Who waits for what can't be shared waits twice. Within a load they join all the same: it may wait for itself.
    if (this.#state.storability.isUnstorable && enclosingLoad() === undefined) {
      return this.#bypass(asked, undefined);
    }
    let [isApproximate, isCounted] = [false, false];
    const count = () => {
      if (isApproximate) return void this.#lookups.missed(key);
      counters.coalesced++;
      if (events.isHeard('coalesced')) events.emit('coalesced', { method: name, key });
    };
    const failedJoins = () => {
      if (!isCounted) counters.failedJoins++;
      isCounted = true;
    };
    const isCountedLate = this.#core.replay?.mode === 'replay'; // Approximate answers, which are misses, are told then.
    if (!isCountedLate) count();
    // No `...` on this road: V8 makes such objects field by field.
    const answer = this.#waits.for(flight, {
      key,
      options,
      signal,
      since,
      by,
      takesStale: true,
      searchesSlowTiers: this.#stales.maySearchHelp(flight, options),
      own: (loaded) => {
        if (loaded.recorded !== undefined) by?.onRecorded?.(loaded.recorded);
        isApproximate = loaded.recorded?.approximate !== undefined;
        if (loaded.stale === undefined) return this.#shared(loaded, asked, failedJoins);
        counters.doubleCounted++;
        isCounted = true;
        return this.#stale(loaded.stale, asked);
      },
      failed: (error) => {
        if (
          flight.isLoneFailure(error) ||
          (flight.isExpiry(error) &&
            outlasts(options, flight, began === undefined ? 0 : core.clock.elapsed() - began))
        ) {
          counters.doubleCounted++;
          return this.#answerAgain(asked);
        }
        failedJoins();
        throw flight.ownError(error);
      },
    });
    if (isCountedLate) answer.then(count, count);
    return answer;
  }

  /** The value of a call, from the tool. */
  renew<T>(key: string, { loader, call, origin }: CallToLoad<T>): Promise<T> {
    const options = resolveCallOptions(call, this.#state.options);
    needStackRoom();
    this.#core.loads.supersede(key);
    this.#state.errors.forget(key);
    call.prepare?.(key);
    const request = { state: this.#state, key, loader, options, origin: origin?.(), isRefresh: true };
    const flight = this.#start(request);
    const { signal } = call;
    return this.#waits.for(flight, {
      key,
      options,
      signal,
      takesStale: false,
      searchesSlowTiers: false,
      own: (loaded) => {
        const made = () => ({ loader, call, origin });
        if (this.#core.observers !== undefined) reportOwn(this.#core, this.#state, { key, made }, loaded);
        return loaded.value as T;
      },
    });
  }

  #start<T>(request: LoadRequest<T>): Flight<Loaded> {
    const { loads, tiers, options } = this.#core;
    const { key } = request;
    const { hardTimeout } = request.options;
    const flight = loads.start(key, this.#state.name, (begun) => this.#steps.run(request, begun));
    flight.beganAt = options.clock.elapsed();
    if (hardTimeout === undefined) return flight;
    const onExpired = () => {
      if (this.#stales.isSearching(flight)) tiers.reads.giveUp(key);
    };
    boundLoad(this.#core, flight, { hardTimeout, onExpired });
    return flight;
  }

  /** What a caller gets whose load has ended with a stale value from below memory. */
  #stale<T>(found: Found, asked: Asked<T>): T | Promise<T> {
    const take = (isStill = true) => {
      const taken = isStill ? this.#stales.take(found, asked.options, 'revalidate') : undefined;
      // It was good enough for who began the load, not for this caller: there is a renewal to join by now, or none.
      if (taken === undefined) return this.#answerAgain(asked);
      this.#refreshInBackground(found.entry, 'stale', { ...asked.made(), options: asked.options });
      tellAsker(this.#core, asked.by, taken);
      return taken.value as T;
    };
    return prepareFound(this.#core, found, asked)?.then(take) ?? take();
  }

  /** What a caller gets who joined a load. */
  #shared<T>(loaded: Loaded, asked: Asked<T>, failedJoins: () => void): T | Promise<T> {
    const { shared, loadMs } = loaded;
    if (shared === undefined) {
      failedJoins();
      return this.#bypass(asked, undefined);
    }
    const { stored } = shared;
    const take = () => {
      let value: unknown;
      try {
        value = this.#core.keeper.decode(stored);
      } catch (error) {
        this.#core.failed(asCacheError(error, 'A shared value can not be read'), this.#state);
        failedJoins();
        return this.#bypass<T>(asked, error);
      }
      if (loaded.recorded?.approximate === undefined) this.#state.counters.saved(loadMs);
      if (this.#core.observers !== undefined) {
        const { recorded, found } = loaded;
        const createdAt = found?.entry.createdAt;
        if (recorded !== undefined)
          reportRecorded(this.#core, this.#state, asked.key, { value, answer: recorded });
        else reportLoaded(this.#core, this.#state, { key: asked.key, source: 'coalesced', value, createdAt });
      }
      return value as T;
    };
    return stored instanceof LargeValue ? stored.prepare(asked.signal).then(take) : take();
  }

  #refreshAhead<T>(entry: MemoryEntry, asked: CallToLoad<T>): void {
    const { call } = asked;
    const own = this.#state.options;
    const beta =
      call.refreshAhead === undefined ? own.refreshAhead : resolveCallOptions(call, own).refreshAhead;
    if (beta === 0) return;
    const expiresAt = this.#state.staleAt(entry);
    if (expiresAt === null) return;
    const { clock, random } = this.#core.options;
    const { loadMs } = entry;
    if (!shouldRefreshEarly({ now: clock.now(), expiresAt, loadMs, beta, random })) return;
    this.#refreshInBackground(entry, 'ahead', { ...asked, options: resolveCallOptions(call, own) });
  }

  /** Renews a value while its callers go on with the one there is. */
  #refreshInBackground<T>(
    entry: MemoryEntry,
    reason: 'stale' | 'ahead',
    { loader, call, origin, options }: CallToLoad<T> & Pick<Asked<T>, 'options'>,
  ): void {
    const { refreshes, events } = this.#core;
    const { key } = entry;
    if (!refreshes.isDue(entry)) return;
    needStackRoom();
    call.prepare?.(key);
    this.#state.counters.refreshes++;
    if (events.isHeard('refresh')) events.emit('refresh', { method: this.#state.name, key, reason });
    const renewal = { isRefresh: true, renews: entry };
    const request = { state: this.#state, key, loader, options, origin: origin?.(), ...renewal };
    const flight = this.#start(request);
    refreshes.watch(entry, flight, options);
  }
}
