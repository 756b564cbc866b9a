/** A cache that can't be opened holds nothing afterwards. */

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CacheClosedError, CacheManager } from '../../src/index.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'toolstash-half-open-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

for (const mode of ['single', 'multi'] as const) {
  it(`CacheManager.open() that rejects gives a folder of mode: ${mode} back`, async () => {
    const listeners = process.listenerCount('beforeExit');
    // No such path can be read, which shows only when it is tried.
    const unreadable = join(folder, 'n'.repeat(300));
    const options = { persist: true, persistDir: folder, mode } as const;
    await expect(CacheManager.open({ ...options, loadCache: unreadable })).rejects.toMatchObject({
      cause: { code: 'ENAMETOOLONG' },
    });
    expect(process.listenerCount('beforeExit')).toBe(listeners);
    const left = readdirSync(folder, { recursive: true }).filter((name) => /lock|json/.test(String(name)));
    expect(left).toEqual([]);
    const cache = await CacheManager.open({ persist: true, persistDir: folder });
    await cache.set('search', 1, 'one');
    await cache.close();
  });
}

it('a second cache on the folder, as of a module that is evaluated again, is told loudly what to do', async () => {
  const warnings: Error[] = [];
  const hear = (warning: Error) => warnings.push(warning);
  process.on('warning', hear);
  const options = { persist: true, persistDir: folder } as const;
  const first = await CacheManager.open(options);
  const second = new CacheManager(options);
  const errors: Error[] = [];
  second.on('error', ({ error }) => errors.push(error));
  await second.set('search', 1, 'one');
  await expect(second.flush()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_TAKEN' });
  await new Promise(setImmediate);
  process.off('warning', hear);
  expect(errors[0]?.message).toContain('another cache of this process');
  expect(warnings).toMatchObject([{ name: 'ToolstashWarning', code: 'TOOLSTASH_FOLDER_TAKEN' }]);
  expect(warnings[0]?.message).toContain('globalThis.toolCache ??= new CacheManager(');
  await first.close();
  await second.flush();
  await second.close();
  const third = await CacheManager.open(options);
  expect(await third.get('search', 1)).toBe('one');
  await third.close();
});

describe('a cache that can not open its folder', () => {
  let warnings: Error[];
  const hear = (warning: Error) => warnings.push(warning);

  beforeEach(() => {
    warnings = [];
    process.on('warning', hear);
  });

  afterEach(() => void process.off('warning', hear));

  /** Makes calls of a cache, and tells of what it warns. */
  async function work(cache: CacheManager): Promise<Error[]> {
    for (const each of ['a', 'a', 'b']) expect(await cache.getOrSet('tool', each, () => each)).toBe(each);
    const code = expect.stringMatching(/^ERR_(STORAGE|DIRECTORY_TAKEN)$/);
    await expect(cache.flush()).rejects.toMatchObject({ code });
    await expect(cache.close()).rejects.toMatchObject({ code });
    await expect(cache.get('tool', 'a')).rejects.toBeInstanceOf(CacheClosedError);
    await new Promise(setImmediate);
    return warnings;
  }

  /** A path that can't be made, not even by root. */
  function unusable(): string {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    return join(file, 'cache');
  }

  it('says once that nothing is kept, and why', async () => {
    const persistDir = unusable();
    const warned = await work(new CacheManager({ persist: true, persistDir }));
    expect(warned).toMatchObject([{ name: 'ToolstashWarning', code: 'TOOLSTASH_FOLDER_UNOPENED' }]);
    expect(warned[0]?.message).toMatch(/^Opening .*ENOTDIR.* is not kept on disk$/);
    expect(warned[0]?.message).toContain(persistDir);
    expect(await work(new CacheManager({ persist: true, persistDir }))).toHaveLength(1);
  });

  it('says so where others hold the folder', async () => {
    const holder = await CacheManager.open({ persist: true, persistDir: folder, mode: 'multi' });
    const warned = await work(new CacheManager({ persist: true, persistDir: folder }));
    await holder.close();
    expect(warned).toMatchObject([{ code: 'TOOLSTASH_FOLDER_TAKEN' }]);
    expect(warned[0]?.message).toMatch(/is shared by .*`mode: 'multi'`.* is not kept on disk$/);
  });

  it('does not where a listener or the caller hears of it', async () => {
    const heard = new CacheManager({ persist: true, persistDir: unusable() });
    heard.on('error', () => undefined);
    expect(await work(heard)).toEqual([]);
    await expect(CacheManager.open({ persist: true, persistDir: unusable() })).rejects.toThrow('ENOTDIR');
    await new Promise(setImmediate);
    expect(warnings).toEqual([]);
  });
});

it('what was begun before close() does not take the folder again after it', async () => {
  const options = { persist: true, persistDir: folder } as const;
  const cache = new CacheManager({ ...options, loadCache: join(folder, 'n'.repeat(300)) });
  await expect(cache.open()).rejects.toThrow();
  const late = [cache.load(), cache.consolidate(), cache.load({ mode: 'full' })];
  const outcomes = Promise.allSettled(late);
  await cache.close();
  await outcomes;
  expect(readdirSync(folder)).toEqual([]);
});
