import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nthSmallest } from '../../../src/persistence/consolidate/nth-smallest.js';

/** What it comes to, and its steps. */
function run(numbers: Float64Array, n: number): { result: number; steps: number } {
  const search = nthSmallest(numbers, n);
  for (let steps = 0; ; steps += 1) {
    const { done, value } = search.next();
    if (done === true) return { result: value, steps };
  }
}

describe('the n-th smallest number', () => {
  it('is the one that sorting puts there, whatever the spread', () => {
    const spreads = [
      (at: number) => at % 7,
      (at: number) => (at * 7_919) % 100_003,
      (at: number) => 1.7e15 + ((at * 31) % 9_001),
      (at: number) => (at === 0 ? 2 ** 53 : at % 3),
      () => 5,
    ];
    const spread = fc.constantFrom(...spreads);
    fc.assert(
      fc.property(
        spread,
        fc.integer({ min: 1, max: 20_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (of, length, share) => {
          const numbers = Float64Array.from({ length }, (_, at) => of(at));
          const n = Math.max(1, Math.ceil(length * share));
          expect(run(numbers, n).result).toBe(numbers.slice().sort()[n - 1]);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('is less than all where none is asked for, and the largest where more are than there are', () => {
    expect(run(Float64Array.of(1, 2), 0).result).toBe(Number.NEGATIVE_INFINITY);
    expect(run(new Float64Array(0), 3).result).toBe(Number.NEGATIVE_INFINITY);
    expect(run(Float64Array.of(2, 1), 3).result).toBe(2);
  });

  it('is found in many steps, in time that grows with the numbers only', () => {
    const steps = (length: number) =>
      run(
        Float64Array.from({ length }, (_, at) => (at * 7_919) % length),
        length / 2,
      ).steps;
    expect(steps(200_000)).toBeGreaterThan(30);
    expect(steps(800_000)).toBeLessThan(steps(200_000) * 4.5);
  });
});
