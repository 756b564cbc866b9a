/** Waiting for a load on behalf of one caller, who may lose patience or be content with a stale value. */

import { ReentrantLoadError } from '../errors.js';
import { withDeadline } from '../guard/deadline.js';
import type { Flight } from '../guard/single-flight.js';
import type { ResolvedMethodOptions } from '../options.js';
import { timeoutError } from './background-refreshes.js';
import type { CacheCore } from './core.js';
import type { Loaded } from './loaded.js';
import { type MethodLookups, unreadable } from './method-lookups.js';
import type { MethodState } from './method-state.js';
import { Patience } from './patience.js';

/** One caller. */
export interface Caller<T> {
  readonly key: string;
  readonly options: ResolvedMethodOptions;
  readonly signal: AbortSignal | undefined;
  /** Whether a stale value may stand in for the load. */
  readonly takesStale: boolean;
  /** What the load's outcome is for this caller. */
  own(loaded: Loaded): T | PromiseLike<T>;
}

/** One method's waiting callers. */
export class CallerWaits {
  readonly #core: CacheCore;
  readonly #state: MethodState;
  readonly #lookups: MethodLookups;

  constructor(core: CacheCore, state: MethodState, lookups: MethodLookups) {
    this.#core = core;
    this.#state = state;
    this.#lookups = lookups;
  }

  /** The outcome of a load for one caller. */
  for<T>(flight: Flight<Loaded>, caller: Caller<T>): Promise<T> {
    const { loads } = this.#core;
    const { clock } = this.#core.options;
    const { key, options, signal } = caller;
    const { hardTimeout } = options;
    const softTimeout = caller.takesStale ? options.softTimeout : undefined;
    if (hardTimeout === undefined && softTimeout === undefined) {
      return this.#orStale(loads.join(flight, signal), caller);
    }
    const patience = new Patience(signal);
    let joined = loads.join(flight, patience.signal);
    if (hardTimeout !== undefined) {
      const onTimeout = () => {
        const error = timeoutError(flight, hardTimeout);
        if (!patience.isAnswered) this.#countTimeout(key, hardTimeout);
        patience.giveUp(error);
        throw error;
      };
      joined = withDeadline(joined, { ms: hardTimeout, clock, onTimeout });
    }
    let answer = this.#orStale(joined, caller);
    if (softTimeout !== undefined) {
      const inTime = answer;
      const onTimeout = () => {
        const stale = this.#stale(key, options, 'timeout');
        if (stale === undefined) return inTime;
        patience.answered();
        return stale.value as T;
      };
      answer = withDeadline(inTime, { ms: softTimeout, clock, onTimeout });
    }
    const release = () => patience.release();
    answer.then(release, release);
    return answer;
  }

  /** A load's outcome for one caller: for a failed one the stale value, where there is one and the caller takes it. */
  #orStale<T>(joined: Promise<Loaded>, { key, options, signal, takesStale, own }: Caller<T>): Promise<T> {
    if (options.staleIfError === 0 || !takesStale) return joined.then(own);
    return joined.then(
      (loaded) => (loaded.isError ? this.staleOr(key, options, () => own(loaded)) : own(loaded)),
      (error: unknown) => {
        const isCallersOwn =
          error instanceof ReentrantLoadError || (signal?.aborted && error === signal.reason);
        if (isCallersOwn) throw error;
        return this.staleOr(key, options, () => Promise.reject(error));
      },
    );
  }

  /** The stale value, where there is one that may stand in for an error. */
  async staleOr<T>(
    key: string,
    options: ResolvedMethodOptions,
    otherwise: () => T | PromiseLike<T>,
  ): Promise<T> {
    const stale = options.staleIfError > 0 ? this.#stale(key, options, 'error') : undefined;
    return stale === undefined ? otherwise() : (stale.value as T);
  }

  /** What memory has of a key at this moment, so that what was deleted or invalidated meanwhile is gone. */
  #stale(
    key: string,
    options: ResolvedMethodOptions,
    reason: 'error' | 'timeout',
  ): { readonly value: unknown } | undefined {
    const entry = this.#lookups.held(key);
    if (entry === undefined) return undefined;
    const freshness = this.#lookups.freshness(entry, options);
    if (freshness === 'expired') return undefined;
    const value = this.#lookups.give(entry);
    if (value === unreadable) return undefined;
    if (freshness === 'fresh') this.#lookups.countHit(entry, 'memory');
    else this.#lookups.countStaleHit(entry, 'memory', reason);
    return { value };
  }

  #countTimeout(key: string, ms: number): void {
    const { events } = this.#core;
    this.#state.counters.hardTimeouts++;
    if (events.isHeard('hardTimeout')) events.emit('hardTimeout', { method: this.#state.name, key, ms });
  }
}
