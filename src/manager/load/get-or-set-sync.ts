/** Loading one method's values with loaders that return at once, from memory alone. */

import type { Watch } from '../../guard/keyed-work.js';
import type { AbortSource } from '../../guard/shared-abort.js';
import type { LoadOptions } from '../../options.js';
import type { KnownCall } from '../../wrap/host.js';
import { reportLoaded } from '../answer-reports.js';
import type { CacheCore } from '../cache-context.js';
import { absent, type MethodLookups } from '../lookup.js';
import type { MethodState } from '../method-context.js';
import type { Uncached } from './bypass.js';
import {
  bypassReturned,
  enterBreakerSync,
  isUnknownKey,
  loadFailed,
  loadReturned,
  type ToolAttempt,
} from './load.js';
import type { LoaderContext } from './loader.js';
import { StaleAnswers } from './stale-fallback.js';
import { type AnswerPlace, type KeyedCall, storedOrigin, storeResult } from './store-result.js';

/** A load that returns at once, and the options of the call that wants it. */
export interface SyncLoad<T> extends Pick<LoadOptions, 'scope'> {
  readonly signal?: AbortSource | undefined;
  /** The tool is about to be called for this key. Never throws. */
  prepare(key: string): void;
  runAtOnce(context: Pick<LoaderContext, 'withhold'>): T;
}

/** What a tool said. */
interface Said<T> {
  readonly value: T;
  readonly isError: boolean;
}

/**
 * One method's synchronous loads. There is nobody to share them with: they end before anybody else runs. For the same
 * reason nothing can time them, make them wait, or renew them while a caller goes on.
 */
export class SyncLoads {
  readonly #core: CacheCore;
  readonly #state: MethodState;
  readonly #lookups: MethodLookups;
  readonly #stales: StaleAnswers;

  constructor(core: CacheCore, state: MethodState, lookups: MethodLookups) {
    this.#core = core;
    this.#state = state;
    this.#lookups = lookups;
    this.#stales = new StaleAnswers(core, state, lookups);
  }

  getOrSet<T>(params: unknown, load: SyncLoad<T>): T {
    load.signal?.throwIfAborted();
    const key = this.#keyOf(params, load);
    if (typeof key !== 'string') return this.bypass(load, key);
    return this.answer({ key, known: undefined, params, scope: load.scope }, () => load);
  }

