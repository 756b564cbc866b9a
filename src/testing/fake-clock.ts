/** A clock that tests move by hand: wall time, elapsed time and timers. */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock, Timer } from '../clock.js';

interface PendingTimer {
  readonly due: number;
  readonly order: number;
  readonly callback: () => void;
}

/**
 * A `Clock` whose time stands still until a test moves it.
 *
 * As with Node's own timers, a delay below 1 ms counts as 1 ms, so a timer that arms itself again with a delay of 0
 * runs once for every millisecond that passes.
 *
 * @example
 * const clock = new FakeClock();
 * const cache = new CacheManager({ clock, ttl: '5m' });
 * clock.advance(5 * 60_000); // now everything set before has expired
 */
export class FakeClock implements Clock {
  #wall: number;
  #elapsed = 0;
  #order = 0;
  readonly #timers = new Set<PendingTimer>();

  /** A clock that stands until it is moved. @param start The wall time to start from, in epoch ms. */
  constructor(start = Date.UTC(2026, 0, 1)) {
    this.#wall = start;
  }

  now(): number {
    return this.#wall;
  }

  elapsed(): number {
    return this.#elapsed;
  }

  schedule(callback: () => void, delayMs: number): Timer {
    const timer = { due: this.#elapsed + Math.max(1, delayMs), order: this.#order++, callback };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  /** How many timers are armed. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Lets `ms` pass. Timers that come due run in order, each at its own moment, those they arm included. */
  advance(ms: number): void {
    const target = this.#elapsed + ms;
    for (let timer = this.#nextDue(target); timer; timer = this.#nextDue(target)) this.#fire(timer);
    this.#moveTo(target);
  }

  /** Like `advance`, and lets promises settle before, between and after the timers. */
  async advanceAsync(ms: number): Promise<void> {
    const target = this.#elapsed + ms;
    await this.flush();
    for (let timer = this.#nextDue(target); timer; timer = this.#nextDue(target)) {
      this.#fire(timer);
      await this.flush();
    }
    this.#moveTo(target);
    await this.flush();
  }

  /** Lets promises settle without moving the time. */
  async flush(): Promise<void> {
    await nextTurn();
  }

  /** Sets the wall time alone, as when the machine's clock is corrected. Timers and elapsed time don't notice. */
  setWallTime(epochMs: number): void {
    this.#wall = epochMs;
  }

  #nextDue(target: number): PendingTimer | undefined {
    let next: PendingTimer | undefined;
    for (const timer of this.#timers) {
      if (timer.due > target) continue;
      if (!next || timer.due < next.due || (timer.due === next.due && timer.order < next.order)) next = timer;
    }
    return next;
  }

  #fire(timer: PendingTimer): void {
    this.#timers.delete(timer);
    this.#moveTo(timer.due);
    timer.callback();
  }

  #moveTo(elapsed: number): void {
    // A callback may itself have moved the time further.
    if (elapsed <= this.#elapsed) return;
    this.#wall += elapsed - this.#elapsed;
    this.#elapsed = elapsed;
  }
}
