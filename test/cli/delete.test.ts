import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { CacheManager, type CacheOptions, hashKey } from '../../src/index.js';
import { type CommandLine, openCommandLine } from './open-command-line.js';

let commandLine: CommandLine;
let persistDir: string;
beforeAll(async () => {
  commandLine = await openCommandLine();
  persistDir = join(commandLine.folder, 'cache');
});
beforeEach(async () => {
  await using cache = await open({ keepParams: true });
  for (const scope of ['a', 'b']) for (const q of [1, 2]) await cache.set('search', { q }, q, { scope });
  await cache.set('search', { q: 1, trace: 7 }, 'plain');
  await cache.set('other', { q: 1 }, 'other', { scope: 'a' });
  const versioned = cache.wrap(async ({ q }: { q: number }) => q, { name: 'search', version: '2' });
  await versioned({ q: 1 });
});
afterEach(() => rm(persistDir, { recursive: true, force: true }));
afterAll(() => commandLine.remove());

const open = (options: CacheOptions = {}) =>
  CacheManager.open({ persist: true, persistDir, flushOnExit: false, consolidateInterval: null, ...options });
const toolstash = (args: readonly string[], input?: string) =>
  commandLine.run(['delete', 'cache', ...args], input);

/** How many entries of a method there are. */
async function count(method: string): Promise<number> {
  await using cache = await open();
  let found = 0;
  for await (const _ of cache.entries(method)) found += 1;
  return found;
}

test('deletes a call by its params, under its scope, version and ignored paths alone', async () => {
  expect(await toolstash(['search', '{"q":1}', '--scope', 'a'])).toEqual({
    exitCode: 0,
    stdout: '1 entry of search deleted from cache.\n',
    stderr: '',
  });
  expect(await count('search')).toBe(5);
  // Digits stand for the text too.
  expect(await toolstash(['search', '-', '--tool-version', '2'], '{"q":1}')).toMatchObject({ exitCode: 0 });
  expect(await toolstash(['search', '{"q":1,"trace":7,"id":1}', '--ignore', 'id'])).toMatchObject({
    exitCode: 0,
  });
  expect(await count('search')).toBe(3);
  await using cache = await open();
  expect(await cache.get('search', { q: 1 }, { scope: 'a' })).toBeUndefined();
  expect(await cache.get('search', { q: 1 }, { scope: 'b' })).toBe(1);
});

test('deletes by key, once', async () => {
  const key = hashKey('search', { q: 2 }, { scope: 'b' });
  const json = await toolstash(['search', '--key', key, '--json']);
  expect(json).toMatchObject({ exitCode: 0, stderr: '' });
  expect(JSON.parse(json.stdout)).toEqual({ deleted: 1, unknown: 0, dryRun: false });
  expect(await toolstash(['search', '--key', key])).toEqual({
    exitCode: 1,
    stdout: '',
    stderr:
      'toolstash: No fresh entry of `search` to delete: `toolstash inspect` lists the methods that there are\n',
  });
  expect(await count('search')).toBe(5);
});

test('deletes all of a scope or a version, of one method, and tells what it can not judge', async () => {
  const plain = await open();
  await plain.set('search', { q: 9 }, 'unknown', { scope: 'a' });
  await plain.close();
  const dry = await toolstash(['search', '--scope', 'a', '--dry-run']);
  expect(dry).toMatchObject({ exitCode: 0, stdout: '2 entries of search would be deleted from cache.\n' });
  expect(await count('search')).toBe(7);
  const left =
    'toolstash: 1 entry of `search` left: stored without `keepParams`, so the scope and version are not known\n';
  expect(await toolstash(['search', '--scope', 'a'])).toEqual({
    exitCode: 0,
    stdout: '2 entries of search deleted from cache.\n',
    // What was stored without any of the three is not known either.
    stderr: left,
  });
  expect(await toolstash(['search', '--tool-version', '2'])).toMatchObject({ exitCode: 0 });
  expect(await toolstash(['search', '--scope', 'b', '--tool-version', '3'])).toMatchObject({ exitCode: 1 });
  expect(await count('search')).toBe(4);
  expect(await count('other')).toBe(1);
});

test('says what it needs, with exit code 2, and deletes nothing', async () => {
  const refused = async (args: readonly string[]) => {
    const { exitCode, stderr, stdout } = await toolstash(args);
    expect([exitCode, stdout]).toEqual([2, '']);
    return stderr;
  };
  expect(await refused(['search'])).toContain('say which entries of the method to delete');
  expect(await refused(['search', '{"q":1}', '--key', 'f'.repeat(32)])).toContain('got both: name one');
  expect(await refused(['search', '--key', 'abc'])).toContain('Expected --key to be 32 hex digits');
  expect(await refused(['search', '{q:1}'])).toContain('Expected <params> to be JSON');
  expect(await refused(['search', '--scope', 'a', '--ignore', 'x'])).toContain('with --ignore');
  await writeFile(join(commandLine.folder, 'file.cache'), '');
  const file = await commandLine.run(['delete', 'file.cache', 'search', '1']);
  expect(file).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('Expected one cache folder') });
  expect(await count('search')).toBe(6);
});

test('a folder that another cache holds alone is refused', async () => {
  await using _holder = await open();
  const { exitCode, stderr } = await toolstash(['search', '{"q":1}', '--scope', 'a']);
  expect(exitCode).toBe(2);
  expect(stderr).toMatch(/^toolstash: .*cache/);
});
