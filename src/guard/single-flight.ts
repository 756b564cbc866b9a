/** Single flight: concurrent calls of one key share one load, and no caller is made to wait for itself. */

import { ReentrantLoadError } from '../errors.js';
import { ErrorSnapshot } from './error-snapshot.js';
import { KeyedWork, type Watch } from './keyed-work.js';
import { type AbortSource, onAbort } from './shared-abort.js';
import type { Tagged } from './tag-invalidation.js';
import { enclosingLoad, WaitNode } from './wait-graph.js';

/** One load under way, and who waits for it. */
export class Flight<T> implements Watch {
  readonly node: WaitNode;
  readonly key: string;
  readonly method: string;
  /** Callers still waiting. A load that nobody waits for any more is aborted. */
  waiters = 0;
  /** Everybody who has waited, those who left and the cache itself (for a background refresh) included. */
  callers = 0;
  /** The key was written, deleted, cleared or invalidated since: the result must not be stored. */
  superseded = false;
  /** When it began, by `Clock.elapsed()`; not known for loads that nobody bounds. */
  beganAt: number | undefined;
  /** Nobody waits for it any more, or it has taken too long. Set by `abort`. */
  isAborted = false;
  /** It was ended because it took too long. Set by `expire`. */
  isExpired = false;
  /** Settles as the load does, or when that has taken too long. Set by `begin`. */
  promise!: Promise<T>;
  /** How long it may take in all, in ms; `undefined` for ever. */
  boundMs: number | undefined;
  /** What it will answer with, as far as that is known. */
  answer: Tagged | undefined;
  /** It fails, if it does, for a reason that is its first caller's own: those who joined ask again. */
  failsAlone = false;
  /** Told when the load is ended because it took too long. */
  onExpired: ((error: unknown) => void) | undefined;
  #fail: ((error: unknown) => void) | undefined;
  #failure: { readonly error: unknown; readonly snapshot: ErrorSnapshot } | undefined;
  #controller: AbortController | undefined;
  #abortReason: unknown;

  constructor(key: string, method: string) {
    this.node = new WaitNode(key, method);
    this.key = key;
    this.method = method;
  }

  /** Whether this is the error that it was ended with because it took too long. */
  isExpiry(error: unknown): boolean {
    return this.isExpired && error === this.#abortReason;
  }

  /** Whether this is the error that it failed with for a reason of its first caller's own. */
  isLoneFailure(error: unknown): boolean {
    return this.failsAlone && error === this.#failure?.error;
  }

  /** Whether what it comes to may be stored. */
  get isStorable(): boolean {
    return !this.superseded && !this.isAborted;
  }

  /** Aborted once the last waiter has left, or when it has taken too long. Made only when somebody asks for it. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.isAborted) this.#controller.abort(this.#abortReason);
    }
    return this.#controller.signal;
  }

  /**
   * Runs the load. It may be joined from within, by code that is not known to run inside it.
   * @param among the flights that it is one of, until it has settled
   */
  begin(load: (flight: Flight<T>) => Promise<T> | T, among?: SingleFlight<T>): void {
    // Before any waiter runs on: whoever calls again from there must not join what is over.
    const settle = () => {
      this.node.settle();
      among?.retire(this);
    };
    let resolve!: (value: T) => void;
    this.promise = new Promise<T>((fulfil, reject) => {
      resolve = fulfil;
      this.#fail = (error) => {
        settle();
        // Every waiter may have left by now; those who stay have promises of their own.
        this.promise.then(undefined, () => undefined);
        // Before any of those who wait can write on it.
        if (this.callers > 1) this.#failure ??= { error, snapshot: new ErrorSnapshot(error) };
        reject(error);
      };
    });
    // Whoever joins from within and leaves at once is not the last: the one who begins the load is yet to join.
    this.waiters++;
    let loading: Promise<T>;
    try {
      loading = Promise.resolve(this.node.run(() => load(this)));
    } catch (error) {
      loading = Promise.reject(error);
    }
    this.waiters--;
    // A failure, too, is settled from here and not from where it was thrown: that may be at the end of the stack.
    loading.then((value) => {
      settle();
      resolve(value);
    }, this.#fail);
  }

  /** Throws what the load was aborted with, if it was. */
  throwIfAborted(): void {
    if (this.isAborted) throw this.#abortReason;
  }

  abort(reason: unknown): void {
    this.isAborted = true;
    this.#abortReason = reason;
    this.#controller?.abort(reason);
  }

  /** Fails everybody who waits, whatever becomes of the loader. */
  expire(error: unknown): void {
    this.isExpired = true;
    this.onExpired?.(error);
    this.abort(error);
    this.#fail?.(error);
  }

