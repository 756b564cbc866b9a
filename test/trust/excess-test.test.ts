/** How often chance is taken for more than a bound, and how soon what is more. */

import { describe, expect, it } from 'vitest';
import { ExcessTest, upperTail } from '../../src/trust/excess-test.js';

/** mulberry32 */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** In how many of 200 sequences of 5,000 a share is found to be above 1 %. */
function surely(share: number): number {
  let sure = 0;
  for (let seed = 0; seed < 200; seed++) {
    const random = seeded(seed);
    const test = new ExcessTest(0.01, 20);
    let found = 0;
    for (let of = 1; of <= 5_000; of++) {
      if (random() < share) found++;
      if (test.isSure(found, of)) {
        sure++;
        break;
      }
    }
  }
  return sure;
}

describe('a share that is looked at again and again', () => {
  it('is found to be above a bound that it is not above in 5 % of all cases at most', () => {
    expect(surely(0.008)).toBeLessThanOrEqual(10);
    expect(surely(0.01)).toBeLessThanOrEqual(10);
  });

  it('is found to be above one that it is far above', () => {
    expect(surely(0.05)).toBe(200);
  });

  it('is looked at from the least count on, and at twice the count then', () => {
    const test = new ExcessTest(0, 3);
    const counts = Array.from({ length: 12 }, (_, at) => at + 1);
    expect(counts.filter((of) => test.isSure(1, of))).toEqual([3, 6, 12]);
    expect(new ExcessTest(1, 1).isSure(9, 9)).toBe(false);
  });
});

// As of SciPy's `binom.sf(found - 1, of, share)`.
it.each([
  [2, 20, 0.01, 0.016859],
  [10, 10, 0.3, 5.9049e-6],
  [3, 10, 0.1, 0.070191],
  [1, 20, 0, 0],
  [0, 20, 0, 1],
])('so many or more: %i of %i at %f', (found, of, share, tail) => {
  expect(upperTail(found, of, share) / (tail || 1)).toBeCloseTo(tail && 1, 3);
});
