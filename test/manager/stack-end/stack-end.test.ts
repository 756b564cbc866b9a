/** Calls near the end of the stack. In a process of its own: Node complains there that it can't note rejections. */

import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { buildScript, makeWorkFolder } from '../../helper/child-process.js';

it('leave no load, turn or place in line behind, whatever guards there are', async () => {
  const work = makeWorkFolder('stack-end');
  try {
    const entry = fileURLToPath(new URL('process.ts', import.meta.url));
    const script = await buildScript(entry, join(work, 'built'));
    const { stdout } = await promisify(execFile)(process.execPath, [script], { maxBuffer: 2 ** 26 });
    expect(JSON.parse(stdout)).toEqual(Array(4).fill({ settled: 10, running: 0, queued: 0 }));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
});
