/** Single flight: concurrent calls of one key share one load, and no caller is made to wait for itself. */

import { ReentrantLoadError } from '../errors.js';
import { onAbort } from './shared-abort.js';
import { enclosingLoad, WaitNode } from './wait-graph.js';

/** One load under way, and who waits for it. */
export class Flight<T> {
  readonly node: WaitNode;
  /** Callers still waiting. A load that nobody waits for any more is aborted. */
  waiters = 0;
  /** Everybody who has waited, those who left included. */
  callers = 0;
  /** The key was written, deleted, cleared or invalidated since: the result must not be stored. */
  superseded = false;
  #promise: Promise<T> | undefined;
  #controller: AbortController | undefined;
  #abortReason: unknown;
  /** Nobody waits for it any more. */
  isAborted = false;

  constructor(key: string, method: string) {
    this.node = new WaitNode(key, method);
  }

  /** Settles as the load does. */
  get promise(): Promise<T> {
    return this.#promise!;
  }

  /** Aborted once the last waiter has left. Made only when somebody asks for it. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.isAborted) this.#controller.abort(this.#abortReason);
    }
    return this.#controller.signal;
  }

  /** Runs the load. It may be joined from within, by code that is not known to run inside it. */
  begin(load: (flight: Flight<T>) => Promise<T> | T, onSettled: () => void): void {
    // Before any waiter runs on: whoever calls again from there must not join what is over.
    const settle = () => {
      this.node.settle();
      onSettled();
    };
    let resolve!: (value: T) => void;
    let reject!: (error: unknown) => void;
    this.#promise = new Promise<T>((...functions) => {
      [resolve, reject] = functions;
    });
    // Every waiter may have left by the time the load fails; those who stay have promises of their own.
    this.#promise.then(undefined, () => undefined);
    // Whoever joins from within and leaves at once is not the last: the one who begins the load is yet to join.
    this.waiters++;
    void this.node.run(async () => {
      try {
        const value = await load(this);
        settle();
        resolve(value);
      } catch (error) {
        settle();
        reject(error);
      }
    });
    this.waiters--;
  }

  /** Throws what the load was aborted with, if it was. */
  throwIfAborted(): void {
    if (this.isAborted) throw this.#abortReason;
  }

  abort(reason: unknown): void {
    this.isAborted = true;
    this.#abortReason = reason;
    this.superseded = true;
    this.#controller?.abort(reason);
  }
}

/** A load that returns at once: it can't be joined, but it can be overtaken by what its own loader does. */
export interface Watch {
  readonly key: string;
  readonly method: string;
  /** The key was written, deleted or cleared from within the load: the result must not be stored. */
  superseded: boolean;
}

/** All loads under way, at most one joinable a key. */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Flight<T>>();
  readonly #watches: Watch[] = [];

  /** Loads that may still be joined. */
  get size(): number {
    return this.#flights.size;
  }

  /** The load of this key that a caller may join. */
  find(key: string): Flight<T> | undefined {
    return this.#flights.get(key);
  }

  /** Starts the load of a key that has none to join. It does not wait: `join` does. */
  start(key: string, method: string, load: (flight: Flight<T>) => Promise<T> | T): Flight<T> {
    const flight = new Flight<T>(key, method);
    // Known before it runs: a loader may ask for, or delete, its own key at once.
    this.#flights.set(key, flight);
    flight.begin(load, () => this.retire(flight));
    return flight;
  }

  /**
   * Waits for a load on behalf of one caller. An abort by `signal` concerns this caller; when it was the last
   * one waiting, the load is aborted too and can't be joined any more.
   * @throws ReentrantLoadError when the caller runs inside a load that `flight` itself waits for
   */
  join(flight: Flight<T>, signal?: AbortSignal): Promise<T> {
    const parent = enclosingLoad();
    let leaveParent: (() => void) | undefined;
    if (parent !== undefined) {
      if (flight.node.reaches(parent)) return Promise.reject(reentrantLoad(parent, flight.node));
      leaveParent = parent.waitFor(flight.node);
    }
    flight.waiters++;
    flight.callers++;
    return signal === undefined ? flight.promise : this.#joinUntilAborted(flight, signal, leaveParent);
  }

  /** Makes a superseded load joinable and storable again: it has not read anything yet. */
  reinstate(flight: Flight<T>): void {
    flight.superseded = false;
    this.#flights.set(flight.node.key, flight);
  }

  /** Runs a load that returns before anybody else runs; told what was written or deleted from within it. */
  runAtOnce<R>(key: string, method: string, load: (watch: Watch) => R): R {
    const watch = { key, method, superseded: false };
    this.#watches.push(watch);
    try {
      return load(watch);
    } finally {
      this.#watches.pop();
    }
  }

  /** The key was written or deleted: its load may be awaited by who already does, but not joined or stored. */
  supersede(key: string): void {
    for (const watch of this.#watches) if (watch.key === key) watch.superseded = true;
    const flight = this.#flights.get(key);
    if (flight === undefined) return;
    flight.superseded = true;
    this.#flights.delete(key);
  }

  /** Supersedes every load of a method, or all. */
  supersedeAll(method?: string): void {
    for (const watch of this.#watches) {
      if (method === undefined || watch.method === method) watch.superseded = true;
    }
    for (const flight of this.#flights.values()) {
      if (method === undefined || flight.node.method === method) this.supersede(flight.node.key);
    }
  }

  /** One who waited has gone; the load that nobody waits for any more is aborted and can't be joined. */
  leave(flight: Flight<T>, reason: unknown): void {
    if (--flight.waiters > 0 || flight.node.isSettled) return;
    this.retire(flight);
    flight.abort(reason);
  }

  /** Nobody may join this load any more: its value is in, or nobody waits for it. */
  retire(flight: Flight<T>): void {
    if (this.#flights.get(flight.node.key) === flight) this.#flights.delete(flight.node.key);
  }

  #joinUntilAborted(
    flight: Flight<T>,
    signal: AbortSignal,
    leaveParent: (() => void) | undefined,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const abort = () => {
        leaveParent?.();
        this.leave(flight, signal.reason);
        reject(signal.reason);
      };
      if (signal.aborted) return abort();
      const release = onAbort(signal, abort);
      flight.promise.then(
        (value) => {
          release();
          resolve(value);
        },
        (error: unknown) => {
          release();
          reject(error);
        },
      );
    });
  }
}

function reentrantLoad(parent: WaitNode, flight: WaitNode): ReentrantLoadError {
  return new ReentrantLoadError(
    `The loader of \`${parent.method}\` (key ${parent.key}) waits for itself through \`${flight.method}\` ` +
      `(key ${flight.key}) and would wait for ever. Inside a loader call the tool itself, not its cached form.`,
  );
}
