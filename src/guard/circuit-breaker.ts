/**
 * Circuit breaker: a tool that fails too often is not called for a while, then tried with a single call.
 *
 * After Nygard, "Release It!", 2007. Our own and not cockatiel's, because that one reads `Date.now` (a clock set back
 * keeps it open, and tests can't move it), lets callers wait for the probe (up to a tool's 60 s, with a stale answer
 * at hand), waits for ever for a probe that never ends, and counts outcomes of calls from before it opened.
 */

import type { Clock } from '../clock.js';
import { CircuitOpenError } from '../errors.js';
import { type FailureCounter, type FailureThreshold, failureCounter } from './failure-threshold.js';

/** Where a breaker stands. Moments are `Clock.elapsed()` milliseconds. */
export type CircuitState =
  /** Calls go through and their outcomes count. */
  | { readonly kind: 'closed' }
  /** No call goes through before `until`; the first one after it is the probe. */
  | { readonly kind: 'open'; readonly until: number }
  /** A probe is under way and decides. If it has not by `until`, the next call is another probe. */
  | { readonly kind: 'half-open'; readonly until: number };

export interface CircuitBreakerOptions {
  /** What is guarded; it appears in error messages. */
  readonly name: string;
  /** How many failures are too many. */
  readonly threshold: FailureThreshold;
  /** How long the circuit stays open, in ms. */
  readonly openForMs: number;
  readonly clock: Clock;
  /** Told of every change, after it. It must not throw. */
  readonly onStateChange?: ((state: CircuitState, previous: CircuitState) => void) | undefined;
}

/** One call let through. Exactly one of these is called when its outcome is known; later ones do nothing. */
export interface Attempt {
  succeeded(): void;
  failed(): void;
  /** The outcome tells nothing about the tool: the caller gave up, or the params were wrong. */
  withdrawn(): void;
}

/** A breaker, one per tool. */
export class CircuitBreaker {
  readonly #options: CircuitBreakerOptions;
  readonly #failures: FailureCounter;
  #state: CircuitState = { kind: 'closed' };

  constructor(options: CircuitBreakerOptions) {
    this.#options = options;
    this.#failures = failureCounter(options.threshold, options.clock);
  }

  get state(): CircuitState {
    return this.#state;
  }

  /**
   * Lets a call through.
   *
   * @throws CircuitOpenError while the circuit is open
   */
  enter(): Attempt {
    const { clock, openForMs } = this.#options;
    this.check();
    if (this.#state.kind !== 'closed') {
      this.#become({ kind: 'half-open', until: clock.elapsed() + openForMs });
    }
    return this.#attempt(this.#state);
  }

  /**
   * Changes nothing and lets nobody through: for those who would have to queue before they enter.
   *
   * @throws CircuitOpenError when a call would not be let through now
   */
  check(): void {
    if (this.#state.kind === 'closed') return;
    const { clock, name } = this.#options;
    const wait = this.#state.until - clock.elapsed();
    if (wait <= 0) return;
    throw this.#state.kind === 'open'
      ? new CircuitOpenError(wait, `\`${name}\` failed too often and is tried again in ${Math.ceil(wait)} ms`)
      : new CircuitOpenError(0, `\`${name}\` failed too often and is being tried with another call just now`);
  }

  /** What a call from an earlier state says is out of date: only the current state's calls are heard. */
  #attempt(admittedIn: CircuitState): Attempt {
    let isOver = false;
    const once = (outcome: () => void) => () => {
      if (isOver) return;
      isOver = true;
      if (this.#state === admittedIn) outcome();
    };
    const isProbe = admittedIn.kind === 'half-open';
    return {
      succeeded: once(() => {
        if (isProbe) this.#close();
        else this.#failures.succeeded();
      }),
      failed: once(() => {
        if (isProbe || this.#failures.failed()) this.#open(this.#options.openForMs);
      }),
      withdrawn: once(() => {
        if (isProbe) this.#open(0);
      }),
    };
  }

  #open(forMs: number): void {
    this.#become({ kind: 'open', until: this.#options.clock.elapsed() + forMs });
  }

  #close(): void {
    this.#failures.reset();
    this.#become({ kind: 'closed' });
  }

  #become(state: CircuitState): void {
    const previous = this.#state;
    this.#state = state;
    this.#options.onStateChange?.(state, previous);
  }
}
