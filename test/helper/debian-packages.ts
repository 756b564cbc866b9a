/** Debian's packages, for what tests need beyond npm. */

import { spawnSync } from 'node:child_process';

/** Installs Debian packages, and says why that was not possible. */
export function installPackages(packages: readonly string[]): string | undefined {
  if (process.getuid?.() !== 0) return 'only root may install it';
  const aptGet = (...args: readonly string[]) =>
    spawnSync('apt-get', ['-o', 'DPkg::Lock::Timeout=100', '-y', ...args], {
      encoding: 'utf8',
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
  let install = aptGet('install', '--no-install-recommends', ...packages);
  if (install.error !== undefined) return 'there is no apt-get to install it with';
  if (install.status !== 0) {
    aptGet('update');
    install = aptGet('install', '--no-install-recommends', ...packages);
  }
  return install.status === 0 ? undefined : `apt-get failed: ${install.stderr.trim().split('\n').at(-1)}`;
}
