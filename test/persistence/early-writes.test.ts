import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { CacheManager } from '../../src/index.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toolstash-early-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const options = (more: object = {}) => ({
  persist: true,
  persistDir: folder,
  maxSize: 1,
  flushOnExit: false,
  consolidateInterval: null,
  ...more,
});

describe('what is written before the folder is open, on a clock that was set back since its last writing', () => {
  beforeEach(async () => {
    const ahead = { ...systemClock, now: () => systemClock.now() + 3_600_000 };
    await using cache = await CacheManager.open(options({ clock: ahead }));
    for (let n = 0; n < 3; n += 1) await cache.set('square', n, 'old');
    await cache.set('tagged', 0, 'old', { tags: ['a'] });
    await cache.set('cleared', 0, 'old');
  });

  const look = async (cache: CacheManager) => [
    await cache.get('square', 0),
    await cache.get('square', 1),
    await cache.get('square', 2),
    await cache.get('tagged', 0),
    await cache.get('cleared', 0),
    await cache.get('cleared', 1),
  ];
  const right = ['newer', undefined, 'old', undefined, undefined, 'newest'];

  test.each(['single', 'multi'])('is newer all the same (`%s`)', async (mode) => {
    {
      await using cache = new CacheManager(options({ mode }));
      const writes = [
        cache.set('square', 0, 'new'),
        cache.set('square', 0, 'newer'),
        cache.delete('square', 1),
        cache.set('cleared', 1, 'new'),
        cache.clear('cleared'),
        cache.set('cleared', 1, 'newest'),
        cache.invalidateTags(['a']),
      ];
      await cache.open();
      expect(await look(cache)).toEqual(right);
      await Promise.all(writes);
      await cache.flush();
      expect(await look(cache)).toEqual(right);
      await cache.load({ mode: 'full' });
      expect(await look(cache)).toEqual(right);
    }
    await using cache = await CacheManager.open(options({ mode }));
    expect(await look(cache)).toEqual(right);
  });

  test('is older than what is written later', async () => {
    {
      await using cache = new CacheManager(options());
      cache.setSync('square', 0, 'new');
      await cache.open();
      await cache.set('square', 0, 'newer');
      await cache.delete('square', 1);
    }
    await using cache = await CacheManager.open(options());
    expect((await look(cache)).slice(0, 2)).toEqual(['newer', undefined]);
  });
});
