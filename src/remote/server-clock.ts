/** A server's clock, measured against the time that elapses here whenever it tells what time it is. */

import type { Clock } from '../clock.js';
import type { ClockOffset } from '../stamp.js';

/** What time a server has said that it is, in microseconds, and when it was asked, by `Clock.elapsed()`. */
export interface ServerTime {
  readonly time: number;
  readonly askedAt: number;
}

/** How a server's clock stands to the time that elapses here, in microseconds. */
interface Measure {
  /** What it said when that was 0. */
  readonly origin: number;
  /** How far off that was at `at`, in ms. */
  readonly uncertainty: number;
  readonly at: number;
}

/** A clock that tells milliseconds is off by as much, in microseconds. */
const precision = 1_000;
/** By how many microseconds two clocks part in a ms at most, unless one is set: each is slewed by 500 ppm at most. */
const drift = 1;

export class ServerClock {
  readonly #clock: Clock;
  #measure: Measure | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Takes in what time it is there; whether that clock was set back since the last time, or another server's is behind.
   * A slow answer tells little: what is known from a faster one stays as long as they agree.
   */
  hear({ time, askedAt }: ServerTime): boolean {
    const at = this.#clock.elapsed();
    const half = Math.ceil((at - askedAt) * 500);
    const heard = { origin: time + half - Math.floor(at * 1_000), uncertainty: half + precision, at };
    const known = this.#measure;
    if (known === undefined) {
      this.#measure = heard;
      return false;
    }
    const uncertainty = uncertaintyAt(known, at);
    const ahead = heard.origin - known.origin;
    const agrees = Math.abs(ahead) <= uncertainty + heard.uncertainty;
    const isKept = agrees && uncertainty < heard.uncertainty;
    this.#measure = isKept ? { origin: known.origin, uncertainty, at } : heard;
    return !agrees && ahead < 0;
  }

  /** A time that it has not passed yet, in microseconds. */
  latest(): number {
    if (this.#measure === undefined) return 0;
    const at = this.#clock.elapsed();
    return Math.ceil(this.#measure.origin + at * 1_000 + uncertaintyAt(this.#measure, at));
  }

  /** How the machine's clock stands to it at this moment. */
  offset(): ClockOffset {
    const { origin, uncertainty } = this.#measure ?? { origin: 0, uncertainty: 0 };
    const ahead = this.#clock.now() * 1_000 - Math.floor(origin + this.#clock.elapsed() * 1_000);
    return { ahead, uncertainty };
  }
}

function uncertaintyAt({ uncertainty, at }: Measure, now: number): number {
  return uncertainty + Math.ceil((now - at) * drift);
}
