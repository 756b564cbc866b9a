/** Stamps: who is newer, decided by a hybrid logical clock and not by wall time (Kulkarni et al. 2014). */

import type { Clock } from './clock.js';

/** When something was written, in the order that all writers agree on. */
export interface Stamp {
  /** Hybrid logical time in microseconds since the epoch; an integer that a double holds. */
  readonly time: number;
  /** The writer's id: 16 hex digits. It breaks ties. */
  readonly writer: string;
}

/** Negative when `a` is older than `b`, positive when newer, 0 when they are one and the same. */
export function compareStamps(a: Stamp, b: Stamp): number {
  if (a.time !== b.time) return a.time - b.time;
  return a.writer < b.writer ? -1 : a.writer > b.writer ? 1 : 0;
}

/** Gives out stamps, each newer than every stamp this process has given out or seen. */
export class StampClock {
  readonly writer: string;
  readonly #clock: Clock;
  #newest = 0;

  constructor(clock: Clock, writer: string) {
    this.#clock = clock;
    this.writer = writer;
  }

  next(): Stamp {
    this.#newest = Math.max(this.#clock.now() * 1000, this.#newest + 1);
    return { time: this.#newest, writer: this.writer };
  }

  /** Takes note of another writer's stamp, so that the next own one is newer. */
  observe(stamp: Stamp): void {
    if (stamp.time > this.#newest) this.#newest = stamp.time;
  }
}
