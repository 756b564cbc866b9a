import { expect, it } from 'vitest';
import { CacheManager, UnhashableParamsError } from '../../src/index.js';

it('runs a call whose params are too long for a key uncached, and counts it', async () => {
  const cache = new CacheManager();
  const size = cache.wrap(async (text: string) => text.length, { name: 'size' });
  const text = 'x'.repeat(2 ** 27);
  expect(await size(text)).toBe(2 ** 27);
  expect(await cache.getOrSet('size', { text }, async () => 1)).toBe(1);
  expect(cache.stats('size')).toMatchObject({ uncached: 2, entries: 0 });
  await expect(cache.get('size', { text })).rejects.toThrow(UnhashableParamsError);
  await cache.close();
});
