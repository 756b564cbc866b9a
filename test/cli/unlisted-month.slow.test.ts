/** A month folder without rights: what can be read is read, and the rest is told. */

import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { nodeFileSystem } from '../../src/persistence/file-system.js';
import { exportFiles, inspectFiles, verifyFiles } from '../../src/persistence/offline/inspection.js';
import { mergeDirectories } from '../../src/persistence/offline/merge-directories.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { makeDiskTier } from '../helper/disk-tier.js';
import { type BuiltCommandLine, buildCommandLine } from './built-command-line.js';

let folder: string;
/** The month that nobody may list. */
let closed: string;
let commandLine: BuiltCommandLine;
/** Who owns a folder without rights may not list it either; root may, unless its commands run without that right. */
const run =
  process.getuid?.() === 0
    ? ['setpriv', '--bounding-set', '-dac_override,-dac_read_search', process.execPath]
    : [process.execPath];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'toolstash-unlisted-'));
  const clock = new FakeClock(Date.UTC(2026, 9, 31));
  const cache = await CacheManager.open({ clock, persist: true, persistDir: folder, flushOnExit: false });
  await cache.set('m', 1, 'one');
  await cache.close();
  cpSync(join(folder, '2026-10'), join(folder, '2026-11'), { recursive: true });
  closed = join(folder, '2026-11');
  commandLine = await buildCommandLine();
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await commandLine.remove();
});

const files = {
  ...nodeFileSystem,
  list: (path: string) =>
    path === closed
      ? Promise.reject(Object.assign(new Error('denied'), { code: 'EACCES', syscall: 'scandir', path }))
      : nodeFileSystem.list(path),
};

test.each([inspectFiles, verifyFiles])('%o reads the other months', async (look) => {
  const found = await look([folder], { files });
  expect(found.files).toHaveLength(1);
  expect(found.unlisted.map(({ message }) => message)).toEqual([
    `Can't read ${closed}: no permission to read it`,
  ]);
});

test('an export has the other months, and tells', async () => {
  const told: string[] = [];
  const keys: string[] = [];
  const clock = new FakeClock(Date.UTC(2026, 9, 31));
  const onError = ({ message }: Error) => told.push(message);
  for await (const { key } of exportFiles([folder], { files, clock, onError })) keys.push(key);
  expect(keys).toHaveLength(1);
  expect(told).toEqual([`Can't read ${closed}: no permission to read it`]);
});

test('files given to a cache are refused, by the name of the month', async () => {
  const one = makeDiskTier({ persistDir: join(folder, 'own'), files });
  await one.tier.open();
  const loading = one.tier.load({ files: [folder] });
  await expect(loading).rejects.toThrow(`Can't read ${closed}: no permission to read it`);
  await one.tier.close();
  rmSync(join(folder, 'own'), { recursive: true });
});

test('a merge takes nothing over, and says why', async () => {
  const into = join(folder, 'into');
  await expect(mergeDirectories([folder], into, { files })).rejects.toMatchObject({
    code: 'ERR_STORAGE',
    message: `Can't read ${closed}: no permission to read it; nothing was merged, as what is in there may be newer than the rest`,
  });
  expect(readdirSync(into).filter((name) => !name.startsWith('.'))).toEqual([]);
  rmSync(into, { recursive: true });
});

test('a folder that was named itself and can not be listed is an error', async () => {
  await expect(inspectFiles([closed], { files })).rejects.toThrow('denied');
});

test('commands of a user without rights tell it and exit with 1', () => {
  chmodSync(closed, 0);
  try {
    for (const command of ['inspect', 'verify', 'export']) {
      const [program, ...args] = [...run, commandLine.script, command, folder];
      const { error, status, stdout, stderr } = spawnSync(program!, args, { encoding: 'utf8' });
      // Of util-linux, which every Debian has.
      if (error !== undefined)
        throw new Error(`Expected \`${program}\` to run: install it`, { cause: error });
      expect({ command, status, stderr }).toMatchObject({ command, status: 1 });
      expect(stdout + stderr).toContain(`Can't read ${closed}: no permission to read it`);
      expect(stdout).not.toBe('');
      expect(stderr).not.toMatch(/^ +at /m);
      expect(stdout).not.toContain('✓');
    }
  } finally {
    chmodSync(closed, 0o700);
  }
});
