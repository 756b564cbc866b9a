import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CacheManager } from '../../src/index.js';

let folder: string;
let given: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toolstash-given-'));
  given = join(folder, 'given');
  await using cache = await CacheManager.open({ persist: true, persistDir: given, flushOnExit: false });
  for (let n = 0; n < 5; n += 1) await cache.set('square', n, n * n, { tags: [`n${n}`] });
  await cache.set('cube', 2, 8);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Every file of the folder with what would show a change of it. */
async function traces(): Promise<string[]> {
  const names = await readdir(folder, { recursive: true });
  const all = names.map(async (name) => {
    const { size, mtimeMs, ino } = await stat(join(folder, name));
    return `${name} ${size} ${mtimeMs} ${ino}`;
  });
  return (await Promise.all(all)).sort();
}

/** A cache that reads the files and, holding one entry in memory, has to ask them again and again. */
const open = (options: object = {}) => CacheManager.open({ loadCache: given, maxSize: 1, ...options });

describe('given files without `persist`', () => {
  test('answer, while nothing at all is written', async () => {
    const before = await traces();
    const cwd = await readdir('.');
    const cache = await open();
    expect(await cache.get('square', 3)).toBe(9);
    expect(await cache.lookup('cube', 2)).toMatchObject({ value: 8, tier: 'disk' });
    await cache.set('square', 7, 49);
    await cache.delete('square', 1);
    await cache.clear('cube');
    await cache.invalidateTags(['n2']);
    await cache.load();
    await cache.load({ mode: 'full' });
    await cache.flush();
    await cache.close();
    expect(await traces()).toEqual(before);
    expect(await readdir('.')).toEqual(cwd);
    expect(cache.stats().cacheErrors).toBe(0);
  });

  test('never bring an older answer back: what was set, deleted, cleared or invalidated lies over them', async () => {
    await using cache = await open();
    await cache.set('square', 3, 'newer');
    await cache.delete('square', 1);
    await cache.invalidateTags(['n2']);
    await cache.clear('cube');
    const look = async () => [
      await cache.get('square', 4),
      await cache.get('square', 3),
      await cache.get('square', 1),
      await cache.get('square', 2),
      await cache.get('cube', 2),
    ];
    const answers = [16, undefined, undefined, undefined, undefined];
    expect(await look()).toEqual(answers);
    await cache.load({ mode: 'full' });
    expect(await look()).toEqual(answers);
    await cache.load({ files: [given] });
    expect(await look()).toEqual(answers);
    const values = [];
    for await (const { value } of cache) values.push(value);
    expect(values.sort()).toEqual([0, 16]);
    await cache.clear();
    expect(await cache.get('square', 4)).toBeUndefined();
  });

  test('take in what their writer adds, at a load', async () => {
    await using cache = await open();
    await using writer = await CacheManager.open({ persist: true, persistDir: given });
    await writer.set('square', 9, 81);
    await writer.set('square', 3, 'written later');
    await writer.flush();
    expect(await cache.get('square', 9)).toBeUndefined();
    await cache.load();
    expect(await cache.get('square', 9)).toBe(81);
    expect(await cache.get('square', 3)).toBe('written later');
  });

  test('hold no value that is too large for memory: it counts as refused, and what it replaced is gone', async () => {
    await using cache = await open({ maxEntryBytes: 5_000 });
    expect(await cache.set('square', 3, 'x'.repeat(10_000))).toBe(false);
    expect(cache.stats()).toMatchObject({ sets: 0, refused: 1 });
    expect(await cache.get('square', 3)).toBeUndefined();
    expect(await cache.set('square', 3, 'small')).toBe(true);
    expect(cache.stats()).toMatchObject({ sets: 1, refused: 1 });
    const answer = await cache.getOrSet('square', 99, async () => 'y'.repeat(10_000));
    expect(answer).toHaveLength(10_000);
    expect(cache.stats()).toMatchObject({ sets: 1, refused: 2 });
  });

  test('that are not there are refused, with and without a folder of its own', () => {
    const loadCache = [folder, join(folder, 'nowhere')];
    for (const persist of [false, true]) {
      expect(() => new CacheManager({ loadCache, persist, persistDir: join(folder, 'own') })).toThrow(
        expect.objectContaining({
          code: 'ERR_INVALID_OPTION',
          message: `Expected \`loadCache\` to name files or folders that are there, got \`${join(folder, 'nowhere')}\``,
        }),
      );
    }
  });

  test('that have gone since are told at opening, and no call fails for it', async () => {
    const leaving = await mkdtemp(join(folder, 'given-'));
    const cache = new CacheManager({ loadCache: leaving });
    await rm(leaving, { recursive: true });
    await expect(cache.open()).rejects.toMatchObject({
      code: 'ERR_STORAGE',
      message: `Can't read ${leaving}: there is no such file or folder`,
    });
    expect(await cache.getOrSet('square', 3, async () => 'from the tool')).toBe('from the tool');
    await cache.close();
  });
});

test('a cache with neither `persist` nor `loadCache` has nothing to load', async () => {
  await using cache = new CacheManager({ loadCache: [] });
  await expect(cache.load()).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' });
});
