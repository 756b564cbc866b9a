/** A process of a small heap that a cache would fill. */

import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildScript, makeWorkFolder } from '../helper/child-process.js';

const work = makeWorkFolder('memory-pressure');
let script: string;
beforeAll(async () => {
  script = await buildScript(
    fileURLToPath(new URL('memory-pressure-program.ts', import.meta.url)),
    `${work}/program`,
  );
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

async function run(...args: readonly string[]) {
  const child = spawn(process.execPath, ['--max-old-space-size=48', script, ...args], { cwd: work });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, stdout, stderr };
}

test('a process survives with `memory` where it dies without', async () => {
  const without = await run('none');
  expect(without.code).not.toBe(0);
  expect(without.stderr).toContain('heap out of memory');
  const { code, stdout, stderr } = await run('memory');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const told = JSON.parse(stdout) as Record<
    'wrong' | 'hits' | 'evicted' | 'bytes' | 'limit' | 'pressures',
    number
  >;
  expect(told.wrong).toBe(0);
  expect(told.pressures).toBeGreaterThan(0);
  expect(told.evicted).toBeGreaterThan(0);
  expect(told.bytes).toBeLessThan(told.limit);
  // It gave back what it had to, and went on caching: a part of the heap is filled, and nearly all second calls were hits.
  expect(told.bytes).toBeGreaterThan(told.limit / 10);
  expect(told.hits).toBeGreaterThan((0.9 * (2 * told.limit)) / 16_000);
});