  /** The value of a call, which is made where more is needed of it than its key. */
  answer<T>(call: Omit<KnownCall, 'signal' | 'toolCall'>, toolCall: () => SyncLoad<T>): T {
    const { key, known, params, scope } = call;
    const { tiers, events } = this.#core;
    const { counters, name } = this.#state;
    const fresh = this.#lookups.fresh(tiers.get(key, this.#state, known), this.#state.options, true);
    if (fresh !== absent) return fresh as T;
    const remembered = this.#state.errors.find(key, this.#state.options);
    if (remembered !== undefined) {
      const { error } = remembered;
      counters.errorHits++;
      if (events.isHeard('errorHit')) events.emit('errorHit', { method: name, key, error });
      return this.#staleOr(key, () => {
        throw error;
      });
    }
    this.#lookups.missed(key);
    const place = this.#place(key, { params, scope, key });
    if (isUnknownKey(this.#core, place)) return undefined as T;
    let said: Said<T>;
    try {
      said = this.#load(place, toolCall());
    } catch (error) {
      return this.#staleOr(key, () => {
        throw error;
      });
    }
    const { value } = said;
    if (this.#core.observers !== undefined)
      reportLoaded(this.#core, this.#state, { key, source: 'tool', value });
    return said.isError ? this.#staleOr(key, () => value) : value;
  }

  refresh<T>(params: unknown, load: SyncLoad<T>): T {
    load.signal?.throwIfAborted();
    const key = this.#keyOf(params, load);
    if (typeof key !== 'string') return this.bypass(load, key);
    this.#core.loads.supersede(key);
    this.#state.errors.forget(key);
    const { value } = this.#load(this.#place(key, { params, scope: load.scope, key }), load);
    if (this.#core.observers !== undefined)
      reportLoaded(this.#core, this.#state, { key, source: 'tool', value });
    return value;
  }

  /** Calls the tool without the cache, counted. The circuit breaker protects it all the same. */
  bypass<T>(load: SyncLoad<T>, { reason, cause }: Uncached): T {
    load.signal?.throwIfAborted();
    this.#core.uncached(this.#state, reason, cause);
    const attempt = enterBreakerSync(this.#core, this.#state, '');
    let value: T;
    try {
      value = load.runAtOnce({ withhold: () => undefined });
    } catch (error) {
      attempt?.threw(error);
      throw error;
    }
    bypassReturned(this.#core, this.#place(''), { value, attempt });
    if (this.#core.observers !== undefined)
      reportLoaded(this.#core, this.#state, { key: undefined, source: 'uncached', value });
    return value;
  }

  /** The call's key, or why the tool has to run without the cache. */
  #keyOf(params: unknown, { scope }: SyncLoad<unknown>): string | Uncached {
    if (this.#core.isClosed) return { reason: 'closed' };
    if (this.#core.distrusted?.has(this.#state.name)) return { reason: 'demoted' };
    try {
      return this.#state.key(params, scope);
    } catch (cause) {
      return { reason: 'unhashable params', cause };
    }
  }

  /** The stale value, where there is one that may stand in for an error. */
  #staleOr<T>(key: string, otherwise: () => T): T {
    const { options } = this.#state;
    if (options.staleIfError === 0) return otherwise();
    const stale = this.#stales.inPlaceOf({ key, flight: undefined, isOvertaken: false }, options, 'error');
    return stale === undefined ? otherwise() : (stale.value as T);
  }

  #place(key: string, call?: KeyedCall): AnswerPlace {
    const origin = call && storedOrigin(this.#core, this.#state, call);
    return { state: this.#state, key, options: this.#state.options, origin };
  }

  /** Calls the tool, unless the circuit is open, and keeps what it said. @throws CircuitOpenError, `ERR_NOT_RECORDED` */
  #load<T>(place: AnswerPlace, load: SyncLoad<T>): Said<T> {
    this.#core.recorded?.past(this.#state.name, 'it returns at once, and a recording is read in time');
    const attempt = enterBreakerSync(this.#core, this.#state, place.key);
    load.prepare(place.key);
    return this.#core.loads.runAtOnce(place.key, this.#state.name, (watch) =>
      this.#call(place, load, attempt, watch),
    );
  }

  #call<T>(place: AnswerPlace, load: SyncLoad<T>, attempt: ToolAttempt | undefined, watch: Watch): Said<T> {
    const { tiers, options } = this.#core;
    const { clock } = options;
    const began = tiers.begin(place.key);
    const started = clock.elapsed();
    let isWithheld = false;
    let value: T;
    try {
      value = load.runAtOnce({
        withhold: () => {
          isWithheld = true;
        },
      });
    } catch (error) {
      const { tags } = place.options;
      const tagged = { tags: typeof tags === 'function' ? undefined : tags, stamp: began };
      const isWanted = () => !watch.superseded && !isWithheld && !this.#core.isClosed;
      loadFailed(this.#core, place, { error, attempt, tagged, knownAt: started, isWanted });
      tiers.sharedMemory?.end(place.key, began);
      throw error;
    }
    const loadMs = clock.elapsed() - started;
    const isError = loadReturned(this.#core, place, { value, attempt, loadMs });
    const isStored = isError === false && !isWithheld && !watch.superseded && !this.#core.isClosed;
    // A promise is no value that could be stored: it is refused, counted, and handed on.
    if (isStored) storeResult(this.#core, place, { value, loadMs, ttl: undefined, isStored, began });
    tiers.sharedMemory?.end(place.key, began);
    return { value, isError: isError === true };
  }
}
