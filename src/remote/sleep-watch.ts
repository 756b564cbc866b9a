/**
 * Whether the machine was asleep: the time that elapses stands still then, and only the clock shows that what was known before may
 * be long out of date.
 */

import type { Clock } from '../clock.js';

/** So far the clock may go ahead of the time that elapses without that being noted, in ms. */
const leastSleep = 250;

/** Tells the time that elapses, and whether something was known before the machine was asleep. */
export class SleepWatch implements Pick<Clock, 'elapsed'> {
  readonly #clock: Clock;
  /** What the clock said when the elapsed time was 0. */
  #origin: number;
  /** When the machine was last seen to be awake again. A clock that was set forward looks the same. */
  wokeAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#origin = clock.now() - clock.elapsed();
  }

  elapsed(): number {
    const now = this.#clock.elapsed();
    const origin = this.#clock.now() - now;
    if (origin > this.#origin + leastSleep) {
      this.wokeAt = now;
      this.#origin = origin;
    } else if (origin < this.#origin) this.#origin = origin;
    return now;
  }
}
