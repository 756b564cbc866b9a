/** Waiting for a load on behalf of one caller, who may abort, run out of time, or be content with a stale value. */

import type { Clock } from '../../clock.js';
import { ReentrantLoadError } from '../../errors.js';
import { type Deadline, startDeadline, withDeadline } from '../../guard/deadline.js';
import { type AbortSource, onAbort } from '../../guard/shared-abort.js';
import type { Flight } from '../../guard/single-flight.js';
import type { ResolvedMethodOptions } from '../../options.js';
import type { Asker } from '../../recorded-tools.js';
import { tellAsker } from '../answer-reports.js';
import { asCacheError, type CacheCore } from '../cache-context.js';
import type { MethodState } from '../method-context.js';
import { outlasts, timeoutError } from './load-bound.js';
import type { Loaded } from './loader.js';
import type { StaleAnswers, StaleReason, Taken } from './stale-fallback.js';

/** One caller. */
export interface Caller<T> {
  readonly key: string;
  readonly options: ResolvedMethodOptions;
  readonly signal: AbortSource | undefined;
  /** Whether a stale value may stand in for the load. */
  readonly takesStale: boolean;
  /** Whether a value may be found below memory that is good enough for this caller before the load ends. */
  readonly searchesSlowTiers: boolean;
  /** When its time began, by `Clock.elapsed()`, if not now. */
  readonly since?: number | undefined;
  /** Who asks, where that is known. */
  readonly by?: Asker | undefined;
  /** What the load's outcome is for this caller. */
  own(loaded: Loaded): T | PromiseLike<T>;
  /** What becomes of a failure that no stale value stands in for. @default it is the caller's */
  failed?(error: unknown): T | PromiseLike<T>;
}

/** A caller who waits for a load. */
interface Wait<T> {
  readonly caller: Caller<T>;
  readonly flight: Flight<Loaded>;
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
    const { callers } = flight;
    const abortScope = waitsForLoadAlone(caller) ? undefined : new AbortScope(caller.signal);
    try {
      const { own, failed } = caller;
      const waiting = abortScope && this.#wait({ caller, flight }, abortScope);
      if (waiting !== undefined) return failed === undefined ? waiting : waiting.then(undefined, failed);
      const joined = this.#core.loads.join(flight, caller.signal);
      if (!caller.takesStale || caller.options.staleIfError === 0) return joined.then(own, failed);
      const orStale = this.#orStale(joined, { caller, flight });
      return failed === undefined ? orStale : orStale.then(undefined, failed);
    } catch (error) {
      // At the end of the stack: who does not wait after all must not count as waiting.
      abortScope?.release();
      if (flight.callers > callers) this.#core.loads.leave(flight, error);
      throw error;
    }
  }

  /** Waits for no longer than the caller has time. */
  #wait<T>({ caller, flight }: Wait<T>, abortScope: AbortScope): Promise<T> {
    const { clock } = this.#core.options;
    const { options, since } = caller;
    const { hardTimeout } = options;
    const softTimeout = caller.takesStale ? options.softTimeout : undefined;
    let joined = this.#core.loads.join(flight, abortScope.signal);
    if (hardTimeout !== undefined) {
      const began = since ?? clock.elapsed();
      const left = hardTimeout - (clock.elapsed() - began);
      let ownTimeout: unknown;
      const errorOf = () => {
        ownTimeout = timeoutError(flight, hardTimeout);
        return ownTimeout;
      };
      abortScope.endAfter(Math.max(left, 0), clock, errorOf);
      joined = joined.then(undefined, (error: unknown) => {
        const isOwn = ownTimeout !== undefined && error === ownTimeout;
        const isTimeout =
          isOwn || (flight.isExpiry(error) && !outlasts(options, flight, clock.elapsed() - began));
        if (isTimeout && !abortScope.isAnswered) this.#countTimeout(caller.key, hardTimeout);
        throw error;
      });
    }
    const own = (loaded: Loaded) => {
      if (abortScope.isAnswered) return undefined as T;
      abortScope.isAnswering = loaded.stale !== undefined;
      return caller.own(loaded);
    };
    const wait = { caller: { ...caller, own }, flight };
    const inTime = this.#orStale(joined, wait, abortScope);
    let answer = inTime;
    if (softTimeout !== undefined) {
      const take = (isStill = true) => {
        if (abortScope.isAnswered || abortScope.isAnswering) return inTime;
        const stale = this.#stale(wait, 'timeout', isStill);
        if (stale === undefined) {
          return this.#stales.isSearching(flight)
            ? this.#orFromSlowTier(inTime, wait, abortScope, 'timeout')
            : inTime;
        }
        abortScope.answered();
        return this.#handOut<T>(stale, wait.caller);
      };
      const onTimeout = () => this.#prepareStale(wait, abortScope)?.then(take) ?? take();
      answer = withDeadline(inTime, { ms: softTimeout, clock, onTimeout });
    }
    if (caller.searchesSlowTiers) answer = this.#orFromSlowTier(answer, wait, abortScope, 'revalidate');
    const settled = () => abortScope.settled();
    answer.then(settled, settled);
    const release = () => abortScope.release();
    joined.then(release, release);
    return answer;
  }

  /** The stale value, where there is one that may stand in for an error that was remembered. */
  async insteadOf<T>(
    error: unknown,
    { key, options, by }: Pick<Caller<T>, 'key' | 'options' | 'by'>,
  ): Promise<T> {
    if (options.staleIfError === 0) throw error;
    const load = { key, flight: undefined, isOvertaken: false };
    const preparing = this.#stales.prepare(load, options);
    if (preparing !== undefined) await preparing;
    const stale = this.#stales.inPlaceOf(load, options, 'error') ?? (await this.#searchInTime(key, options));
    if (stale === undefined) throw error;
    return this.#handOut<T>(stale, { by });
  }

  /** A load's outcome for one caller: for a failed one the stale value, where there is one and the caller takes it. */
  #orStale<T>(joined: Promise<Loaded>, wait: Wait<T>, abortScope?: AbortScope): Promise<T> {
    const { signal, own, options, takesStale } = wait.caller;
    if (!takesStale || options.staleIfError === 0) return joined.then(own);
    const insteadOf = (otherwise: () => T | PromiseLike<T>) => {
      const take = (isStill = true) => {
        const stale = abortScope?.isAnswered ? undefined : this.#stale(wait, 'error', isStill);
        return stale === undefined ? otherwise() : this.#handOut<T>(stale, wait.caller);
      };
      return this.#prepareStale(wait, abortScope)?.then(take) ?? take();
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
  #orFromSlowTier<T>(
    answer: Promise<T>,
    wait: Wait<T>,
    abortScope: AbortScope,
    reason: StaleReason,
  ): Promise<T> {
    const { key, options } = wait.caller;
    return new Promise<T>((resolve, reject) => {
      let isAnswered = false;
      const settled = () => {
        isAnswered = true;
      };
      answer.then(settled, settled);
      answer.then(resolve, reject);
      const found = this.#stales.below(key).then((below) => {
        const isOver = isAnswered || abortScope.isAnswered || abortScope.isAnswering;
        if (isOver || below === undefined || abortScope.signal.aborted) return;
        this.#stales.note(wait.flight, below);
        // With anything better the load itself is about to end.
        if (reason === 'timeout' && !this.#stales.isLastResort(below, options)) return;
        const stale = this.#stales.take(below, options, reason);
        if (stale === undefined) return;
        if (reason === 'revalidate') this.#state.counters.doubleCounted++;
        abortScope.answered();
        resolve(this.#handOut<T>(stale, wait.caller));
      });
      found.catch((error: unknown) =>
        this.#core.failed(
          asCacheError(error, `Reading ${key} from the slower tiers failed`),
          this.#state,
          key,
        ),
      );
    });
  }

  #handOut<T>(taken: Taken, { by }: Pick<Caller<T>, 'by'>): T {
    tellAsker(this.#core, by, taken);
    return taken.value as T;
  }

  /** @param isStill whether nothing was written since the load has found what it noted */
  #stale<T>({ caller, flight }: Wait<T>, reason: StaleReason, isStill: boolean) {
    const load = { key: caller.key, flight, isOvertaken: flight.superseded || !isStill };
    return this.#stales.inPlaceOf(load, caller.options, reason);
  }

  /** Decodes in slices what `#stale` takes, where that is large; resolves to its `isStill`. */
  #prepareStale<T>({ caller, flight }: Wait<T>, abortScope: AbortScope | undefined) {
    if (abortScope?.isAnswered) return undefined;
    const load = { key: caller.key, flight, isOvertaken: flight.superseded };
    return this.#stales.prepare(load, caller.options, caller.signal);
  }

  /** What lies below memory and may stand in for an error, unless finding out takes longer than the caller waits. */
  async #searchInTime(key: string, options: ResolvedMethodOptions) {
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

