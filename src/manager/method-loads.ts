/** Loading one method's values, or running its tool without the cache where there can be no key. */

import { InvalidArgumentError, InvalidOptionError } from '../errors.js';
import type { CacheCore } from './core.js';
import { LoadPipeline } from './load-pipeline.js';
import type { LoadCall, OwnLoader } from './loader.js';
import { LoneCalls, type Uncached } from './lone-calls.js';
import type { MethodLookups } from './method-lookups.js';
import type { MethodState } from './method-state.js';

/** One method's loads. */
export class MethodLoads {
  readonly #core: CacheCore;
  readonly #state: MethodState;
  readonly #pipeline: LoadPipeline;
  readonly #alone: LoneCalls;

  constructor(core: CacheCore, state: MethodState, lookups: MethodLookups) {
    this.#core = core;
    this.#state = state;
    this.#alone = new LoneCalls(core, state, lookups);
    this.#pipeline = new LoadPipeline(core, state, lookups, (loader, call, cause) =>
      this.#alone.run(loader, call, { reason: 'unshareable value', cause }),
    );
  }

  getOrSet<T>(params: unknown, loader: OwnLoader<T>, options: LoadCall): Promise<T> {
    const key = this.#keyOf(params, loader, options);
    if (typeof key !== 'string') return key;
    try {
      return this.#pipeline.answer(key, loader, options);
    } catch (error) {
      // A malformed option of this call.
      return Promise.reject(error);
    }
  }

  refresh<T>(params: unknown, loader: OwnLoader<T>, options: LoadCall): Promise<T> {
    const key = this.#keyOf(params, loader, options);
    if (typeof key !== 'string') return key;
    try {
      return this.#pipeline.renew(key, loader, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Runs the tool without the cache, and counts it. What protects the tool still does. */
  alone<T>(loader: OwnLoader<T>, options: LoadCall, uncached: Uncached): Promise<T> {
    return this.#alone.run(loader, options, uncached);
  }

  /** The call's key, or what becomes of a call that can have none. */
  #keyOf<T>(params: unknown, loader: OwnLoader<T>, options: LoadCall): string | Promise<T> {
    if (typeof loader !== 'function') return Promise.reject(notALoader(loader));
    if (options.signal?.aborted) return Promise.reject(options.signal.reason);
    if (this.#core.isClosed) return this.alone(loader, options, { reason: 'closed' });
    try {
      return this.#state.key(params, options.scope);
    } catch (error) {
      if (error instanceof InvalidOptionError) return Promise.reject(error);
      return this.alone(loader, options, { reason: 'unhashable params', cause: error });
    }
  }
}

function notALoader(loader: unknown): InvalidArgumentError {
  return new InvalidArgumentError(
    `Expected the loader to be a function that calls the tool, got \`${typeof loader}\``,
  );
}