  /** What one caller of several is thrown when the load has failed with `error`: an equal one that is nobody else's. */
  ownError(error: unknown): unknown {
    return this.#failure !== undefined && this.#failure.error === error
      ? this.#failure.snapshot.copy()
      : error;
  }
}

/** All loads under way, at most one joinable a key. */
export class SingleFlight<T> extends KeyedWork<Flight<T>> {
  /** Starts the load of a key that has none to join. It does not wait: `join` does. */
  start(key: string, method: string, load: (flight: Flight<T>) => Promise<T> | T): Flight<T> {
    const flight = new Flight<T>(key, method);
    // Known before it runs: a loader may ask for, or delete, its own key at once.
    this.admit(flight);
    try {
      flight.begin(load, this);
    } catch (error) {
      this.retire(flight);
      throw error;
    }
    return flight;
  }

  /**
   * Waits for a load on behalf of one caller. An abort by `signal` concerns this caller; when it was the last
   * one waiting, the load is aborted too and can't be joined any more.
   * @throws ReentrantLoadError when the caller runs inside a load that `flight` itself waits for
   */
  join(flight: Flight<T>, signal?: AbortSource): Promise<T> {
    const parent = enclosingLoad();
    let leaveParent: (() => void) | undefined;
    if (parent !== undefined) {
      if (flight.node.reaches(parent)) return Promise.reject(reentrantLoad(parent, flight.node));
      leaveParent = parent.waitFor(flight.node);
    }
    try {
      if (signal !== undefined) return this.#joinUntilAborted(flight, signal, leaveParent);
    } catch (error) {
      // At the end of the stack: who does not wait is counted nowhere.
      leaveParent?.();
      throw error;
    }
    flight.waiters++;
    flight.callers++;
    return flight.promise;
  }

  /** Whether the caller runs inside a load that `flight` itself waits for, or inside `flight`. */
  isWaitedForHere(flight: Flight<T>): boolean {
    const parent = enclosingLoad();
    return parent !== undefined && flight.node.reaches(parent);
  }

  /** Makes a superseded load joinable and storable again: it has not read anything yet. */
  reinstate(flight: Flight<T>): void {
    flight.superseded = false;
    this.admit(flight);
  }

  /** Runs a load that returns before anybody else runs; told what was written or deleted from within it. */
  runAtOnce<R>(key: string, method: string, load: (watch: Watch) => R): R {
    const watch = this.watch(key, method);
    try {
      return load(watch);
    } finally {
      watch.end();
    }
  }

  /** Another process has changed what this load answers with: it may be awaited, but not joined or stored. */
  overtake(flight: Flight<T>): void {
    flight.superseded = true;
    this.retire(flight);
  }

  /** One who waited has gone; the load that nobody waits for any more is aborted and can't be joined. */
  leave(flight: Flight<T>, reason: unknown): void {
    if (--flight.waiters > 0 || flight.node.isSettled) return;
    this.retire(flight);
    flight.abort(reason);
  }

  /** Ends a load that has taken too long, whoever waits for it: the next caller starts a fresh one. */
  expire(flight: Flight<T>, error: unknown): void {
    if (flight.node.isSettled) return;
    this.retire(flight);
    flight.expire(error);
  }

  /** Nobody may join this load any more, but what is written or deleted overtakes it until it has settled. */
  close(flight: Flight<T>): void {
    this.retire(flight);
    if (!flight.node.isSettled) this.keepWatching(flight);
  }

  #joinUntilAborted(
    flight: Flight<T>,
    signal: AbortSource,
    leaveParent: (() => void) | undefined,
  ): Promise<T> {
    let resolve!: (value: T) => void;
    let reject!: (error: unknown) => void;
    const joined = new Promise<T>((...functions) => {
      [resolve, reject] = functions;
    });
    let release: (() => void) | undefined;
    const abort = () => {
      leaveParent?.();
      this.leave(flight, signal.reason);
      reject(signal.reason);
    };
    if (!signal.aborted) {
      flight.promise.then(
        (value) => {
          release?.();
          resolve(value);
        },
        (error: unknown) => {
          release?.();
          reject(error);
        },
      );
      release = onAbort(signal, abort);
    }
    flight.waiters++;
    flight.callers++;
    if (signal.aborted) abort();
    return joined;
  }
}

function reentrantLoad(parent: WaitNode, flight: WaitNode): ReentrantLoadError {
  return new ReentrantLoadError(
    `The loader of \`${parent.method}\` (key ${parent.key}) waits for itself through \`${flight.method}\` ` +
      `(key ${flight.key}) and would wait for ever. Inside a loader call the tool itself, not its cached form.`,
  );
}
