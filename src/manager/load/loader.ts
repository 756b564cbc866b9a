/** What a loader is, what it is given, and what a load came to. */

import type { Duration } from '../../duration.js';
import type { CacheError } from '../../errors.js';
import type { AbortSource } from '../../guard/shared-abort.js';
import type { Flight } from '../../guard/single-flight.js';
import type { KeyOrigin } from '../../key/key-origin.js';
import { type LoadOptions, type ResolvedMethodOptions, resolveTtl } from '../../options.js';
import type { Asker, CallOptions, RecordedAnswer } from '../../recorded-tools.js';
import type { Stored } from '../../value/keeper.js';
import type { MethodState } from '../method-context.js';
import type { Found } from '../tiers/slow-reads.js';

/** Computes a value on a miss: the tool call itself. */
export type Loader<T> = (context: LoaderContext) => T | PromiseLike<T>;

/** The options of one call, and what it has to do at once when a load starts for it: its loader may run later. */
export interface LoadCall extends Omit<LoadOptions, 'signal'>, CallOptions {
  readonly signal?: AbortSource | undefined;
  /** Never throws. */
  prepare?(key: string): void;
}

/** What a loader is given, and how it may decide on its result. */
export interface LoaderContext {
  /** Aborted once nobody waits for this load any more. */
  readonly signal: AbortSignal;
  /** The key, 32 hex digits. */
  readonly key: string;
  /** The tool's name. */
  readonly method: string;
  /** Decides how long this result is fresh, whatever the options say; `null` is for ever, 0 stores nothing. */
  setTtl(ttl: Duration | null): void;
  /** This result is handed to those who wait for it, and not stored. */
  skip(): void;
  /** This result, or error, is its caller's alone: neither stored nor shared with those who joined, who call the tool themselves. */
  withhold(): void;
  /** @internal Withholds its result unless this is true still at the moment when it would be stored and shared. */
  withholdUnless?(isSound: () => boolean): void;
}

/** One call. */
export interface Asked<T> {
  readonly key: string;
  readonly options: ResolvedMethodOptions;
  readonly signal: AbortSource | undefined;
  /** When it was made, by `Clock.elapsed()`; not known of calls without a `hardTimeout`, which wait for as long as it takes. */
  readonly since: number | undefined;
  /** Makes what is needed to load its value; not needed by who is answered from memory, or joins. */
  readonly made: () => CallToLoad<T>;
  /** Who asks, where that is known. */
  readonly by?: Asker | undefined;
}

/** What is needed of a call to load its value. */
export interface CallToLoad<T> {
  readonly loader: Loader<T>;
  readonly call: LoadCall;
  /** Takes down what the key was made from, where that is kept. */
  readonly origin: (() => KeyOrigin | undefined) | undefined;
}

/** Calls a tool without the cache, and counts it. */
export type BypassCall = <T>(asked: Asked<T>, cause: unknown) => Promise<T>;

/** What a loader decided on its ttl: in ms, for ever, nothing, or nothing that makes sense. */
export type DecidedTtl = number | null | undefined | CacheError;

/** What a loader has decided on its result so far. */
export interface LoaderDecision {
  /** `undefined` when it leaves that to the options. */
  ttl: DecidedTtl;
  isSkipped: boolean;
  isWithheld: boolean;
  /** Asked at the moment when its result would be stored and shared; `undefined`: nothing can have come between. */
  isSound?: () => boolean;
}

/** The manager's side of a `LoaderContext`. */
export class LoadContext<T> implements LoaderContext {
  readonly key: string;
  readonly method: string;
  readonly #flight: Flight<T>;
  readonly #decision: LoaderDecision;

  constructor(flight: Flight<T>, decision: LoaderDecision) {
    this.#flight = flight;
    this.#decision = decision;
    this.key = flight.node.key;
    this.method = flight.node.method;
  }

  get signal(): AbortSignal {
    return this.#flight.signal;
  }

  // Bound, so that a loader may take them out of the context: ({ skip }) => …
  readonly setTtl = (ttl: Duration | null): void => {
    try {
      this.#decision.ttl = resolveTtl(ttl, 'setTtl(ttl)') as number | null;
    } catch (error) {
      // The tool has its answer: a malformed ttl costs the cache that answer, and not the caller.
      this.#decision.ttl = error as CacheError;
    }
  };

  readonly skip = (): void => {
    this.#decision.isSkipped = true;
  };

  readonly withhold = (): void => {
    this.#decision.isWithheld = true;
  };

  withholdUnless(isSound: () => boolean): void {
    this.#decision.isSound = isSound;
  }
}

/** A value as the value keeper keeps it. */
export type Shared = Pick<Stored, 'stored'>;

/**
 * The outcome of one load. The caller who started it gets the loader's own value; those who joined get what the
 * value keeper hands out, or, where the keeper refused the value, have to call the tool themselves.
 */
export interface Loaded {
  readonly value: unknown;
  /** What the load took, in ms; for a value found in a slower tier what it had taken back then. */
  readonly loadMs: number;
  /** What callers who joined get values of their own from; `undefined` where the value can't be shared. */
  readonly shared: Shared | undefined;
  /** Whether the value is an error by `isError`. */
  readonly isError: boolean;
  /**
   * What was found below memory instead, past its ttl: each caller decides by its own options whether that will do,
   * and sees to its renewal.
   */
  readonly stale?: Found | undefined;
  /** It was found, or known not to exist, without a call of the tool. */
  readonly isFound?: boolean;
  /** Where a recording has answered in the place of the tool. */
  readonly recorded?: RecordedAnswer | undefined;
  /** What it was found as. */
  readonly found?: Found | undefined;
}

/** What a load comes to whose key surely does not exist. */
export const nothingFound: Loaded = {
  ...{ value: undefined, loadMs: 0, shared: { stored: undefined }, isError: false },
  isFound: true,
};

/**
 * A loader whose result is its caller's alone where the params make another key when it begins or ends: the caller has
 * changed them meanwhile, and the result must not be stored under the key they had before.
 */
export function steady<T>(
  state: MethodState,
  params: unknown,
  loader: Loader<T>,
  scope: string | undefined,
): Loader<T> {
  const isFixed = typeof params !== 'object' || params === null;
  if (isFixed || typeof loader !== 'function') return loader;
  return (context) => {
    // A call without a key shares nothing.
    if (context.key === '') return loader(context);
    const check = () => {
      if (!isKeyOf(state, params, scope, context.key)) context.withhold();
    };
    check();
    const result = loader(context);
    if (!isPromise(result)) {
      check();
      return result;
    }
    return result.then(
      (value) => {
        check();
        return value;
      },
      (error: unknown) => {
        check();
        throw error;
      },
    );
  };
}

function isKeyOf(state: MethodState, params: unknown, scope: string | undefined, key: string): boolean {
  try {
    return state.keyInPassing(params, scope) === key;
  } catch {
    // They can't be hashed any more: they are others.
    return false;
  }
}

function isPromise<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as Partial<PromiseLike<T>> | null | undefined)?.then === 'function';
}
