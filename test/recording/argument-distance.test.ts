/** The distance of calls, by their arguments. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { distanceBetween, leavesOf } from '../../src/recording/argument-distance.js';

const between = (one: unknown, other: unknown) => distanceBetween(leavesOf(one), leavesOf(other));

describe('the distance of two calls', () => {
  it.each<[string, unknown, unknown, number, string[]]>([
    ['nothing', { a: 1, b: [] }, { b: [], a: 1 }, 0, []],
    ['one number of two', { a: 1, b: 2 }, { a: 1, b: 3 }, 1 / 2, ['b']],
    ['a number that is nearly the same', { id: 1001 }, { id: 1002 }, 1, ['id']],
    ['an id', { id: 'W-1' }, { id: 'X-1' }, 1 / 2, ['id']],
    ['one word each', { q: 'mvcc' }, { q: 'lsm' }, 1, ['q']],
    [
      'words, two of three in common',
      { q: 'Cheap flights Rome' },
      { q: 'cheap flights Paris' },
      1 / 3,
      ['q'],
    ],
    ['the order of words', { q: 'rome to paris' }, { q: 'paris to rome' }, 0.01, ['q']],
    ['a kind', { a: 1 }, { a: '1' }, 1, ['a']],
    ['null and undefined', { a: null, b: undefined }, { a: undefined, b: null }, 1, ['a', 'b']],
    ['a member more', { a: 1 }, { a: 1, b: 2 }, 1 / 2, ['b']],
    ['places in lists', { tags: ['a', 'b', 'c'] }, { tags: ['a', 'x'] }, 2 / 3, ['tags.1', 'tags.2']],
    ['a list and an empty one', { tags: [] }, { tags: ['a'] }, 1, ['tags', 'tags.0']],
    ['params that are text', 'one two', 'one three', 1 / 2, ['']],
    ['names that are no plain segments', { 'a.b': { '': 1 } }, { 'a.b': { '': 2 } }, 1, ['["a.b"][""]']],
    ['dates', { at: new Date(1) }, { at: new Date(2) }, 1, ['at']],
    ['maps, as a whole', { m: new Map([['a', 1]]) }, { m: new Map([['a', 2]]) }, 1, ['m']],
  ])('is made by %s', (_, one, other, distance, paths) => {
    expect(between(one, other)).toEqual({ distance: expect.closeTo(distance, 10), paths });
    expect(between(other, one).distance).toBeCloseTo(distance, 10);
  });

  it('is from 0 to 1, the same in both directions, and 0 exactly where no path differs', () => {
    const params = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.jsonValue({ maxDepth: 2 }));
    fc.assert(
      fc.property(params, params, (one, other) => {
        const { distance, paths } = between(one, other);
        expect(distance).toBeGreaterThanOrEqual(0);
        expect(distance).toBeLessThanOrEqual(1);
        expect(between(other, one).distance).toBeCloseTo(distance, 12);
        expect(distance === 0).toBe(paths.length === 0);
        expect(between(one, structuredClone(one))).toEqual({ distance: 0, paths: [] });
      }),
    );
  });

  it('takes what lies too deep as one leaf', () => {
    let deep: unknown = 1;
    let other: unknown = 2;
    for (let level = 0; level < 2_000; level += 1) [deep, other] = [{ d: deep }, { d: other }];
    const { distance, paths } = between(deep, other);
    expect([distance, paths.length]).toEqual([1, 1]);
  });
});
