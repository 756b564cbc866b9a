/** Calls that the cache has no part in: they have no key, or their answer is nobody else's. They obey what protects the tool. */

import { type AbortSource, AnySignal, onAbort } from '../../guard/shared-abort.js';
import { Flight } from '../../guard/single-flight.js';
import { needStackRoom } from '../../guard/stack-room.js';
import { resolveCallOptions } from '../../options.js';
import { reportLoaded } from '../answer-reports.js';
import type { CacheCore } from '../cache-context.js';
import type { MethodLookups } from '../lookup.js';
import type { MethodState } from '../method-context.js';
import { bypassReturned, enterBreaker, enterQueue } from './load.js';
import { boundLoad } from './load-bound.js';
import { CallerWaits } from './load-wait.js';
import { type LoadCall, LoadContext, type Loaded, type Loader } from './loader.js';
import { StaleAnswers } from './stale-fallback.js';

/** Why a tool is called without the cache. */
export interface Uncached {
  readonly reason: string;
  readonly cause?: unknown;
  /** When the call was made, by `Clock.elapsed()`, if not now. */
  readonly since?: number | undefined;
}

/** One method's calls past the cache. */
export class BypassedCalls {
  readonly #core: CacheCore;
  readonly #state: MethodState;
  readonly #waits: CallerWaits;

  constructor(core: CacheCore, state: MethodState, lookups: MethodLookups) {
    this.#core = core;
    this.#state = state;
    this.#waits = new CallerWaits(core, state, new StaleAnswers(core, state, lookups));
  }

  /**
   * Calls the tool for one caller, counted: past the circuit breaker, in its turn, within its time. Rejects with
   * `ERR_NOT_RECORDED` where no tool may run.
   */
  run<T>(loader: Loader<T>, call: LoadCall, uncached: Uncached): Promise<T> {
    const result = this.#run(loader, call, uncached);
    if (this.#core.observers === undefined) return result;
    return result.then((value) => {
      reportLoaded(this.#core, this.#state, { key: undefined, source: 'uncached', value });
      return value;
    });
  }

  #run<T>(loader: Loader<T>, call: LoadCall, { reason, cause, since }: Uncached): Promise<T> {
    const { signal } = call;
    if (signal?.aborted) return Promise.reject(signal.reason);
    try {
      this.#core.uncached(this.#state, reason, cause);
    } catch (error) {
      return Promise.reject(error);
    }
    const { name, breaker, limiter } = this.#state;
    const options = resolveCallOptions(call, this.#state.options);
    if (breaker === undefined && limiter === undefined && options.hardTimeout === undefined) {
      return callAtOnce(name, loader, signal);
    }
    needStackRoom();
    const flight = new Flight<Loaded>('', name);
    flight.begin(() => this.#load(loader, flight));
    const { hardTimeout } = options;
    if (hardTimeout !== undefined) boundLoad(this.#core, flight, { hardTimeout });
    const own = ({ value }: Loaded) => value as T;
    return this.#waits.for(flight, {
      ...{ key: '', options, signal, own, since },
      takesStale: false,
      searchesSlowTiers: false,
    });
  }

  async #load<T>(loader: Loader<T>, flight: Flight<Loaded>): Promise<Loaded> {
    const { limiter } = this.#state;
    const permit = limiter && enterQueue(this.#core, this.#state, { limiter, flight });
    try {
      if (permit?.granted !== undefined) await permit.granted;
      flight.node.holdPermit();
      flight.throwIfAborted();
      return await this.#call(loader, flight);
    } finally {
      permit?.leave();
      flight.node.releasePermit();
    }
  }

  async #call<T>(loader: Loader<T>, flight: Flight<Loaded>): Promise<Loaded> {
    const { breaker } = this.#state;
    const attempt = breaker && enterBreaker(this.#core, this.#state, { breaker, flight });
    let value: T;
    try {
      value = await loader(new LoadContext(flight, { ttl: undefined, isSkipped: false, isWithheld: false }));
    } catch (error) {
      attempt?.threw(error);
      throw error;
    }
    const place = { state: this.#state, key: '', options: this.#state.options };
    bypassReturned(this.#core, place, { value, attempt });
    return { value, loadMs: 0, shared: undefined, isError: false };
  }
}

/** Calls a loader that nothing guards for one caller, whose abort ends the wait. */
function callAtOnce<T>(method: string, loader: Loader<T>, signal: AbortSource | undefined): Promise<T> {
  const controller = signal === undefined || signal instanceof AnySignal ? new AbortController() : undefined;
  const context = {
    key: '',
    method,
    signal: controller?.signal ?? (signal as AbortSignal),
    setTtl: () => undefined,
    skip: () => undefined,
    withhold: () => undefined,
  };
  const result = (async () => loader(context))();
  if (signal === undefined) return result;
  return new Promise<T>((resolve, reject) => {
    const abort = () => {
      controller?.abort(signal.reason);
      reject(signal.reason);
    };
    // The loader may have aborted it.
    if (signal.aborted) abort();
    const leave = onAbort(signal, abort);
    result.then(resolve, reject).finally(leave);
  });
}
