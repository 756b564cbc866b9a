/** Loading one method's values, or running its tool without the cache where there can be no key. */

import { InvalidArgumentError } from '../errors.js';
import type { CacheCore } from './core.js';
import { LoadPipeline } from './load-pipeline.js';
import type { LoadCall, Loader } from './loader.js';
import type { MethodLookups } from './method-lookups.js';
import type { MethodState } from './method-state.js';

/** One method's loads. */
export class MethodLoads {
  readonly #core: CacheCore;
  readonly #state: MethodState;
  readonly #pipeline: LoadPipeline;

  constructor(core: CacheCore, state: MethodState, lookups: MethodLookups) {
    this.#core = core;
    this.#state = state;
    this.#pipeline = new LoadPipeline(core, state, lookups);
  }

  getOrSet<T>(params: unknown, loader: Loader<T>, options: LoadCall): Promise<T> {
    return this.#withKey(params, loader, options, (key) => {
      if (options.signal?.aborted) return Promise.reject(options.signal.reason);
      const alone = (cause?: unknown) => this.#runAlone(loader, options, 'unshareable value', cause);
      return this.#pipeline.answer(key, loader, options, alone);
    });
  }

  refresh<T>(params: unknown, loader: Loader<T>, options: LoadCall): Promise<T> {
    return this.#withKey(params, loader, options, (key) => this.#pipeline.renew(key, loader, options));
  }

  /** Loads under a key where one can be had; without the cache where not. */
  #withKey<T>(
    params: unknown,
    loader: Loader<T>,
    options: LoadCall,
    load: (key: string) => Promise<T>,
  ): Promise<T> {
    if (typeof loader !== 'function') return Promise.reject(notALoader(loader));
    if (this.#core.isClosed) return this.#runAlone(loader, options, 'closed');
    let key: string;
    try {
      key = this.#state.hash(params, options.scope ?? this.#state.options.scope);
    } catch (error) {
      return this.#runAlone(loader, options, 'unhashable params', error);
    }
    try {
      return load(key);
    } catch (error) {
      // A malformed option of this call.
      return Promise.reject(error);
    }
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
