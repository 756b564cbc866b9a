/** Waiting for a load on behalf of one caller, who may lose patience or be content with a stale value. */

import { ReentrantLoadError } from '../errors.js';
import { withDeadline } from '../guard/deadline.js';
import type { Flight } from '../guard/single-flight.js';
import type { ResolvedMethodOptions } from '../options.js';
import { timeoutError } from './background-refreshes.js';
import { asCacheError, type CacheCore } from './core.js';
import type { Loaded } from './loaded.js';
import type { MethodState } from './method-state.js';
import { Patience } from './patience.js';
import type { StaleAnswers, StaleReason } from './stale-answers.js';

/** One caller. */
export interface Caller<T> {
  readonly key: string;
  readonly options: ResolvedMethodOptions;
  readonly signal: AbortSignal | undefined;
  /** Whether a stale value may stand in for the load. */
  readonly takesStale: boolean;
  /** Whether a value may be found below memory that is good enough for this caller before the load ends. */
  readonly looksBelow: boolean;
  /** What the load's outcome is for this caller. */
  own(loaded: Loaded): T | PromiseLike<T>;
}

/** A caller who waits for a load. */
interface Wait<T> {
  readonly caller: Caller<T>;
  readonly flight: Flight<Loaded>;
  /** Whether the key was written or deleted since the load began. */
  readonly isOvertaken: () => boolean;
}

/** One method's waiting callers. */
export class CallerWaits {
  readonly #core: CacheCore;
  readonly #state: MethodState;
  readonly #stales: StaleAnswers;

  constructor(core: CacheCore, state: MethodState, stales: StaleAnswers) {
    this.#core = core;
    this.#state = state;
    this.#stales = stales;
  }

  /** The outcome of a load for one caller. */
  for<T>(flight: Flight<Loaded>, caller: Caller<T>): Promise<T> {
    const { loads } = this.#core;
    const { clock } = this.#core.options;
    const { key, options, signal } = caller;
    const { hardTimeout } = options;
    const softTimeout = caller.takesStale ? options.softTimeout : undefined;
    if (hardTimeout === undefined && softTimeout === undefined && !caller.looksBelow) {
      const wait = { caller, flight, isOvertaken: () => flight.superseded };
      return this.#orStale(loads.join(flight, signal), wait);
    }
    const patience = new Patience(signal);
    let joined = loads.join(flight, patience.signal);
    let wasOvertaken: boolean | undefined;
    if (hardTimeout !== undefined) {
      const onTimeout = () => {
        const error = timeoutError(flight, hardTimeout);
        if (!patience.isAnswered) this.#countTimeout(key, hardTimeout);
        // Once nobody waits for it a load counts as overtaken, though nothing was written.
        wasOvertaken = flight.superseded;
        patience.giveUp(error);
        throw error;
      };
      joined = withDeadline(joined, { ms: hardTimeout, clock, onTimeout });
    }
    const own = (loaded: Loaded) => (patience.isAnswered ? (undefined as T) : caller.own(loaded));
    const wait = {
      caller: { ...caller, own },
      flight,
      isOvertaken: () => wasOvertaken ?? flight.superseded,
    };
    const inTime = this.#orStale(joined, wait, patience);
    let answer = inTime;
    if (softTimeout !== undefined) {
      const onTimeout = () => {
        if (patience.isAnswered) return inTime;
        const stale = this.#stale(wait, 'timeout');
        if (stale === undefined) {
          return this.#stales.isSearching(flight) ? this.#orBelow(inTime, wait, patience, 'timeout') : inTime;
        }
        patience.answered();
        return stale.value as T;
      };
      answer = withDeadline(inTime, { ms: softTimeout, clock, onTimeout });
    }
    if (caller.looksBelow) answer = this.#orBelow(answer, wait, patience, 'revalidate');
    const release = () => patience.release();
    answer.then(release, release);
    return answer;
  }

  /** The stale value, where there is one that may stand in for an error that was remembered. */
  async insteadOf<T>(
    error: unknown,
    { key, options }: { readonly key: string; readonly options: ResolvedMethodOptions },
  ): Promise<T> {
    if (options.staleIfError === 0) throw error;
    const load = { key, flight: undefined, isOvertaken: false };
    const stale = this.#stales.inPlaceOf(load, options, 'error') ?? (await this.#inTimeBelow(key, options));
    if (stale === undefined) throw error;
    return stale.value as T;
  }

  /** A load's outcome for one caller: for a failed one the stale value, where there is one and the caller takes it. */
  #orStale<T>(joined: Promise<Loaded>, wait: Wait<T>, patience?: Patience): Promise<T> {
    const { options, signal, takesStale, own } = wait.caller;
    if (options.staleIfError === 0 || !takesStale) return joined.then(own);
    const insteadOf = (otherwise: () => T | PromiseLike<T>) => {
      const stale = patience?.isAnswered ? undefined : this.#stale(wait, 'error');
      return stale === undefined ? otherwise() : (stale.value as T);
    };
    return joined.then(
      (loaded) => (loaded.isError ? insteadOf(() => own(loaded)) : own(loaded)),
      (error: unknown) => {
        const isCallersOwn =
          error instanceof ReentrantLoadError || (signal?.aborted && error === signal.reason);
        if (isCallersOwn) throw error;
        return insteadOf(() => Promise.reject(error));
      },
    );
  }

  /** Whichever comes first: the answer, or a value below memory that will do. */
  #orBelow<T>(answer: Promise<T>, wait: Wait<T>, patience: Patience, reason: StaleReason): Promise<T> {
    const { key, options } = wait.caller;
    return new Promise<T>((resolve, reject) => {
      let isAnswered = false;
      const settled = () => {
        isAnswered = true;
      };
      answer.then(settled, settled);
      answer.then(resolve, reject);
      const found = this.#stales.below(key).then((below) => {
        if (isAnswered || below === undefined || patience.isAnswered || patience.signal.aborted) return;
        this.#stales.note(wait.flight, below);
        // With anything better the load itself is about to end.
        if (reason === 'timeout' && !this.#stales.isLastResort(below, options)) return;
        const stale = this.#stales.take(below, options, reason);
        if (stale === undefined) return;
        if (reason === 'revalidate') this.#state.counters.countedAgain++;
        patience.answered();
        resolve(stale.value as T);
      });
      found.catch((error: unknown) =>
        this.#core.failed(asCacheError(error, `Looking for ${key} below memory failed`), this.#state, key),
      );
    });
  }

  #stale<T>({ caller, flight, isOvertaken }: Wait<T>, reason: StaleReason) {
    const load = { key: caller.key, flight, isOvertaken: isOvertaken() };
    return this.#stales.inPlaceOf(load, caller.options, reason);
  }

  /** What lies below memory and may stand in for an error, unless finding out takes longer than the caller waits. */
  async #inTimeBelow(key: string, options: ResolvedMethodOptions) {
    const { clock } = this.#core.options;
    const { hardTimeout } = options;
    const searching = this.#stales.below(key);
    const found =
      hardTimeout === undefined
        ? await searching
        : await withDeadline(searching, { ms: hardTimeout, clock, onTimeout: () => undefined });
    return found && this.#stales.take(found, options, 'error');
  }

  #countTimeout(key: string, ms: number): void {
    const { events } = this.#core;
    this.#state.counters.hardTimeouts++;
    if (events.isHeard('hardTimeout')) events.emit('hardTimeout', { method: this.#state.name, key, ms });
  }
}
