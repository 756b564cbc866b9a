/** Seeded randomness: the same seed draws the same numbers on every machine. */

import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** Draws numbers from [0, 1). */
export type Random = () => number;

/** A generator for a seed and, where several independent ones are wanted, a stream's numbers. */
export function seededRandom(seed: number, ...stream: readonly number[]): Random {
  // Each round mixes with a multiplier of MurmurHash3, so that neighbouring seeds don't give similar sequences.
  const mixed = stream.reduce(
    (state, part) => Math.imul(state ^ part, 0x85ebca6b) ^ (state >>> 13),
    seed | 0,
  );
  const generator = xoroshiro128plus(mixed);
  return () => uniformFloat64(generator);
}

/**
 * Draws ranks 0 … count−1, rank r with a probability proportional to 1 / (r + 1)^exponent (Zipf's law): the few
 * popular queries make most of the calls.
 */
export function zipfRanks(count: number, exponent: number): (random: Random) => number {
  const cumulative = new Float64Array(count);
  let sum = 0;
  for (let rank = 0; rank < count; rank += 1) {
    sum += (rank + 1) ** -exponent;
    cumulative[rank] = sum;
  }
  return (random) => {
    const target = random() * sum;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (cumulative[middle]! > target) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}
