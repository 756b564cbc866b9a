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

/** Above every writer's id. */
export const lastWriter = 'f'.repeat(16);

/** What only this stamp, and newer ones, are newer than. */
export function justBefore({ time }: Stamp): Stamp {
  return { time: time - 1, writer: lastWriter };
}

/** How the machine's clock stands to the one that the processes of a shared folder go by, in microseconds. */
export interface ClockOffset {
  /** By how much the machine's clock is ahead. */
  readonly ahead: number;
  /** How far off that may be. */
  readonly uncertainty: number;
}

/** The times of stamps, where several give them out from one source. */
export interface StampSequence {
  /** A time that is no earlier than `now`, and later than all it has given out. */
  advance(now: number): number;
}

/** How far apart the clocks of processes that go by a shared one may be, in microseconds. */
export const clockSlack = 1_000_000;

/** By how much stamps of one's own are ahead that were given out at once, in microseconds. */
const mostAhead = 10_000;

/** How stamps are given out. */
export interface StampClockOptions {
  readonly sequence?: StampSequence | undefined;
  /**
   * Whether only the time that elapses tells how the clock that is followed goes on, whatever the machine's own clock is set to:
   * other machines, which compare stamps with theirs, don't hear of that.
   */
  readonly isSteady?: boolean;
}

/** Gives out stamps, each newer than every stamp this process has given out or seen. */
export class StampClock {
  readonly writer: string;
  readonly #wall: WallClock;
  #newest = 0;
  readonly #sequence: StampSequence | undefined;
  #offset: ClockOffset = { ahead: 0, uncertainty: 0 };

  constructor(clock: Clock, writer: string, { sequence, isSteady = false }: StampClockOptions = {}) {
    this.#sequence = sequence;
    this.#wall = isSteady ? new WallClock(clock, true) : sharedWall(clock);
    this.writer = writer;
  }

  /** The stamp of a change that is made now. */
  next(): Stamp {
    return this.#stamp(this.#wall.now() - this.#offset.ahead);
  }

  /**
   * The stamp of what is loaded from now on: as early as the moment may have been, so that it can't outrank a deletion
   * that another process makes after it.
   */
  begin(): Stamp {
    const { ahead, uncertainty } = this.#offset;
    return this.#stamp(this.#wall.now() - ahead - uncertainty);
  }

  /**
   * The same where others stamp their changes by the clock that is followed. What was given out before that, by a clock
   * that is ahead, is no measure: all that they change for as long would be older.
   */
  beginAmongOthers(): Stamp {
    const { ahead, uncertainty } = this.#offset;
    const now = this.#wall.now() - ahead;
    return this.#newest <= now + uncertainty + mostAhead
      ? this.begin()
      : { time: now - uncertainty, writer: this.writer };
  }

  /** Takes note of another writer's stamp, so that the next own one is newer. */
  observe(stamp: Stamp): void {
    if (stamp.time > this.#newest) this.#newest = stamp.time;
  }

  /** The newest that was given out or seen. */
  get newest(): Stamp {
    return { time: this.#newest, writer: this.writer };
  }

  /** Goes by the clock of a shared folder, or of a server, from now on. */
  follow({ ahead, uncertainty }: ClockOffset): void {
    // Of a clock that tells fractions of a millisecond: stamps are whole.
    this.#offset = { ahead: Math.floor(ahead), uncertainty: Math.ceil(uncertainty) };
    this.#wall.look();
  }

  /** Takes so many microseconds off what was given out, where all of it is stamped anew by as much. */
  setBack(by: number): void {
    this.#newest = Math.max(0, this.#newest - by);
  }

  #stamp(now: number): Stamp {
    this.#newest = this.#sequence?.advance(now) ?? Math.max(now, this.#newest + 1);
    return { time: this.#newest, writer: this.writer };
  }
}

/** A sample of two clocks that took longer says little about how they stand to each other, in ms. */
const longestSample = 0.05;

/**
 * Wall time in whole microseconds: a clock tells milliseconds, and the time elapsed since one began tells the rest. The
 * time always lies within the millisecond that the clock tells, also after it was set, but for one that is steady: that goes on
 * from the last look at the clock.
 */
class WallClock {
  readonly #clock: Clock;
  readonly #isSteady: boolean;
  /** The wall time at which the elapsed time was 0, in ms; the machine knows that of its own process. */
  #origin = performance.timeOrigin;

  constructor(clock: Clock, isSteady: boolean) {
    this.#clock = clock;
    this.#isSteady = isSteady;
    this.look();
  }

  /** Takes the clock's time for that of this moment. */
  look(): void {
    if (this.#isSteady) this.#origin = this.#clock.now() - this.#clock.elapsed();
  }

  now(): number {
    const wall = this.#clock.now();
    const time = this.#origin + this.#clock.elapsed();
    const fits = this.#isSteady || (time >= wall && time < wall + 1);
    return fits ? Math.floor(time * 1_000) : this.#aligned();
  }

  /** The time by a new look at both clocks, which it brings into line where the look was short enough. */
  #aligned(): number {
    const before = this.#clock.elapsed();
    const wall = this.#clock.now();
    const after = this.#clock.elapsed();
    const bounded = boundedBy(this.#origin + after, wall);
    if (after - before < longestSample) this.#origin = bounded - after;
    return Math.floor(bounded * 1_000);
  }
}

/** What a process has learned of how its two clocks stand to each other is known to all that it begins. */
const walls = new WeakMap<Clock, WallClock>();

function sharedWall(clock: Clock): WallClock {
  const known = walls.get(clock) ?? new WallClock(clock, false);
  walls.set(clock, known);
  return known;
}

/** The nearest time in a millisecond; its beginning when the two have nothing to do with each other. */
function boundedBy(time: number, wall: number): number {
  if (time >= wall && time < wall + 1) return time;
  return time >= wall + 1 && time < wall + 2 ? wall + 0.999 : wall;
}
