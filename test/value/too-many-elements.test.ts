import { describe, expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { maxElements } from '../../src/value/msgpack/limits.js';

describe('a result of more elements than a value may hold', () => {
  const rows = new Array<number>(maxElements + 1).fill(7);

  it('is handed out by calls, uncached and counted', async () => {
    await using cache = new CacheManager();
    const tool = async () => rows;
    expect(await cache.getOrSet('rows', 1, tool)).toHaveLength(rows.length);
    expect(await cache.wrap(tool, { name: 'wrapped' })()).toHaveLength(rows.length);
    expect(cache.stats()).toMatchObject({ loads: 2, sets: 0, entries: 0, uncached: 2 });
  });

  it('is refused by set, which names the count and the bound', async () => {
    await using cache = new CacheManager();
    await expect(cache.set('rows', 1, rows)).rejects.toThrow(`at most ${maxElements} elements`);
    expect(await cache.set('rows', 1, rows.slice(1))).toBe(true);
    expect(await cache.get('rows', 1)).toHaveLength(maxElements);
  });
});
