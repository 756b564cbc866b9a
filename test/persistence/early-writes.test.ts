import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { CacheManager } from '../../src/index.js';
import { type FileSystem, nodeFileSystem } from '../../src/persistence/file-system.js';
import { hashMethod } from '../../src/persistence/format/partition-name.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { makeDiskTier, testStart } from '../helper/disk-tier.js';
import { gate } from '../helper/gate.js';

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

test('what is written before the folder is open does not run ahead of the clock', async () => {
  const clock = new FakeClock(testStart);
  {
    await using cache = new CacheManager(options({ clock }));
    cache.setSync('square', 0, 'old');
    clock.advance(60_000);
    // The second is newer than the millisecond that the clock tells.
    void cache.clear('other');
    void cache.clear('other');
    await cache.open();
    await cache.set('square', 1, 'old');
  }
  clock.advance(1);
  await using cache = new CacheManager(options({ clock }));
  void cache.clear('square');
  clock.advance(60_010);
  await cache.open();
  expect([await cache.get('square', 0), await cache.get('square', 1)]).toEqual([undefined, undefined]);
});

test('what is written while the folder is being read is kept, though what was read already seems newer', async () => {
  const clock = new FakeClock(testStart + 3_600_000);
  {
    const { tier, set } = makeDiskTier({ persistDir: folder, clock });
    set('square', 0, 'old');
    set('square', 1, 'old');
    set('other', 0, 'old');
    await tier.close();
  }
  const release = gate();
  const others = `${hashMethod('other')}_`;
  let isReading = false;
  const files: FileSystem = {
    ...nodeFileSystem,
    async openToRead(path) {
      if (path.includes(others)) {
        isReading = true;
        await release.promise;
      }
      return nodeFileSystem.openToRead(path);
    },
  };
  const { tier, set, get, ...one } = makeDiskTier({ persistDir: folder, files });
  const opening = tier.open();
  await vi.waitUntil(() => isReading && tier.size === 2);
  set('square', 0, 'new');
  one.delete('square', 1);
  release.open();
  await opening;
  expect([await get('square', 0), await get('square', 1), await get('other', 0)]).toEqual([
    'new',
    undefined,
    'old',
  ]);
  await tier.close();
});
