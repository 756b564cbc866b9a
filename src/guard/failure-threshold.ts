/** Failure thresholds: how many failures are too many. */

import type { Clock } from '../clock.js';
import { expected, integer } from '../option-checks.js';

/** So many failures in a row. */
export interface ConsecutiveThreshold {
  readonly failures: number;
}

/** At least this share of the calls of late, once there were enough of them to tell. */
export interface SampledThreshold {
  /** From above 0 to 1. */
  readonly failureRate: number;
  /** Fewer calls than this within the window never open the circuit. */
  readonly minimumCalls: number;
  /** How far back calls count, in ms. Old ones leave in steps of a tenth of it. */
  readonly withinMs: number;
}

export type FailureThreshold = ConsecutiveThreshold | SampledThreshold;

/** A running judgement of outcomes. */
export interface FailureCounter {
  succeeded(): void;
  /** Notes a failure and returns whether there are now too many. */
  failed(): boolean;
  /** Forgets all outcomes. */
  reset(): void;
}

/** Makes the tally of a threshold. Throws `InvalidOptionError` on one that makes no sense. */
export function failureCounter(threshold: FailureThreshold, clock: Clock): FailureCounter {
  if ('failures' in threshold) {
    integer(threshold.failures, 'circuitBreaker.failures');
    return new ConsecutiveCounter(threshold.failures);
  }
  const isRate = (value: number) => value > 0 && value <= 1;
  check('failureRate', threshold.failureRate, isRate, 'above 0 and at most 1');
  integer(threshold.minimumCalls, 'circuitBreaker.minimumCalls');
  check('withinMs', threshold.withinMs, (value) => value > 0 && value < Infinity, 'a positive number of ms');
  return new SampledCounter(threshold, clock);
}

class ConsecutiveCounter implements FailureCounter {
  readonly #most: number;
  #inARow = 0;

  constructor(most: number) {
    this.#most = most;
  }

  succeeded(): void {
    this.#inARow = 0;
  }

  failed(): boolean {
    return ++this.#inARow >= this.#most;
  }

  reset(): void {
    this.#inARow = 0;
  }
}

const sliceCount = 10;

/** Counts per tenth of the window, in a ring; a slice is emptied when its place is needed again. */
class SampledCounter implements FailureCounter {
  readonly #threshold: SampledThreshold;
  readonly #clock: Clock;
  readonly #slices = Array.from({ length: sliceCount }, () => ({ ordinal: -1, calls: 0, failures: 0 }));

  constructor(threshold: SampledThreshold, clock: Clock) {
    this.#threshold = threshold;
    this.#clock = clock;
  }

  succeeded(): void {
    this.#currentSlice().calls++;
  }

  failed(): boolean {
    const current = this.#currentSlice();
    current.calls++;
    current.failures++;
    let calls = 0;
    let failures = 0;
    for (const slice of this.#slices) {
      if (slice.ordinal <= current.ordinal - sliceCount) continue;
      calls += slice.calls;
      failures += slice.failures;
    }
    const { failureRate, minimumCalls } = this.#threshold;
    return calls >= minimumCalls && failures >= failureRate * calls;
  }

  reset(): void {
    for (const slice of this.#slices) slice.ordinal = Number.NEGATIVE_INFINITY;
  }

  #currentSlice() {
    const ordinal = Math.floor((this.#clock.elapsed() * sliceCount) / this.#threshold.withinMs);
    const slice = this.#slices[ordinal % sliceCount]!;
    if (slice.ordinal !== ordinal) Object.assign(slice, { ordinal, calls: 0, failures: 0 });
    return slice;
  }
}

function check(name: string, value: number, isRight: (value: number) => boolean, what: string): void {
  if (typeof value === 'number' && isRight(value)) return;
  throw expected(`circuitBreaker.${name}`, what, value);
}