/** Whether a caller waits for the load alone, however long that takes. */
function waitsForLoadAlone({ options, takesStale, searchesSlowTiers }: Caller<unknown>): boolean {
  const { hardTimeout, softTimeout } = options;
  return hardTimeout === undefined && (softTimeout === undefined || !takesStale) && !searchesSlowTiers;
}

/** A signal that is aborted when the caller aborts, until it was answered, or when its time is over. */
export class AbortScope {
  readonly #controller = new AbortController();
  #release: (() => void) | undefined;
  #deadline: Deadline | undefined;
  /** Whether the caller has its answer: what comes of the load is then nobody's error. */
  isAnswered = false;
  /** The load has found a value for the caller, which is decoded in slices. */
  isAnswering = false;

  constructor(signal: AbortSource | undefined) {
    if (signal === undefined) return;
    const abort = () => this.#controller.abort(signal.reason);
    if (signal.aborted) abort();
    else this.#release = onAbort(signal, abort);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Gives up in the caller's name after so many ms. The process is held for as long as the caller waits. */
  endAfter(ms: number, clock: Clock, errorOf: () => unknown): void {
    const expire = () => this.#controller.abort(errorOf());
    this.#deadline = startDeadline({ ms, clock, expire, holdsProcess: true });
  }

  /** The caller goes on with an answer; the load goes on without the caller, but not beyond the caller's time. */
  answered(): void {
    this.isAnswered = true;
    this.settled();
  }

  /** The caller waits no more: lets go of its signal, which may live much longer than one call. */
  settled(): void {
    this.#release?.();
    this.#deadline?.unref();
  }

  /** The load is over. */
  release(): void {
    this.#release?.();
    this.#deadline?.cancel();
  }
}
