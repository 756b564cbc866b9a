/** Which policy and size to take, of those that were simulated. */

import type { Answered, SimulationFigures } from './simulation.js';

/** All that was simulated at one size. */
export interface SizeFigures<O extends Answered = Answered> {
  /** Bytes, or entries where the trace knows no sizes. */
  readonly maxBytes: number;
  readonly optimum: O;
  readonly policies: ReadonlyMap<string, SimulationFigures>;
}

/** What to take. */
export interface Recommendation {
  readonly eviction: string;
  readonly maxBytes: number;
  /** The most entries it held at once. */
  readonly maxSize: number;
}

/** A policy must be better by this share to be preferred to one named before it: simpler ones come first. */
const worthwhileGain = 0.01;

/** The smallest size that comes so near to the largest is large enough. */
const nearlyAll = 0.95;

/**
 * Recommends what saves most time, or where costs are not known has most hits. The policy is that of the largest sum over
 * all sizes, the size the smallest at which it comes to 95 % of what it does at any; `undefined` where nothing hits.
 */
export function recommend(sizes: readonly SizeFigures[], hasCosts: boolean): Recommendation | undefined {
  const worth = (figures: Answered | undefined) => (hasCosts ? figures?.savedMs : figures?.hits) ?? 0;
  const names = [...(sizes[0]?.policies.keys() ?? [])];
  const sums = names.map((name) => sizes.reduce((sum, { policies }) => sum + worth(policies.get(name)), 0));
  const best = Math.max(0, ...sums);
  if (best === 0) return undefined;
  const eviction = names.find((_, at) => (sums[at] as number) >= best * (1 - worthwhileGain)) as string;
  const most = Math.max(...sizes.map(({ policies }) => worth(policies.get(eviction))));
  const size = sizes.find(({ policies }) => worth(policies.get(eviction)) >= most * nearlyAll) as SizeFigures;
  return { eviction, maxBytes: size.maxBytes, maxSize: size.policies.get(eviction)?.mostEntries ?? 1 };
}
