/** How tests get libraries of their own. No registry: what is installed is a folder beside. */

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { librariesOf } from './libraries.js';

let base: string;
let folder: URL;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'toolstash-libraries-'));
  folder = pathToFileURL(`${base}/project/`);
  await mkdir(join(base, 'project'));
});
afterEach(() => rm(base, { recursive: true }));

/** A project that needs a package, which lies beside it. */
async function write(version: string): Promise<void> {
  await mkdir(join(base, 'there'), { recursive: true });
  const files = {
    'there/package.json': { name: 'there', version },
    'project/package.json': { name: 'project', version, dependencies: { there: 'file:../there' } },
  };
  for (const [name, content] of Object.entries(files))
    await writeFile(join(base, name), JSON.stringify(content));
  await promisify(execFile)('npm', ['install', '--package-lock-only', '--no-audit'], {
    cwd: join(base, 'project'),
  });
}

const marker = () => readFile(join(base, 'project/node_modules/.installed-lock.json'), 'utf8');

it('installs once for all who ask at once, and again when the lock file is another', async () => {
  await write('1.0.0');
  const asked = await Promise.all([librariesOf(folder), librariesOf(folder), librariesOf(folder)]);
  expect(asked.map((load) => load('there/package.json'))).toEqual(
    Array(3).fill({ name: 'there', version: '1.0.0' }),
  );
  // `npm ci` would remove what it did not install.
  const own = join(base, 'project/node_modules/own.txt');
  await writeFile(own, 'mine');
  await librariesOf(folder);
  expect(await readFile(own, 'utf8')).toBe('mine');
  await write('2.0.0');
  await librariesOf(folder);
  expect(JSON.parse(await marker())).toMatchObject({ version: '2.0.0' });
  await expect(readFile(own, 'utf8')).rejects.toThrow('ENOENT');
});

it('says why libraries can not be had, to each who asks, and tries again', async () => {
  await write('1.0.0');
  const manifest = join(base, 'project/package.json');
  const before = await readFile(manifest, 'utf8');
  await writeFile(manifest, JSON.stringify({ name: 'project', dependencies: { missing: '1.0.0' } }));
  const asked = await Promise.allSettled([librariesOf(folder), librariesOf(folder)]);
  for (const each of asked) {
    expect(each.status).toBe('rejected');
    const { reason } = each as PromiseRejectedResult;
    expect(String(reason)).toMatch(/`npm ci .*` for .*project.* failed\..*registry.*\n.*missing/s);
  }
  await expect(marker()).rejects.toThrow('ENOENT');
  await writeFile(manifest, before);
  await librariesOf(folder);
  expect(await marker()).toContain('there');
});
