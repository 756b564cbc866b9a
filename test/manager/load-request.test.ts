import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CacheError, CacheManager, type LoadRequest } from '../../src/index.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'toolstash-load-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const disk = (name: string) =>
  ({ persist: true, persistDir: join(folder, name), consolidateInterval: null, flushOnExit: false }) as const;

async function write(name: string, method: string): Promise<void> {
  await using cache = await CacheManager.open(disk(name));
  await cache.set(method, 1, name);
}

describe('load', () => {
  it('of a path that is not there rejects in a sentence, and later loads go on', async () => {
    await write('other', 'm');
    await using cache = await CacheManager.open(disk('own'));
    await cache.set('own', 1, 'kept');
    await cache.flush();
    const missing = join(folder, 'none');
    const failing = cache.load({ files: [join(folder, 'other'), missing] });
    await expect(failing).rejects.toMatchObject({
      code: 'ERR_STORAGE',
      message: `Can't read ${missing}: there is no such file or folder`,
    });
    expect(await cache.get('m', 1)).toBeUndefined();
    await cache.load({ mode: 'full' });
    await cache.load();
    expect(await cache.get('own', 1)).toBe('kept');
  });

  it('in full goes on without a given folder that has gone, reports it, and finds it once it is back', async () => {
    await write('other', 'm');
    await using cache = await CacheManager.open({ ...disk('own'), maxSize: 1 });
    const errors: CacheError[] = [];
    cache.on('error', ({ error }) => errors.push(error));
    await cache.load({ files: [join(folder, 'other')] });
    renameSync(join(folder, 'other'), join(folder, 'away'));
    await cache.load({ mode: 'full' });
    expect(errors).toMatchObject([{ code: 'ERR_STORAGE', message: expect.stringContaining('no such file') }]);
    expect(await cache.get('m', 1)).toBeUndefined();
    renameSync(join(folder, 'away'), join(folder, 'other'));
    await cache.load({ mode: 'full' });
    expect(await cache.get('m', 1)).toBe('other');
  });

  it('takes a single path', async () => {
    await write('other', 'm');
    await using cache = await CacheManager.open(disk('own'));
    await cache.load({ files: join(folder, 'other') });
    expect(await cache.get('m', 1)).toBe('other');
  });

  it.each<[string, unknown, string]>([
    [
      'an unknown mode',
      { mode: 'ful' },
      "Expected `mode` of `load` to be 'incremental' or 'full', got `'ful'`",
    ],
    ['an unknown field', { file: ['a'] }, 'Unknown field `file` of `load`: did you mean `files`?'],
    ['no object', null, 'Expected what `load` is given to be an object, got `null`'],
    ['a list', ['a'], "Expected what `load` is given to be an object, got `[ 'a' ]`"],
    [
      'files that are none',
      { files: [7] },
      'Expected `files` of `load` to be a path or an array of paths, got `[ 7 ]`',
    ],
    [
      'an empty path',
      { files: '' },
      "Expected `files` of `load` to be a path or an array of paths, got `''`",
    ],
    [
      'a mode that the files make void',
      { mode: 'full', files: ['a'] },
      'Expected `mode` or `files` of `load`, got both: files are read as a whole',
    ],
  ])('refuses %s', async (_name, request, message) => {
    await using cache = await CacheManager.open(disk('own'));
    await expect(cache.load(request as LoadRequest)).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      message,
    });
  });
});
