/** How long loads take: a histogram a method, made when its first load returns. */

import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

/** A distribution of load times, in milliseconds. All 0 while nothing was loaded. */
export interface LoadTimes {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** One hour in microseconds: longer loads count as this long. */
const longest = 3_600_000_000;

/** Records load times with two significant figures. */
export class LoadTimeRecorder {
  #histogram: RecordableHistogram | undefined;
  #sumMs = 0;
  #count = 0;

  record(loadMs: number): void {
    this.#histogram ??= createHistogram({ lowest: 1, highest: longest, figures: 2 });
    this.#histogram.record(Math.min(Math.max(1, Math.round(loadMs * 1000)), longest));
    this.#sumMs += loadMs;
    this.#count++;
  }

  /** The mean load time in ms, 0 while nothing was loaded. */
  get meanMs(): number {
    return this.#count === 0 ? 0 : this.#sumMs / this.#count;
  }

  add(other: LoadTimeRecorder): void {
    if (other.#histogram === undefined) return;
    this.#histogram ??= createHistogram({ lowest: 1, highest: longest, figures: 2 });
    this.#histogram.add(other.#histogram);
    this.#sumMs += other.#sumMs;
    this.#count += other.#count;
  }

  /** Forgets everything. */
  clear(): void {
    this.#histogram?.reset();
    this.#sumMs = 0;
    this.#count = 0;
  }

  summary(): LoadTimes {
    const histogram = this.#histogram;
    if (histogram === undefined || this.#count === 0)
      return { count: 0, mean: 0, p50: 0, p95: 0, p99: 0, max: 0 };
    const percentile = (share: number) => histogram.percentile(share) / 1000;
    return {
      count: this.#count,
      mean: this.meanMs,
      p50: percentile(50),
      p95: percentile(95),
      p99: percentile(99),
      max: histogram.max / 1000,
    };
  }
}
