/** What a loader is, and what it is given. */

import type { Duration } from '../duration.js';
import type { CacheError } from '../errors.js';
import type { Flight } from '../guard/single-flight.js';
import { type LoadOptions, resolveTtl } from '../options.js';

/** Computes a value on a miss: the tool call itself. */
export type Loader<T> = (context: LoaderContext) => T | PromiseLike<T>;

/** A loader of ours: wrapped functions find out during a load that its result is not for everybody. */
export type OwnLoader<T> = (context: LoaderContext & Withholding) => T | PromiseLike<T>;

/** What a load of ours may decide besides. */
export interface Withholding {
  /** This result is its caller's alone: neither stored nor shared with those who joined, who call the tool themselves. */
  withhold(): void;
}

/** The options of one call, and what it has to do at once when a load starts for it: its loader may run later. */
export interface LoadCall extends LoadOptions {
  /** Never throws. */
  prepare?(key: string): void;
}

/** What a loader is told, and how it may decide on its result. */
export interface LoaderContext {
  /** Aborted once nobody waits for this load any more. */
  readonly signal: AbortSignal;
  /** The key, 32 hex digits. */
  readonly key: string;
  readonly method: string;
  /** Decides how long this result is fresh, whatever the options say; `null` is for ever, 0 stores nothing. */
  setTtl(ttl: Duration | null): void;
  /** This result is handed to those who wait for it, and not stored. */
  skip(): void;
}

/** What a loader decided on its ttl: in ms, for ever, nothing, or nothing that makes sense. */
export type DecidedTtl = number | null | undefined | CacheError;

/** The manager's side of a `LoaderContext`. */
export class LoadContext<T> implements LoaderContext, Withholding {
  readonly key: string;
  readonly method: string;
  readonly #flight: Flight<T>;
  #ttl: DecidedTtl;
  #isSkipped = false;
  #isWithheld = false;

  constructor(flight: Flight<T>) {
    this.#flight = flight;
    this.key = flight.node.key;
    this.method = flight.node.method;
  }

  get signal(): AbortSignal {
    return this.#flight.signal;
  }

  /** What the loader decided, `undefined` when it left that to the options. */
  get ttl(): DecidedTtl {
    return this.#ttl;
  }

  get isSkipped(): boolean {
    return this.#isSkipped;
  }

  get isWithheld(): boolean {
    return this.#isWithheld;
  }

  // Bound, so that a loader may take them out of the context: ({ skip }) => …
  readonly setTtl = (ttl: Duration | null): void => {
    try {
      this.#ttl = resolveTtl(ttl, 'setTtl(ttl)') as number | null;
    } catch (error) {
      // The tool has its answer: a malformed ttl costs the cache that answer, and not the caller.
      this.#ttl = error as CacheError;
    }
  };

  readonly skip = (): void => {
    this.#isSkipped = true;
  };

  withhold(): void {
    this.#isWithheld = true;
  }
}
