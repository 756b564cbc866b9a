/** The ceiling against what trying everything comes to. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AccessTrace, AccessTraceBuilder } from '../../../src/cli/simulate/access-trace.js';
import { beladyHits, nextUses, OptimumFinder } from '../../../src/cli/simulate/optimum.js';
import { Simulator } from '../../../src/cli/simulate/simulation.js';
import { storeNames } from '../../../src/store/registry.js';

interface Lookup {
  readonly key: number;
  readonly cost: number;
}

function traceOf(lookups: readonly Lookup[], sizes: readonly number[]): AccessTrace {
  const builder = new AccessTraceBuilder();
  for (const { key, cost } of lookups)
    builder.add({ key, costMs: cost, bytes: () => sizes[key % sizes.length] as number });
  return builder.build('trace');
}

/**
 * The most that any choice of victims comes to, found by trying all. `canSkip`: whether a cache may leave out what it
 * has just loaded.
 */
function bestOfAll(
  { keys, bytes, costs }: AccessTrace,
  room: number,
  { worthOf, canSkip }: { worthOf: (key: number, cost: number) => number; canSkip: boolean },
): number {
  const known = new Map<string, number>();
  const from = (at: number, held: readonly number[]): number => {
    if (at === keys.length) return 0;
    const state = `${at}:${held.join()}`;
    const before = known.get(state);
    if (before !== undefined) return before;
    const key = keys[at] as number;
    let best: number;
    if (held.includes(key)) best = worthOf(key, costs[at] as number) + from(at + 1, held);
    else {
      best = canSkip || (bytes[key] as number) > room ? from(at + 1, held) : 0;
      for (const rest of subsetsOf(held)) {
        const taken = [...rest, key];
        if (taken.reduce((sum, each) => sum + (bytes[each] as number), 0) > room) continue;
        best = Math.max(
          best,
          from(
            at + 1,
            taken.sort((a, b) => a - b),
          ),
        );
      }
    }
    known.set(state, best);
    return best;
  };
  return from(0, []);
}

function subsetsOf(held: readonly number[]): number[][] {
  return Array.from({ length: 2 ** held.length }, (_, mask) => held.filter((_each, at) => (mask >> at) & 1));
}

const lookups = fc.array(fc.record({ key: fc.nat(4), cost: fc.integer({ min: 1, max: 50 }) }), {
  minLength: 1,
  maxLength: 14,
});

describe('the optimum', () => {
  test('of a trace worked out by hand, as Belady evicts', () => {
    // a b c a b d a b c d in two places: a and b stay until their last use, so 4 hits; then c or d once more.
    const trace = traceOf(
      [0, 1, 2, 0, 1, 3, 0, 1, 2, 3].map((key) => ({ key, cost: 1 })),
      [1],
    );
    const next = nextUses(trace.keys, 4);
    expect([...next]).toEqual([3, 4, 8, 6, 7, 9, 10, 10, 10, 10]);
    expect([1, 2, 3, 4].map((size) => beladyHits(trace, next, size))).toEqual([0, 3, 5, 6]);
  });

  test('is what the best choice of victims comes to where sizes are equal', () => {
    fc.assert(
      fc.property(
        lookups,
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 9 }),
        (calls, entries, size) => {
          const trace = traceOf(calls, [size]);
          const { hits, hitBytes, isExact } = new OptimumFinder(trace).at(entries * size);
          expect(isExact).toBe(true);
          expect(hits).toBe(bestOfAll(trace, entries * size, { worthOf: () => 1, canSkip: false }));
          expect(hitBytes).toBe(hits * size);
        },
      ),
    );
  });

  test('is a bound of hits, bytes and time saved where sizes and costs differ', () => {
    let reached = 0;
    fc.assert(
      fc.property(
        lookups,
        fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 2, maxLength: 5 }),
        fc.integer({ min: 1, max: 12 }),
        (calls, sizes, room) => {
          const trace = traceOf(calls, sizes);
          const optimum = new OptimumFinder(trace).at(room);
          const best = (worthOf: (key: number, cost: number) => number) =>
            bestOfAll(trace, room, { worthOf, canSkip: true });
          const hits = best(() => 1);
          if (!optimum.isExact) expect(optimum.hits).toBeGreaterThanOrEqual(hits);
          if (optimum.hits === hits && hits > 0) reached += 1;
          if (!optimum.isExact)
            expect(optimum.hitBytes).toBeGreaterThanOrEqual(best((key) => trace.bytes[key] as number));
          expect(optimum.savedMs).toBeGreaterThanOrEqual(
            bestOfAll(trace, room, { worthOf: (_, cost) => cost, canSkip: !optimum.isExact }) - 1e-6,
          );
        },
      ),
    );
    // A bound that is never reached would be worth nothing.
    expect(reached).toBeGreaterThan(10);
  });

  test('is exceeded by no store', () => {
    const sizes = [3, 900, 20, 150, 7];
    const many = fc.array(fc.record({ key: fc.nat(60), cost: fc.integer({ min: 1, max: 900 }) }), {
      minLength: 1,
      maxLength: 600,
    });
    fc.assert(
      fc.property(
        many,
        fc.constantFrom([10], sizes),
        fc.integer({ min: 1, max: 4000 }),
        (calls, bytes, room) => {
          const trace = traceOf(calls, bytes);
          const optimum = new OptimumFinder(trace).at(room);
          const simulator = new Simulator(trace);
          for (const name of storeNames()) {
            const { hits, hitBytes, savedMs } = simulator.run(name, room);
            expect(hits, name).toBeLessThanOrEqual(optimum.hits);
            expect(hitBytes, name).toBeLessThanOrEqual(optimum.hitBytes + 1e-6);
            expect(savedMs, name).toBeLessThanOrEqual(optimum.savedMs + 1e-6);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
