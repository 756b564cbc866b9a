/** What the tiers behind memory hold, counted again no more often than it takes. */

import type { CacheCore } from './cache-context.js';

/** What a tier holds of a method, or of all where it does not tell them apart. */
export interface MethodUsage {
  readonly tier: string;
  /** `undefined`: of all. */
  readonly method: string | undefined;
  readonly entries: number;
  /** `undefined` where they are not known. */
  readonly bytes: number | undefined;
  readonly files: number | undefined;
}

/** Counting takes at most this share of the time: an index of a million entries is gone through in slices. */
const mostOften = 1 / 50;

/** The usage of one cache's tiers. */
export class TierUsages {
  readonly #core: CacheCore | undefined;
  #latest: Promise<readonly MethodUsage[]> | undefined;
  #freshUntil = 0;

  constructor(core: CacheCore | undefined) {
    this.#core = core;
  }

  /** As it is now, or was counted a short time ago. Of a tier that fails nothing is told. */
  read(): Promise<readonly MethodUsage[]> {
    const began = performance.now();
    if (this.#latest === undefined || began > this.#freshUntil) {
      this.#freshUntil = Number.POSITIVE_INFINITY;
      this.#latest = this.#count().finally(() => {
        const now = performance.now();
        this.#freshUntil = now + (now - began) / mostOften;
      });
    }
    return this.#latest;
  }

  async #count(): Promise<readonly MethodUsage[]> {
    const usages: MethodUsage[] = [];
    for (const tier of this.#core?.tiers.slow ?? []) {
      try {
        const byMethod = await tier.usage?.();
        if (byMethod !== undefined) usages.push(...byMethod.map((usage) => ({ ...usage, tier: tier.name })));
        else if (tier.size !== undefined)
          usages.push({
            tier: tier.name,
            method: undefined,
            entries: tier.size,
            bytes: undefined,
            files: undefined,
          });
      } catch {
        // A tier that can't be read says so in events and errors.
      }
    }
    return usages;
  }
}
