/** How long looks into tiers take, while a dashboard watches: those behind memory as they happen, memory by trying some. */

import type { CacheCore } from '../manager/cache-context.js';
import { onTierLookup, type TierLookup, tryMemory } from '../manager/lookup-times.js';
import { LogLinearHistogram } from '../stats/log-linear-histogram.js';

/** Looks into one tier, in ms. */
export interface LookupFigures {
  readonly tier: string;
  readonly looks: number;
  readonly p50: number;
  readonly p99: number;
}

/** Methods whose entries are tried in memory. */
const mostMethods = 10;
/** Nanoseconds, by which memory is told apart too; what takes longer than 4 s counts as that. */
const nsPerMs = 1e6;
const longest = 2 ** 32 - 1;

interface TierTimes {
  readonly times: LogLinearHistogram;
  looks: number;
}

export class LookupTimes {
  readonly #core: CacheCore;
  readonly #tiers = new Map<string, TierTimes>();
  readonly stop: () => void;

  constructor(core: CacheCore) {
    this.#core = core;
    this.stop = onTierLookup(core, (lookup) => this.#note(lookup));
  }

  /** The figures now; `methods` begins with those that are used most. */
  async read(methods: readonly { readonly name: string }[]): Promise<readonly LookupFigures[]> {
    const names = methods.slice(0, mostMethods).map(({ name }) => name);
    for (const lookup of await tryMemory(this.#core, names)) this.#note(lookup);
    return Array.from(this.#tiers, ([tier, { looks, times }]) => {
      const [p50, p99] = [0.5, 0.99].map((share) => times.quantile(share) / nsPerMs) as [number, number];
      return { tier, looks, p50, p99 };
    });
  }

  #note({ tier, ms }: TierLookup): void {
    const known = this.#tiers.get(tier) ?? { times: new LogLinearHistogram(), looks: 0 };
    this.#tiers.set(tier, known);
    known.times.record(Math.min(longest, Math.max(1, Math.round(ms * nsPerMs))));
    known.looks += 1;
  }
}
