import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CacheManager } from '../../../src/index.js';
import {
  hashMethod,
  monthFolder,
  partitionFileName,
  utcDay,
} from '../../../src/persistence/format/partition-name.js';

let parent: string;
let folder: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'toolstash-maker-'));
  folder = join(parent, 'cache');
});
afterEach(() => rm(parent, { recursive: true, force: true }));

const open = (options: object = {}) =>
  CacheManager.open({
    persist: true,
    persistDir: folder,
    maxSize: 1,
    flushOnExit: false,
    consolidateInterval: null,
    ...options,
  });

test.each([999_999_999, 999_999_000])(
  'a file with the number %i leaves room for others that are read again',
  async (partition) => {
    const day = utcDay(Date.now());
    const month = join(folder, monthFolder(day));
    await mkdir(month, { recursive: true });
    for (const number of [0, partition]) {
      const name = partitionFileName({ methodHash: hashMethod('square'), day, partition: number });
      await writeFile(join(month, name), '');
    }
    {
      await using cache = await open({ partitionBytes: 1 });
      for (let n = 0; n < 3; n += 1) {
        await cache.set('square', n, n * n);
        await cache.flush();
      }
    }
    await using cache = await open();
    for (let n = 0; n < 3; n += 1) expect(await cache.get('square', n)).toBe(n * n);
    expect(await readdir(month)).toHaveLength(5);
  },
);

describe.each(['os', 'disk'])(
  'a folder that is removed while it is in use (`durability: %s`)',
  (durability) => {
    test('is made again by the next flush, and holds what was written since', async () => {
      {
        await using cache = await open({ durability });
        await cache.set('square', 1, 1);
        await cache.flush();
        await rm(folder, { recursive: true });
        await cache.set('square', 2, 4);
        await cache.flush();
        expect(existsSync(folder)).toBe(true);
        expect(await cache.get('square', 2)).toBe(4);
        expect(await cache.getOrSet('square', 1, async () => 'from the tool')).toBe('from the tool');
      }
      await using cache = await open({ durability });
      expect(await cache.get('square', 2)).toBe(4);
      expect(await cache.get('square', 1)).toBe('from the tool');
    });
  },
);
