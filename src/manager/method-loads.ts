/** Loading one method's values, or running its tool without the cache where there can be no key. */

import { InvalidArgumentError, InvalidOptionError } from '../errors.js';
import { onAbort } from '../guard/shared-abort.js';
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
    this.#pipeline = new LoadPipeline(core, state, lookups, (loader, call, cause) =>
      this.#runAlone(loader, call, 'unshareable value', cause),
    );
  }

  getOrSet<T>(params: unknown, loader: Loader<T>, options: LoadCall): Promise<T> {
    const key = this.#keyOf(params, loader, options);
    if (typeof key !== 'string') return key;
    try {
      return this.#pipeline.answer(key, loader, options);
    } catch (error) {
      // A malformed option of this call.
      return Promise.reject(error);
    }
  }

  refresh<T>(params: unknown, loader: Loader<T>, options: LoadCall): Promise<T> {
    const key = this.#keyOf(params, loader, options);
    if (typeof key !== 'string') return key;
    try {
      return this.#pipeline.renew(key, loader, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The call's key, or what becomes of a call that can have none. */
  #keyOf<T>(params: unknown, loader: Loader<T>, options: LoadCall): string | Promise<T> {
    if (typeof loader !== 'function') return Promise.reject(notALoader(loader));
    if (options.signal?.aborted) return Promise.reject(options.signal.reason);
    if (this.#core.isClosed) return this.#runAlone(loader, options, 'closed');
    try {
      return this.#state.key(params, options.scope);
    } catch (error) {
      if (error instanceof InvalidOptionError) return Promise.reject(error);
      return this.#runAlone(loader, options, 'unhashable params', error);
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
    // The loader may have aborted it.
    if (signal.aborted) abort();
    const leave = onAbort(signal, abort);
    result.then(resolve, reject).finally(leave);
  });
}

function notALoader(loader: unknown): InvalidArgumentError {
  return new InvalidArgumentError(
    `Expected the loader to be a function that calls the tool, got \`${typeof loader}\``,
  );
}
