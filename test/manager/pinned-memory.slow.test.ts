/** What a cache keeps is counted, and keeps nothing else in memory: texts cut from larger ones, tags, errors. */

import { describe, expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { measured, usedBytes } from '../helper/used-memory.js';

/** Bytes by which memory grows through `fill`. */
async function grownBy(fill: () => Promise<unknown>): Promise<number> {
  const before = await usedBytes();
  await fill();
  return (await usedBytes()).all - before.all;
}

const count = 300;

/** A slice of a text of 50 KB, other for each index. */
function sliceOf(index: number, length = 20): string {
  return Buffer.from(`${index} `.repeat(20_000).slice(0, 50_000))
    .toString()
    .slice(1, 1 + length);
}

describe('texts cut from larger ones', measured, () => {
  it.each<[string, (cache: CacheManager, index: number) => Promise<unknown>]>([
    ['as tags', (cache, i) => cache.set('tool', i, 1, { tags: [sliceOf(i)] })],
    ['as invalidated tags', (cache, i) => cache.invalidateTags([sliceOf(i)])],
    ['as params', (cache, i) => cache.set('tool', { [sliceOf(i)]: sliceOf(i + 1) }, 1)],
    ['as values', (cache, i) => cache.set('tool', i, sliceOf(i, 100))],
  ])('%s, keep those in memory no longer', async (_, put) => {
    for (const values of ['copy', 'reference'] as const) {
      const cache = new CacheManager({ values });
      const grown = await grownBy(async () => {
        for (let i = 0; i < count; i++) await put(cache, i);
      });
      // The texts they are cut from take 15 MB.
      expect(grown).toBeLessThan(3_000_000);
      await cache.close();
    }
  });
});

it('tags count two bytes a character where they take them', measured, async () => {
  const cache = new CacheManager({ maxSize: 100_000 });
  const grown = await grownBy(async () => {
    for (let i = 0; i < 500; i++) await cache.set('tool', i, 1, { tags: [`${'标签'.repeat(1000)}${i}`] });
  });
  expect(cache.stats().bytes / grown).toBeGreaterThan(0.8);
  await cache.close();
});

describe('remembered errors', measured, () => {
  const failing = (clock: FakeClock, message: (i: number) => string) => {
    const cache = new CacheManager({ clock, cacheErrors: () => 60_000 });
    const fail = async (i: number) => {
      const error = Object.assign(new Error('no'), { body: message(i) });
      await cache.getOrSet('tool', i, () => Promise.reject(error)).catch(() => {});
    };
    return { cache, fail };
  };
  const large = (i: number) => Buffer.from(`${i} `.repeat(150_000)).toString();

  it('take bounded memory, however large they are', async () => {
    const { cache, fail } = failing(new FakeClock(), large);
    const grown = await grownBy(async () => {
      for (let i = 0; i < 200; i++) await fail(i);
    });
    expect(grown).toBeLessThan(30_000_000);
    await cache.close();
  });

  it('leave once they have expired, though nobody asks for them', async () => {
    const clock = new FakeClock();
    const { cache, fail } = failing(clock, large);
    const grown = await grownBy(async () => {
      for (let i = 0; i < 30; i++) await fail(i);
      clock.advance(120_000);
    });
    expect(grown).toBeLessThan(3_000_000);
    await cache.close();
  });
});
