/** How long loads take: a histogram a method, made when its first load returns. */

import { type HistogramState, LogLinearHistogram } from './log-linear-histogram.js';

/** A distribution of load times, in milliseconds. All 0 while nothing was loaded. */
export interface LoadTimes {
  /** Loads that returned. */
  readonly count: number;
  /** Their mean. */
  readonly mean: number;
  /** What half of them took at most. */
  readonly p50: number;
  /** What 95 % of them took at most. */
  readonly p95: number;
  /** What 99 % of them took at most. */
  readonly p99: number;
  /** What the longest took. */
  readonly max: number;
}

/** What was recorded. */
export interface LoadTimesState {
  readonly sumMs: number;
  readonly count: number;
  readonly times: HistogramState | undefined;
}

const nothing: LoadTimesState = { sumMs: 0, count: 0, times: undefined };

/** One hour in microseconds: longer loads count as this long. */
const longest = 3_600_000_000;

/** Records load times in microseconds: percentiles within one percent, the mean and, up to an hour, the maximum exactly. */
export class LoadTimeRecorder {
  /** Many methods are only ever set: they have none. */
  #histogram: LogLinearHistogram | undefined;
  #sumMs: number;
  #count: number;

  /** @param state what another has recorded, elsewhere */
  constructor({ sumMs, count, times }: LoadTimesState = nothing) {
    this.#histogram = times && new LogLinearHistogram(times);
    this.#sumMs = sumMs;
    this.#count = count;
  }

  record(loadMs: number): void {
    this.#histogram ??= new LogLinearHistogram();
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
    this.#histogram ??= new LogLinearHistogram();
    this.#histogram.add(other.#histogram);
    this.#sumMs += other.#sumMs;
    this.#count += other.#count;
  }

  get state(): LoadTimesState {
    return { sumMs: this.#sumMs, count: this.#count, times: this.#histogram?.state };
  }

  /** Forgets everything. */
  clear(): void {
    this.#histogram = undefined;
    this.#sumMs = 0;
    this.#count = 0;
  }

  summary(): LoadTimes {
    const histogram = this.#histogram;
    if (histogram === undefined) return { count: 0, mean: 0, p50: 0, p95: 0, p99: 0, max: 0 };
    return {
      count: this.#count,
      mean: this.meanMs,
      p50: histogram.quantile(0.5) / 1000,
      p95: histogram.quantile(0.95) / 1000,
      p99: histogram.quantile(0.99) / 1000,
      max: histogram.max / 1000,
    };
  }
}
