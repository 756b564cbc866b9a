/** Worker threads that share a folder: one that is terminated leaves no place behind for long, one that lives keeps it. */

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CacheManager } from '../../../src/index.js';
import { buildScript, makeWorkFolder } from '../../helper/child-process.js';

let work: string;
let script: string;
const workers: Worker[] = [];

beforeAll(async () => {
  work = makeWorkFolder('threads');
  script = await buildScript(fileURLToPath(new URL('thread.ts', import.meta.url)), join(work, 'built'));
});

afterAll(async () => {
  for (const worker of workers) await worker.terminate();
  rmSync(work, { recursive: true, force: true });
});

/** A folder that a worker thread has a cache on. */
async function share(name: string, mode = 'multi'): Promise<{ persistDir: string; worker: Worker }> {
  const persistDir = join(work, name);
  mkdirSync(persistDir);
  const worker = new Worker(script, { workerData: { persistDir, mode } });
  workers.push(worker);
  await new Promise((open, fail) => worker.once('message', open).once('error', fail));
  return { persistDir, worker };
}

/** As if the last sign of life had been given six seconds ago, by a system that doesn't tell of threads. */
function passSeconds(persistDir: string): void {
  const presence = join(persistDir, '.presence');
  const then = new Date(Date.now() - 6_000);
  for (const name of readdirSync(presence)) {
    const path = join(presence, name);
    if (name.endsWith('.lock')) utimesSync(path, then, then);
    else {
      const { task: _, ...note } = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
      expect(note).toMatchObject({ pid: process.pid });
      writeFileSync(path, JSON.stringify(note));
    }
  }
}

it('gives the folder to who wants it alone once the thread was terminated, and not before', async () => {
  const { persistDir, worker } = await share('terminated');
  const living = await share('living');
  await worker.terminate();
  passSeconds(persistDir);
  const alone = { persist: true, mode: 'single', flushOnExit: false } as const;
  const refused = CacheManager.open({ ...alone, persistDir: living.persistDir });
  await Promise.all([
    expect(refused).rejects.toMatchObject({ code: 'ERR_DIRECTORY_TAKEN' }),
    (async () => {
      await using cache = await CacheManager.open({ ...alone, persistDir });
      expect(await cache.get('tool', 1)).toBe('by a thread');
      expect(readdirSync(join(persistDir, '.presence'))).toEqual([]);
    })(),
  ]);
});

// Elsewhere no system tells of threads: there the test before this one says how it goes.
it.skipIf(!existsSync('/proc/thread-self')).each([
  ['single', 'single'],
  ['single', 'multi'],
  ['multi', 'single'],
] as const)(
  'gives a folder that a thread had by mode %s to the first who asks after its termination, by mode %s',
  async (before, after) => {
    const { persistDir, worker } = await share(`${before}-${after}`, before);
    const open = () => CacheManager.open({ persist: true, persistDir, mode: after, flushOnExit: false });
    await expect(open()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_TAKEN' });
    await worker.terminate();
    // Its last sign of life is younger than what makes a silent thread count as gone.
    await using cache = await open();
    expect(await cache.get('tool', 1)).toBe('by a thread');
  },
);
