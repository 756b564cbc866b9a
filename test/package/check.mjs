/** Builds and packs the package once, and looks at what was packed from all sides. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pack, root } from './consumer.mjs';

const folder = mkdtempSync(join(tmpdir(), 'toolstash-packed-'));
try {
  const tarball = pack(folder);
  const checks = [
    ['node', 'test/package/check-declarations.mjs'],
    ['node', 'test/package/check-size.mjs'],
    ['npx', 'publint', '--strict', tarball],
    // Data, which `moduleResolution: node10` finds by its file alone.
    ['npx', 'attw', tarball, '--exclude-entrypoints', 'effects.schema.json'],
    ['node', 'test/package/try-package.mjs'],
    ['node', 'test/package/try-bundlers.mjs'],
    ['node', 'test/package/try-types.mjs'],
  ];
  for (const [command, ...args] of checks) {
    console.log(`\n${[command, ...args].join(' ').replace(tarball, 'toolstash.tgz')}`);
    const env = { ...process.env, TOOLSTASH_TARBALL: tarball };
    const { status } = spawnSync(command, args, { cwd: root, env, stdio: 'inherit' });
    if (status !== 0) throw new Error(`Expected \`${args[0]}\` to end with 0, got ${status}`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
