import { cp, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CacheManager } from '../../src/index.js';

let folder: string;
let own: string;
let backup: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toolstash-copies-'));
  own = join(folder, 'own');
  backup = join(folder, 'backup');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A cache that holds one entry in memory, and so has to ask the files. */
const open = (options: object = {}) =>
  CacheManager.open({
    persist: true,
    persistDir: own,
    maxSize: 1,
    consolidateInterval: null,
    flushOnExit: false,
    ...options,
  });

async function write(cache: CacheManager, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n += 1) {
    await cache.set('square', n, n * n);
    await cache.flush();
  }
}

const copy = () => cp(own, backup, { recursive: true, filter: (path) => !path.includes('.claim') });

async function answers(cache: CacheManager): Promise<unknown[]> {
  const values = [];
  for (let n = 0; n < 8; n += 1) values.push(await cache.get('square', n));
  return values;
}

/** Every file of the backup with what would show a change of it. */
async function traces(): Promise<string[]> {
  const names = await readdir(backup, { recursive: true });
  const all = names.map(async (name) => {
    const path = join(backup, name);
    const { size, mtimeMs, ino, nlink } = await stat(path);
    const isFile = name.endsWith('.cache');
    return `${name} ${size} ${mtimeMs} ${ino} ${nlink} ${isFile ? await readFile(path, 'base64') : ''}`;
  });
  return (await Promise.all(all)).sort();
}

describe('an older copy of the folder that is given besides it', () => {
  test('takes nothing from the folder, and is not changed by repairs and consolidations', async () => {
    const first = await open();
    await write(first, 0, 4);
    await copy();
    await write(first, 4, 8);
    await first.set('square', 0, 'newer');
    await first.delete('square', 1);
    await first.close();
    const before = await traces();
    const expected = ['newer', undefined, 4, 9, 16, 25, 36, 49];
    await using cache = await open({ loadCache: backup });
    expect(await answers(cache)).toEqual(expected);
    await cache.load();
    await cache.load({ mode: 'full' });
    expect(await answers(cache)).toEqual(expected);
    await cache.consolidate();
    expect(await answers(cache)).toEqual(expected);
    expect(cache.stats().cacheErrors).toBe(0);
    expect(await traces()).toEqual(before);
  });

  test('may come while the folder is written to', async () => {
    await using cache = await open();
    await write(cache, 0, 3);
    await copy();
    await write(cache, 3, 6);
    await cache.load({ files: [backup] });
    await write(cache, 6, 8);
    expect(await answers(cache)).toEqual([0, 1, 4, 9, 16, 25, 36, 49]);
    expect(cache.stats().cacheErrors).toBe(0);
  });
});

test('a newer copy of the folder that is given besides it tells what the folder lacks', async () => {
  const first = await open();
  await write(first, 0, 4);
  await copy();
  await write(first, 4, 8);
  await first.close();
  const older = join(folder, 'older');
  await cp(backup, older, { recursive: true });
  await using cache = await open({ persistDir: older, loadCache: own });
  expect(await answers(cache)).toEqual([0, 1, 4, 9, 16, 25, 36, 49]);
  expect(cache.stats().cacheErrors).toBe(0);
});

test('an older copy of a file that is put beside it in the folder takes nothing from it', async () => {
  const first = await open();
  await write(first, 0, 4);
  await copy();
  await write(first, 4, 8);
  await first.close();
  await using cache = await open();
  const [month] = (await readdir(backup)).filter((name) => /^\d{4}-\d{2}$/.test(name));
  const [name] = await readdir(join(backup, month!));
  await cp(join(backup, month!, name!), join(own, month!, name!.replace('_0.cache', '_7.cache')));
  await cache.load();
  expect(await answers(cache)).toEqual([0, 1, 4, 9, 16, 25, 36, 49]);
  await cache.load({ mode: 'full' });
  expect(await answers(cache)).toEqual([0, 1, 4, 9, 16, 25, 36, 49]);
  expect(cache.stats().cacheErrors).toBe(0);
});
