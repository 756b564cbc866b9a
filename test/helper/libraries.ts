/** Libraries that some tests alone need, in a project of their own: installed by the first test that asks for them. */

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
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
    });
    try {
      if (!(await isThere())) {
        await install(path);
        await writeFile(marker, wanted);
      }
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

async function install(path: string): Promise<void> {
  try {
    await promisify(execFile)('npm', ['ci', ...flags], { cwd: path, shell: process.platform === 'win32' });
  } catch (cause) {
    const { stderr = '', message } = cause as Error & { stderr?: string };
    throw new Error(
      `These tests need libraries that can't be installed: \`npm ci ${flags.join(' ')}\` in ${path} failed. Is npm's ` +
        `registry within reach, and does package-lock.json fit package.json? npm says:\n${stderr.trim() || message}`,
      { cause },
    );
  }
}
