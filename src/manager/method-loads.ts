/** Loading one method's values: who starts a load, who joins it, who goes alone. */

import { InvalidArgumentError } from '../errors.js';
import type { Flight } from '../guard/single-flight.js';
import { type LoadOptions, type ResolvedMethodOptions, resolveMethodOptions } from '../options.js';
import { asCacheError, type CacheCore } from './core.js';
import { runLoad } from './load-pipeline.js';
import type { Loaded } from './loaded.js';
import type { Loader } from './loader.js';
import { type MethodLookups, unreadable } from './method-lookups.js';
import type { MethodState } from './method-state.js';

/** The options of one call, and what it has to do at once when a load starts for it: its loader may run later. */
export interface LoadCall extends LoadOptions {
  /** Never throws. */
  prepare?(key: string): void;
}

/** One method's loads. */
export class MethodLoads {
  readonly #core: CacheCore;
  readonly #state: MethodState;
  readonly #lookups: MethodLookups;

  constructor(core: CacheCore, state: MethodState, lookups: MethodLookups) {
    this.#core = core;
    this.#state = state;
    this.#lookups = lookups;
  }

  getOrSet<T>(params: unknown, loader: Loader<T>, options: LoadCall): Promise<T> {
    if (typeof loader !== 'function') return Promise.reject(notALoader(loader));
    if (this.#core.isClosed) return this.#runAlone(loader, options, 'closed');
    let key: string;
    try {
      key = this.#state.hash(params, options.scope ?? this.#state.options.scope);
    } catch (error) {
      return this.#runAlone(loader, options, 'unhashable params', error);
    }
    if (options.signal?.aborted) return Promise.reject(options.signal.reason);
    const entry = this.#core.tiers.get(key, this.#state);
    if (entry !== undefined) {
      const value = this.#lookups.give(entry);
      if (value !== unreadable) {
        if (this.#lookups.isFresh(entry)) {
          this.#lookups.countHit(entry, 'memory');
        } else {
          this.#lookups.countStaleHit(entry, 'memory');
          this.#refreshInBackground(key, loader, options);
        }
        return Promise.resolve(value as T);
      }
    }
    const flight = this.#core.loads.find(key);
    return flight === undefined
      ? this.#load(key, loader, options, false)
      : this.#join(flight, loader, options);
  }

  refresh<T>(params: unknown, loader: Loader<T>, options: LoadCall): Promise<T> {
    if (typeof loader !== 'function') return Promise.reject(notALoader(loader));
    if (this.#core.isClosed) return this.#runAlone(loader, options, 'closed');
    let key: string;
    try {
      key = this.#state.hash(params, options.scope ?? this.#state.options.scope);
    } catch (error) {
      return this.#runAlone(loader, options, 'unhashable params', error);
    }
    this.#core.loads.supersede(key);
    return this.#load(key, loader, options, true);
  }

  #load<T>(key: string, loader: Loader<T>, options: LoadCall, isRefresh: boolean): Promise<T> {
    let resolved: ResolvedMethodOptions;
    try {
      resolved = resolveMethodOptions(options, '', this.#state.options);
    } catch (error) {
      return Promise.reject(error);
    }
    options.prepare?.(key);
    const flight = this.#start(key, loader, resolved, isRefresh);
    return this.#core.loads.join(flight, options.signal).then((loaded) => loaded.value as T);
  }

  #start<T>(
    key: string,
    loader: Loader<T>,
    options: ResolvedMethodOptions,
    isRefresh: boolean,
  ): Flight<Loaded> {
    const request = { state: this.#state, key, loader, options, isRefresh };
    return this.#core.loads.start(key, this.#state.name, (flight) => runLoad(this.#core, request, flight));
  }

  #join<T>(flight: Flight<Loaded>, loader: Loader<T>, options: LoadCall): Promise<T> {
    const { name, counters } = this.#state;
    const { events } = this.#core;
    counters.coalesced++;
    if (events.isHeard('coalesced')) events.emit('coalesced', { method: name, key: flight.node.key });
    return this.#core.loads.join(flight, options.signal).then((loaded) => {
      if (loaded.share === undefined) return this.#runAlone(loader, options, 'unshareable value');
      let value: unknown;
      try {
        value = loaded.share();
      } catch (error) {
        this.#core.failed(asCacheError(error, 'A shared value can not be read'), this.#state);
        return this.#runAlone(loader, options, 'unshareable value', error);
      }
      counters.saved(loaded.loadMs);
      return value as T;
    });
  }

  /** Renews a stale value while its callers go on. One at a time: a load under way will do. */
  #refreshInBackground<T>(key: string, loader: Loader<T>, options: LoadCall): void {
    if (this.#core.loads.find(key) !== undefined) return;
    let resolved: ResolvedMethodOptions;
    try {
      resolved = resolveMethodOptions(options, '', this.#state.options);
    } catch (error) {
      this.#core.failed(asCacheError(error, `Refreshing \`${this.#state.name}\` failed`), this.#state, key);
      return;
    }
    options.prepare?.(key);
    // It waits for itself: no caller's abort ends it, and its failure was counted as a load error.
    this.#start(key, loader, resolved, true).waiters++;
  }

  /** Runs the tool without the cache, and counts it. */
  #runAlone<T>(loader: Loader<T>, options: LoadCall, reason: string, cause?: unknown): Promise<T> {
    this.#core.uncached(this.#state, reason, cause);
    return callAlone(this.#state.name, loader, options.signal);
  }
}

/** Calls a loader for one caller, whose abort ends the wait. */
function callAlone<T>(method: string, loader: Loader<T>, signal: AbortSignal | undefined): Promise<T> {
  const context = {
    key: '',
    method,
    signal: signal ?? new AbortController().signal,
    setTtl: () => undefined,
    skip: () => undefined,
  };
  const result = (async () => loader(context))();
  if (signal === undefined) return result;
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    const leave = () => signal.removeEventListener('abort', abort);
    result.then(resolve, reject).finally(leave);
  });
}

function notALoader(loader: unknown): InvalidArgumentError {
  return new InvalidArgumentError(
    `Expected the loader to be a function that calls the tool, got \`${typeof loader}\``,
  );
}
