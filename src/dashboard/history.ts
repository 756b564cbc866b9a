/** How things went before the page was opened: figures of the past, as sums since the start, in a bounded number. */

import type { CacheStats } from '../index.js';

/** What was counted so far, of all and of each method. */
export interface Counted {
  readonly stats: CacheStats;
  readonly methods: readonly { readonly name: string; readonly stats: CacheStats }[];
}

const kept = [
  'hitRate',
  'hits',
  'staleHits',
  'staleIfErrors',
  'softTimeouts',
  'coalesced',
  'misses',
  'uncached',
  'savedMs',
] as const;

/** What charts are drawn from. */
export type PastStats = Pick<CacheStats, (typeof kept)[number]> & {
  readonly loadTime: Pick<CacheStats['loadTime'], 'count' | 'mean'>;
};

/** A moment of the past. */
export interface PastFigures {
  /** Epoch ms. */
  readonly time: number;
  readonly stats: PastStats;
  readonly methods: readonly { readonly name: string; readonly stats: PastStats }[];
}

/** Some 200 KB. */
const mostPoints = 300;
const mostMethods = 12;

/** Moments of the past. Once there are too many, each second one goes: it all fits, in less detail the longer it is. */
export class History {
  readonly #points: PastFigures[] = [];
  /** Of so many moments one is kept. */
  #every = 1;
  #left = 0;

  get points(): readonly PastFigures[] {
    return this.#points;
  }

  add(time: number, { stats, methods }: Counted): void {
    this.#left -= 1;
    if (this.#left > 0) return;
    this.#left = this.#every;
    const busiest = methods
      .slice(0, mostMethods)
      .map(({ name, stats: own }) => ({ name, stats: pastOf(own) }));
    this.#points.push({ time, stats: pastOf(stats), methods: busiest });
    if (this.#points.length <= mostPoints) return;
    const rest = this.#points.filter((_, at) => at % 2 === 0);
    this.#points.splice(0, this.#points.length, ...rest);
    this.#every *= 2;
  }
}

function pastOf(stats: CacheStats): PastStats {
  const { count, mean } = stats.loadTime;
  const counts = Object.fromEntries(kept.map((field) => [field, stats[field]]));
  return { ...(counts as Pick<CacheStats, (typeof kept)[number]>), loadTime: { count, mean } };
}
