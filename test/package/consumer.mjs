/** A stranger's project: an empty folder with the packed package in it. */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));

/** Builds the package and packs it into a folder. Its file. */
export function pack(folder) {
  const output = run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: root });
  // What the build prints comes before it.
  const [{ filename }] = JSON.parse(output.slice(output.search(/^\[$/m)));
  return join(folder, filename);
}

/**
 * Installs the package in a new folder, and beside it `packages`, given as `name@version`; calls `use` with that, and
 * removes it again. It is packed anew where no `TOOLSTASH_TARBALL` is given.
 */
export async function withConsumer(packages, use) {
  const folder = mkdtempSync(join(tmpdir(), 'toolstash-package-'));
  try {
    const tarball = process.env.TOOLSTASH_TARBALL ?? pack(folder);
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'stranger', private: true }));
    install(folder, [tarball, ...packages]);
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Each call costs seconds, most of them npm's own: give it all that is wanted at once. */
export function install(folder, packages) {
  run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', ...packages], {
    cwd: folder,
  });
}

/** What a command prints; fails when it does. */
export function run(command, args, options = {}) {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], ...options });
}

/** Exit code and everything that a command prints, whether it fails or not. */
export function attempt(command, args, options = {}) {
  const { status, signal, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    timeout: 120_000,
    ...options,
  });
  return { status: status ?? signal ?? String(error), output: `${stdout ?? ''}${stderr ?? ''}` };
}
