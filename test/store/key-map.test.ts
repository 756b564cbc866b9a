import { hash } from 'node:crypto';
import { expect, test } from 'vitest';
import { createKeyMap, hashOf, largestMap, quickHashOf, shardOf } from '../../src/store/key-map.js';

const count = 64_000;

test.each([
  ['digests', (index: number) => hash('md5', String(index))],
  ['numbered keys', (index: number) => `key ${index}`],
  ['keys that end alike', (index: number) => `${index}:some/long/path/that/all/of/them/share`],
  ['one-character keys', (index: number) => String.fromCharCode(index)],
])('spreads %s evenly enough', (_, keyOf) => {
  const shares = new Map<number, number>();
  for (let index = 0; index < count; index += 1) {
    const shard = shardOf(keyOf(index));
    shares.set(shard, (shares.get(shard) ?? 0) + 1);
  }
  expect(Math.max(...shares.values())).toBeLessThan((2 * count) / 64);
});

test('is a plain Map for as many keys as one can serve', () => {
  expect(createKeyMap(largestMap)).toBeInstanceOf(Map);
  expect(createKeyMap(largestMap + 1)).not.toBeInstanceOf(Map);
});

test('takes the last eight digits of a digest for its hash, and all of any other key', () => {
  for (let index = 0; index < 1000; index += 1) {
    const digest = hash('md5', String(index));
    expect(quickHashOf(digest)).toBe(Number.parseInt(digest.slice(24), 16) | 0);
    expect(quickHashOf(digest.toUpperCase())).toBe(quickHashOf(digest));
    for (const key of [`key ${index}`, digest.slice(1), `${digest}0`])
      expect(quickHashOf(key)).toBe(hashOf(key));
  }
});
