/** Policies on traces worked out by hand, and what is recommended after them. */

import { describe, expect, test } from 'vitest';
import { AccessTraceBuilder, footprintOf } from '../../../src/cli/simulate/access-trace.js';
import { recommend } from '../../../src/cli/simulate/recommendation.js';
import { Simulator } from '../../../src/cli/simulate/simulation.js';
import { parseSizes, resolveSizes } from '../../../src/cli/simulate/sizes.js';
import { UsageError } from '../../../src/cli/usage-error.js';

function simulator(text: string, facts: Readonly<Record<string, { bytes?: number; costMs?: number }>> = {}) {
  const builder = new AccessTraceBuilder();
  for (const key of text) {
    const { bytes, costMs } = facts[key] ?? {};
    builder.add({ key, costMs, bytes: bytes === undefined ? undefined : () => bytes });
  }
  return new Simulator(builder.build('trace'));
}

test('sizes that can’t be counted one by one are refused', () => {
  const builder = new AccessTraceBuilder();
  for (const key of ['a', 'b']) builder.add({ key, bytes: () => Number.MAX_SAFE_INTEGER });
  expect(() => footprintOf(builder.build('trace'))).toThrow(
    /^Expected sizes of less than 2\^53 bytes in all, got/,
  );
});

describe('a simulation', () => {
  test.each([
    // a b in; c evicts a (lru, fifo), then a evicts b, …
    ['lru', 'abcab', 2, 0],
    // a is hit, so b leaves for c; a is hit again.
    ['lru', 'abaca', 2, 2],
    // a came first and leaves for c, its hit notwithstanding; a then evicts b.
    ['fifo', 'abaca', 2, 1],
    ['ttl', 'abaca', 2, 1],
    // a has two uses when c comes, so b leaves; and when d comes, c.
    ['lfu', 'aabcadab', 2, 3],
    // c evicts a, which evicts b in turn.
    ['lru', 'aabcadab', 2, 2],
  ])('under %s of %s in %i entries comes to %i hits', (policy, trace, size, hits) => {
    expect(simulator(trace).run(policy, size)).toMatchObject({ hits });
  });

  test('counts bytes and what the lookups that hit would have cost', () => {
    const facts = { a: { bytes: 100, costMs: 5 }, b: { bytes: 10, costMs: 70 } };
    expect(simulator('abab', facts).run('lru', 110)).toEqual({
      ...{ hits: 2, hitBytes: 110, savedMs: 75, evicted: 0, mostEntries: 2 },
    });
    // Room for one of them: each evicts the other.
    expect(simulator('abab', facts).run('lru', 100)).toEqual({
      ...{ hits: 0, hitBytes: 0, savedMs: 0, evicted: 3, mostEntries: 1 },
    });
    // gdsf keeps b, which saves 7 ms per byte, rather than a.
    const cheap = { ...facts, c: { bytes: 100, costMs: 5 } };
    expect(simulator('bacbacb', cheap).run('gdsf', 110)).toMatchObject({ hits: 2, savedMs: 140 });
  });

  test('runs one policy after the other from an empty cache each time', () => {
    const one = simulator('abcabc');
    expect(one.run('lru', 3).hits).toBe(3);
    expect(one.run('fifo', 3).hits).toBe(3);
    expect(one.run('lru', 3).hits).toBe(3);
  });

  test('does not store what is larger than the cache', () => {
    expect(simulator('aab', { a: { bytes: 50 }, b: { bytes: 5 } }).run('lru', 10)).toMatchObject({
      ...{ hits: 0, evicted: 0, mostEntries: 1 },
    });
  });
});

describe('sizes', () => {
  test('are shares of all keys, or amounts, ascending and each once', () => {
    expect(resolveSizes(parseSizes('50%, 1KiB,10,100%'), 1024)).toEqual([10, 512, 1024]);
    expect(resolveSizes(parseSizes('0.01%'), 10)).toEqual([1]);
  });

  test.each(['0%', '101%', 'much', '', '1%,'])('are refused where they are %j', (text) => {
    expect(() => parseSizes(text)).toThrow(UsageError);
  });
});

describe('the recommendation', () => {
  const figures = (hits: number, savedMs: number) => ({
    ...{ hits, savedMs, hitBytes: 0, evicted: 0, mostEntries: hits + 1 },
  });
  const optimum = figures(1000, 1000);
  const at = (maxBytes: number, lru: readonly [number, number], gdsf: readonly [number, number]) => ({
    ...{
      maxBytes,
      optimum,
      policies: new Map([
        ['lru', figures(...lru)],
        ['gdsf', figures(...gdsf)],
      ]),
    },
  });

  test('is what saves most time, of the smallest size that comes near to it', () => {
    const sizes = [at(10, [40, 10], [30, 50]), at(20, [80, 60], [70, 96]), at(40, [90, 100], [90, 100])];
    expect(recommend(sizes, true)).toEqual({ eviction: 'gdsf', maxBytes: 20, maxSize: 71 });
    // Without costs, what hits most.
    expect(recommend(sizes, false)).toEqual({ eviction: 'lru', maxBytes: 40, maxSize: 91 });
  });

  test('is the policy named first where none is better by more than 1 %', () => {
    expect(recommend([at(10, [1000, 0], [1009, 0])], false)).toMatchObject({ eviction: 'lru' });
    expect(recommend([at(10, [1000, 0], [1020, 0])], false)).toMatchObject({ eviction: 'gdsf' });
  });

  test('is none where nothing hits', () => {
    expect(recommend([at(10, [0, 0], [0, 0])], true)).toBeUndefined();
  });
});
