/** Debian's packages, for what tests need beyond npm. */

import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const options = '-o DPkg::Lock::Timeout=100 -y';
const install = `apt-get ${options} install --no-install-recommends "$@"`;

/**
 * Installs Debian packages, and says why that was not possible. One at a time: of several test files that want some on a
 * new machine, the lists of packages are there for all once the first has fetched them.
 */
export function installPackages(packages: readonly string[]): string | undefined {
  if (process.getuid?.() !== 0) return 'only root may install it';
  const script = `command -v apt-get >/dev/null || exit 127; ${install} || { apt-get ${options} update; ${install}; }`;
  const lock = join(tmpdir(), 'toolstash-packages.lock');
  const result = spawnSync('flock', ['--wait', '300', lock, 'sh', '-c', script, 'sh', ...packages], {
    encoding: 'utf8',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (result.error !== undefined || result.status === 127) return 'there is no apt-get to install it with';
  return result.status === 0 ? undefined : `apt-get failed: ${result.stderr.trim().split('\n').at(-1)}`;
}
