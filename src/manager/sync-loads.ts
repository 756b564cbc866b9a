/** Loading one method's values with loaders that return at once, from memory alone. */

import type { Watch } from '../guard/single-flight.js';
import type { LoadOptions } from '../options.js';
import type { CacheCore } from './core.js';
import { type AnswerPlace, isErrorResult, keepAnswer, rememberError } from './keeping.js';
import type { Withholding } from './loader.js';
import type { Uncached } from './lone-calls.js';
import { type MethodLookups, unreadable } from './method-lookups.js';
import type { MethodState } from './method-state.js';
import { StaleAnswers } from './stale-answers.js';
import { enterBreakerAtOnce, type ToolPassage } from './tool-entry.js';
import { isUnknownKey } from './unknown-keys.js';

/** A load that returns at once, and the options of the call that wants it. */
export interface SyncLoad<T> extends Pick<LoadOptions, 'scope' | 'signal'> {
  /** The tool is about to be called for this key. Never throws. */
  prepare(key: string): void;
  runAtOnce(context: Withholding): T;
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
    const { tiers, events } = this.#core;
    const { counters, name } = this.#state;
    load.signal?.throwIfAborted();
    const key = this.#keyOf(params, load);
    if (typeof key !== 'string') return this.alone(load, key);
    const entry = tiers.get(key, this.#state);
    if (entry !== undefined && this.#lookups.isFresh(entry)) {
      const value = this.#lookups.give(entry);
      if (value !== unreadable) {
        this.#lookups.countHit(entry, 'memory');
        return value as T;
      }
    }
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
    const place = this.#place(key);
    if (isUnknownKey(this.#core, place)) return undefined as T;
    let said: Said<T>;
    try {
      said = this.#load(place, load);
    } catch (error) {
      return this.#staleOr(key, () => {
        throw error;
      });
    }
    const { value } = said;
    return said.isError ? this.#staleOr(key, () => value) : value;
  }

  refresh<T>(params: unknown, load: SyncLoad<T>): T {
    load.signal?.throwIfAborted();
    const key = this.#keyOf(params, load);
    if (typeof key !== 'string') return this.alone(load, key);
    this.#core.loads.supersede(key);
    this.#state.errors.forget(key);
    return this.#load(this.#place(key), load).value;
  }

  /** Calls the tool without the cache, counted. The circuit breaker protects it all the same. */
  alone<T>(load: SyncLoad<T>, { reason, cause }: Uncached): T {
    load.signal?.throwIfAborted();
    this.#core.uncached(this.#state, reason, cause);
    const passage = enterBreakerAtOnce(this.#core, this.#state, '');
    let value: T;
    try {
      value = load.runAtOnce({ withhold: () => undefined });
    } catch (error) {
      passage?.threw(error);
      throw error;
    }
    if (passage !== undefined && isErrorResult(this.#core, this.#place(''), value) === true) passage.failed();
    else passage?.succeeded();
    return value;
  }

  /** The call's key, or why the tool has to run without the cache. */
  #keyOf(params: unknown, { scope }: SyncLoad<unknown>): string | Uncached {
    if (this.#core.isClosed) return { reason: 'closed' };
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

  #place(key: string): AnswerPlace {
    return { state: this.#state, key, options: this.#state.options };
  }

  /** Calls the tool, unless the circuit is open, and keeps what it said. @throws CircuitOpenError */
  #load<T>(place: AnswerPlace, load: SyncLoad<T>): Said<T> {
    const passage = enterBreakerAtOnce(this.#core, this.#state, place.key);
    load.prepare(place.key);
    return this.#core.loads.runAtOnce(place.key, this.#state.name, (watch) =>
      this.#call(place, load, passage, watch),
    );
  }

  #call<T>(place: AnswerPlace, load: SyncLoad<T>, passage: ToolPassage | undefined, watch: Watch): Said<T> {
    const { tiers, options } = this.#core;
    const { clock } = options;
    const began = tiers.begin();
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
      passage?.threw(error);
      this.#countError(place.key, error);
      const { tags } = place.options;
      const tagged = { tags: typeof tags === 'function' ? undefined : tags, stamp: began };
      const isWanted = () => !watch.superseded && !isWithheld && !this.#core.isClosed;
      rememberError(this.#core, place, { error, tagged, isWanted });
      throw error;
    }
    const loadMs = clock.elapsed() - started;
    const isError = isErrorResult(this.#core, place, value);
    if (isError === true) {
      passage?.failed();
      this.#countError(place.key, value);
      return { value, isError };
    }
    passage?.succeeded();
    this.#countLoad(place.key, loadMs);
    const isStored = isError === false && !isWithheld && !watch.superseded && !this.#core.isClosed;
    // A promise is no value that could be stored: it is refused, counted, and handed on.
    if (isStored) keepAnswer(this.#core, place, { value, loadMs, ttl: undefined, isStored, began });
    return { value, isError: false };
  }

  #countLoad(key: string, loadMs: number): void {
    const { counters, name } = this.#state;
    counters.loads++;
    counters.loadTimes.record(loadMs);
    if (this.#core.events.isHeard('load')) this.#core.events.emit('load', { method: name, key, loadMs });
  }

  #countError(key: string, error: unknown): void {
    this.#state.counters.loadErrors++;
    if (this.#core.events.isHeard('loadError')) {
      this.#core.events.emit('loadError', { method: this.#state.name, key, error });
    }
  }
}
