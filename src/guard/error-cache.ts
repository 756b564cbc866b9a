/** Cached errors: a failure that is sure to repeat is remembered for a short time and thrown again as an equal error. */

import type { Clock, Timer } from '../clock.js';
import { type Duration, parseDuration } from '../duration.js';
import { ErrorSnapshot } from './error-snapshot.js';
import type { Tagged } from './tag-invalidation.js';

/** For how long a loader's error is remembered; `false` is not at all. */
export type CacheErrors = (error: unknown) => Duration | false;

/** For how long to remember this error, in ms; 0 is not at all. Throws what the policy throws. */
export function errorTtl(error: unknown, cacheErrors: CacheErrors): number {
  const ttl = cacheErrors(error);
  return ttl === false ? 0 : parseDuration(ttl, 'cacheErrors()');
}

/** An error and until when it is thrown again. */
interface RememberedError extends Tagged {
  readonly snapshot: ErrorSnapshot;
  /** By `Clock.now()`: it ages as entries do. */
  readonly until: number;
  /** By `Clock.elapsed()`. */
  readonly untilElapsed: number;
  /** When its load began, by `Clock.elapsed()`. */
  readonly knownAt: number;
}

/** What tells whether a remembered error still holds. */
interface ErrorChecks {
  /** Whether anything was invalidated that it may have to do with. */
  mayBeInvalidated(tagged: Tagged): boolean;
  /** Whether it would have been heard of by now if another machine had changed what was known at that time. */
  isCurrent(knownAt: number): boolean;
}

/** More errors than this of one method are no few odd calls but an outage, which is the circuit breaker's business. */
const mostErrors = 1000;

/** The most bytes that the errors of all methods of a cache take. */
const mostBytes = 16 * 2 ** 20;

/** What a remembered error takes besides the error itself. */
const overheadBytes = 400;

/** Milliseconds between two looks for errors that have expired. */
const sweepInterval = 10_000;

/** The memory that remembered errors of one cache share. When there is too little, the oldest is forgotten. */
export class ErrorMemory {
  readonly #clock: Clock;
  /** All errors, the oldest first, with what forgets each. */
  readonly #forgetters = new Map<RememberedError, () => void>();
  #bytes = 0;
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes an error in unless it is too large, forgetting older ones as needed; returns whether it did. */
  add(error: RememberedError, forget: () => void): boolean {
    const bytes = bytesOf(error);
    if (this.#isClosed || bytes > mostBytes) return false;
    for (const [, forgetOldest] of this.#forgetters) {
      if (this.#bytes + bytes <= mostBytes) break;
      forgetOldest();
    }
    this.#forgetters.set(error, forget);
    this.#bytes += bytes;
    if (this.#timer === undefined) this.#sweepLater();
    return true;
  }

  remove(error: RememberedError): void {
    if (this.#forgetters.delete(error)) this.#bytes -= bytesOf(error);
  }

  /** Forgets all errors, and takes no more. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const forget of this.#forgetters.values()) forget();
  }

  #sweepLater(): void {
    // Weak, so that its timer keeps no cache alive.
    const reference = new WeakRef(this);
    this.#timer = this.#clock.schedule(() => {
      const memory = reference.deref();
      if (memory) memory.#sweep();
    }, sweepInterval);
  }

  #sweep(): void {
    this.#timer = undefined;
    for (const [error, forget] of this.#forgetters) if (isOver(error, this.#clock)) forget();
    if (this.#forgetters.size > 0) this.#sweepLater();
  }
}

/** Whichever clock says so first: wall time may be set back. */
function isOver({ until, untilElapsed }: RememberedError, clock: Clock): boolean {
  return clock.now() >= until || clock.elapsed() >= untilElapsed;
}

function bytesOf({ snapshot }: RememberedError): number {
  return overheadBytes + snapshot.bytes;
}

/** One method's remembered errors, by key. When there are too many, the oldest is forgotten. */
export class RememberedErrors {
  readonly #clock: Clock;
  readonly #memory: ErrorMemory;
  readonly #checks: ErrorChecks;
  readonly #errors = new Map<string, RememberedError>();

  constructor(clock: Clock, memory: ErrorMemory, checks: ErrorChecks) {
    this.#clock = clock;
    this.#memory = memory;
    this.#checks = checks;
  }

  remember(
    key: string,
    error: unknown,
    { ttlMs, tagged, knownAt }: { ttlMs: number; tagged: Tagged } & Pick<RememberedError, 'knownAt'>,
  ): void {
    this.forget(key);
    if (this.#errors.size >= mostErrors) {
      for (const oldest of this.#errors.keys()) {
        this.forget(oldest);
        break;
      }
    }
    const snapshot = ErrorSnapshot.toStore(error);
    if (snapshot === undefined) return;
    const until = this.#clock.now() + ttlMs;
    const untilElapsed = this.#clock.elapsed() + ttlMs;
    const remembered = { ...tagged, snapshot, until, untilElapsed, knownAt };
    if (this.#memory.add(remembered, () => this.forget(key))) this.#errors.set(key, remembered);
  }

  /** The error to throw for this key, a copy of its own for each caller; none for one who wants none. */
  find(
    key: string,
    {
      cacheErrors,
      coherence,
    }: { readonly cacheErrors: CacheErrors | undefined; readonly coherence: 'bounded' | 'available' },
  ): { readonly error: unknown } | undefined {
    if (this.#errors.size === 0 || cacheErrors === undefined) return undefined;
    const found = this.#errors.get(key);
    if (found === undefined) return undefined;
    if (isOver(found, this.#clock) || this.#checks.mayBeInvalidated(found)) {
      this.forget(key);
      return undefined;
    }
    // As a value of that age, it counts again once all that others have changed is known.
    const isAnswer = coherence === 'available' || this.#checks.isCurrent(found.knownAt);
    return isAnswer ? { error: found.snapshot.copy() } : undefined;
  }

  forget(key: string): void {
    const error = this.#errors.get(key);
    if (error === undefined) return;
    this.#errors.delete(key);
    this.#memory.remove(error);
  }

  /** Forgets those of keys that others have written or deleted; not told which, all. */
  forgetChanged(keys: readonly string[] | undefined): void {
    if (this.#errors.size > 0) for (const key of keys ?? [...this.#errors.keys()]) this.forget(key);
  }

  clear(): void {
    this.forgetChanged(undefined);
  }
}
