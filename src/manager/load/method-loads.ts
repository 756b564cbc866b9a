/** Loading one method's values, or running its tool without the cache where there can be no key. */

import { InvalidArgumentError, InvalidOptionError } from '../../errors.js';
import { warnOfIdleSoftTimeout } from '../../guard/idle-options.js';
import type { KeyOrigin } from '../../key/key-origin.js';
import { shown } from '../../option-checks.js';
import { asker, type CallOptions } from '../../recorded-tools.js';
import type { KnownCall } from '../../wrap/host.js';
import type { CacheCore } from '../cache-context.js';
import type { MethodLookups } from '../lookup.js';
import type { MethodState } from '../method-context.js';
import { BypassedCalls, type Uncached } from './bypass.js';
import { LoadPipeline } from './get-or-set.js';
import type { CallToLoad, LoadCall, Loader } from './loader.js';
import { storedOrigin } from './store-result.js';

/** One method's loads. */
export class MethodLoads {
  readonly #core: CacheCore;
  readonly #state: MethodState;
  readonly #pipeline: LoadPipeline;
  readonly #bypass: BypassedCalls;

  constructor(core: CacheCore, state: MethodState, lookups: MethodLookups) {
    this.#core = core;
    this.#state = state;
    warnOfIdleSoftTimeout(core, state.name, state.options);
    this.#bypass = new BypassedCalls(core, state, lookups);
    this.#pipeline = new LoadPipeline(core, state, lookups, ({ made, since }, cause) => {
      const { loader, call } = made();
      return this.#bypass.run(loader, call, { reason: 'unshareable value', cause, since });
    });
  }

  /** The value of a call: a promise unless memory has it. */
  getOrSet<T>(params: unknown, loader: Loader<T>, options: LoadCall): T | Promise<T> {
    const key = this.#keyOf(params, loader, options);
    if (typeof key !== 'string') return key;
    try {
      return this.#pipeline.answer(key, {
        loader,
        call: options,
        origin: this.#state.unkept && this.#originOf(params, options, key),
      });
    } catch (error) {
      // A malformed option of this call.
      return Promise.reject(error);
    }
  }

  /** `getOrSet` of a call whose key is known, and that has no options but a signal: a promise unless memory has its value. */
  answer(known: KnownCall): unknown {
    try {
      return this.#pipeline.answerKnown(known, this.#loadOf);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  readonly #loadOf = (known: KnownCall): CallToLoad<unknown> => {
    const call = known.toolCall();
    return {
      loader: call.run.bind(call),
      call,
      origin: this.#state.unkept && this.#originOf(known.params, { scope: known.scope }, known.key),
    };
  };

  refresh<T>(params: unknown, loader: Loader<T>, options: LoadCall): Promise<T> {
    const key = this.#keyOf(params, loader, options);
    if (typeof key !== 'string') return key;
    try {
      return this.#pipeline.renew(key, {
        loader,
        call: options,
        origin: this.#state.unkept && this.#originOf(params, options, key),
      });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Runs the tool without the cache, and counts it. What protects the tool still does. */
  bypass<T>(loader: Loader<T>, options: LoadCall, uncached: Uncached): Promise<T> {
    return this.#bypass.run(loader, options, uncached);
  }

  /** How to take down what the key was made from, once a load starts. */
  #originOf(
    params: unknown,
    call: { readonly scope?: string | undefined } & CallOptions,
    key: string,
  ): () => KeyOrigin | undefined {
    const { scope, [asker]: by } = call;
    return () => storedOrigin(this.#core, this.#state, { params, scope, key, asker: by });
  }

  /** The call's key, or what becomes of a call that can have none. */
  #keyOf<T>(params: unknown, loader: Loader<T>, options: LoadCall): string | Promise<T> {
    if (typeof loader !== 'function') return Promise.reject(notALoader(loader));
    if (options.signal?.aborted) return Promise.reject(options.signal.reason);
    if (this.#core.isClosed) return this.bypass(loader, options, { reason: 'closed' });
    if (this.#core.distrusted?.has(this.#state.name))
      return this.bypass(loader, options, { reason: 'demoted' });
    try {
      return this.#state.key(params, options.scope);
    } catch (error) {
      if (error instanceof InvalidOptionError) return Promise.reject(error);
      return this.bypass(loader, options, { reason: 'unhashable params', cause: error });
    }
  }
}

function notALoader(loader: unknown): InvalidArgumentError {
  return new InvalidArgumentError(
    `Expected the loader to be a function, as \`() => callTool(params)\` after the params, got ${shown(loader)}`,
  );
}
