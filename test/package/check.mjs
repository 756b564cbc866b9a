/** Builds and packs the package once, and looks at what was packed from all sides. */

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pack, root } from './consumer.mjs';

const folder = mkdtempSync(join(tmpdir(), 'toolstash-packed-'));
try {
  const tarball = pack(folder);
  const env = { ...process.env, TOOLSTASH_TARBALL: tarball };
  const check = async (command, ...args) => {
    const title = [command, ...args].join(' ').replace(tarball, 'toolstash.tgz');
    try {
      const { stdout } = await promisify(execFile)(command, args, { cwd: root, env, maxBuffer: 2 ** 26 });
      console.log(`\n${title}\n${stdout.trimEnd()}`);
    } catch (error) {
      throw new Error(
        `Expected \`${title}\` to end with 0, got ${error.code}\n${error.stdout}${error.stderr}`,
      );
    }
  };
  const own = ['check-declarations', 'check-size', 'try-package', 'try-bundlers', 'try-types'];
  // Most wait for installations, and then for one core.
  const trials = [
    // Of the sources, which have just been built.
    check('node', 'bench/call-path/main.mjs'),
    ...own.map((name) => check('node', `test/package/${name}.mjs`)),
    check('npx', 'publint', '--strict', tarball),
    // Data, which `moduleResolution: node10` finds by its file alone.
    check('npx', 'attw', tarball, '--exclude-entrypoints', 'effects.schema.json', 'proxy.schema.json'),
  ];
  const failed = (await Promise.allSettled(trials)).filter(({ status }) => status === 'rejected');
  if (failed.length > 0) throw new AggregateError(failed.map(({ reason }) => reason));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
