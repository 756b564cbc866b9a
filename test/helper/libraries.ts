/** Libraries that some tests alone need, in a project of their own: installed by the first test that asks for them. */

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { lock } from 'proper-lockfile';

/** Native parts that nothing here calls are optional. On older Nodes some packages warn of their engines. */
const flags = ['--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];

/**
 * Installs what the lock file of a folder says, once for each content of it, and gives a `require` for it. Test files run in
 * processes of their own: one installs, the others wait.
 * @throws Error saying why the libraries can't be had, and what to do: tests that need them fail, and are not left out
 */
export async function librariesOf(folder: URL): Promise<NodeJS.Require> {
  const path = fileURLToPath(folder);
  const wanted = await readFile(join(path, 'package-lock.json'), 'utf8');
  const marker = join(path, 'node_modules', '.installed-lock.json');
  const isThere = async () => (await readFile(marker, 'utf8').catch(() => undefined)) === wanted;
  if (!(await isThere())) {
    const release = await lock(path, {
      lockfilePath: lockOf(path),
      retries: { retries: 1_200, factor: 1, minTimeout: 500 },
      // A busy machine may keep who installs from saying so.
      ...{ stale: 60_000, update: 5_000 },
    });
    try {
      if (!(await isThere())) await install(path, wanted);
    } finally {
      await release();
    }
  }
  return createRequire(join(path, 'package.json'));
}

/** Outside of what `npm ci` removes. */
function lockOf(path: string): string {
  const id = createHash('md5').update(path).digest('hex');
  return fileURLToPath(new URL(`../../node_modules/.libraries-${id}.lock`, import.meta.url));
}

/**
 * Installs beside the folder and moves all of it into place at once: Vite looks for the imports of other test files
 * meanwhile, and fails where a package is there in part.
 */
async function install(path: string, wanted: string): Promise<void> {
  // A folder of the same depth: links to packages beside stay right.
  const beside = `${join(path, '.')}.installing`;
  await rm(beside, { recursive: true, force: true });
  await mkdir(beside);
  try {
    for (const name of ['package.json', 'package-lock.json'])
      await copyFile(join(path, name), join(beside, name));
    await runNpm(path, beside);
    // Without packages npm makes no folder.
    await mkdir(join(beside, 'node_modules'), { recursive: true });
    await writeFile(join(beside, 'node_modules', '.installed-lock.json'), wanted);
    if (existsSync(join(path, 'node_modules')))
      await rename(join(path, 'node_modules'), join(beside, 'replaced'));
    await rename(join(beside, 'node_modules'), join(path, 'node_modules'));
  } finally {
    await rm(beside, { recursive: true, force: true });
  }
}

async function runNpm(path: string, cwd: string): Promise<void> {
  try {
    await promisify(execFile)('npm', ['ci', ...flags], { cwd, shell: process.platform === 'win32' });
  } catch (cause) {
    const { stderr = '', message } = cause as Error & { stderr?: string };
    throw new Error(
      `These tests need libraries that can't be installed: \`npm ci ${flags.join(' ')}\` for ${path} failed. Is npm's ` +
        `registry within reach, and does package-lock.json fit package.json? npm says:\n${stderr.trim() || message}`,
      { cause },
    );
  }
}
