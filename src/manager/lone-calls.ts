/** Calls that the cache has no part in: they have no key, or their answer is nobody else's. They obey what protects the tool. */

import { onAbort } from '../guard/shared-abort.js';
import { Flight } from '../guard/single-flight.js';
import { resolveCallOptions } from '../options.js';
import { CallerWaits } from './caller-waits.js';
import type { CacheCore } from './core.js';
import { isErrorResult } from './keeping.js';
import type { Loaded } from './loaded.js';
import { type LoadCall, LoadContext, type OwnLoader } from './loader.js';
import type { MethodLookups } from './method-lookups.js';
import type { MethodState } from './method-state.js';
import { StaleAnswers } from './stale-answers.js';
import { enterBreaker, enterLine } from './tool-entry.js';

/** Why a tool is called without the cache. */
export interface Uncached {
  readonly reason: string;
  readonly cause?: unknown;
}

/** One method's calls past the cache. */
export class LoneCalls {
  readonly #core: CacheCore;
  readonly #state: MethodState;
  readonly #waits: CallerWaits;

  constructor(core: CacheCore, state: MethodState, lookups: MethodLookups) {
    this.#core = core;
    this.#state = state;
    this.#waits = new CallerWaits(core, state, new StaleAnswers(core, state, lookups));
  }

  /** Calls the tool for one caller, counted: past the circuit breaker, in its turn, within its time. */
  run<T>(loader: OwnLoader<T>, call: LoadCall, { reason, cause }: Uncached): Promise<T> {
    const { signal } = call;
    if (signal?.aborted) return Promise.reject(signal.reason);
    this.#core.uncached(this.#state, reason, cause);
    const { name, breaker, limiter } = this.#state;
    const options = resolveCallOptions(call, this.#state.options);
    if (breaker === undefined && limiter === undefined && options.hardTimeout === undefined) {
      return callAtOnce(name, loader, signal);
    }
    const flight = new Flight<Loaded>('', name);
    flight.begin(
      () => this.#load(loader, flight),
      () => undefined,
    );
    const own = ({ value }: Loaded) => value as T;
    return this.#waits.for(flight, {
      ...{ key: '', options, signal, own },
      takesStale: false,
      looksBelow: false,
    });
  }

  async #load<T>(loader: OwnLoader<T>, flight: Flight<Loaded>): Promise<Loaded> {
    const turn = enterLine(this.#core, this.#state, flight);
    try {
      if (turn?.granted !== undefined) await turn.granted;
      flight.node.takeTurn();
      flight.throwIfAborted();
      return await this.#call(loader, flight);
    } finally {
      turn?.leave();
      flight.node.leaveTurn();
    }
  }

  async #call<T>(loader: OwnLoader<T>, flight: Flight<Loaded>): Promise<Loaded> {
    const passage = enterBreaker(this.#core, this.#state, flight);
    let value: T;
    try {
      value = await loader(new LoadContext(flight));
    } catch (error) {
      passage?.threw(error);
      throw error;
    }
    const place = { state: this.#state, key: '', options: this.#state.options };
    if (passage !== undefined && isErrorResult(this.#core, place, value) === true) passage.failed();
    else passage?.succeeded();
    return { value, loadMs: 0, share: undefined, isError: false };
  }
}

/** Calls a loader that nothing guards for one caller, whose abort ends the wait. */
function callAtOnce<T>(method: string, loader: OwnLoader<T>, signal: AbortSignal | undefined): Promise<T> {
  const context = {
    key: '',
    method,
    signal: signal ?? new AbortController().signal,
    setTtl: () => undefined,
    skip: () => undefined,
    withhold: () => undefined,
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
