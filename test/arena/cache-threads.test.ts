import { on, once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { arena, attach } from '../../src/arena/index.js';
import { CacheManager } from '../../src/index.js';
import type { ArenaHandle } from '../../src/store/arena-options.js';
import { inForm } from '../helper/form.js';
import type { CacheTask } from './cache-thread.js';
import { hammer } from './hammer.js';
import { bundle } from './threads.js';

let program: Awaited<ReturnType<typeof bundle>>;
beforeAll(async () => {
  program = await bundle('cache-thread');
});
afterAll(() => program.remove());

function start(task: CacheTask['task'], handle?: ArenaHandle, others: object = {}): Worker {
  const transferList = handle === undefined ? [] : [handle.port];
  return new Worker(program.file, { workerData: { task, handle, ...others }, transferList });
}

describe('caches of worker threads', () => {
  it('load each key once together', async () => {
    const memory = arena({ maxBytes: 2 ** 26 });
    const cache = new CacheManager({ memory });
    const workers = [1, 2, 3].map(() => start('load', memory.share()));
    const reports = await Promise.all(
      workers.map(
        (worker) =>
          new Promise<{ calls: number; values: number }>((resolve, reject) => {
            worker.on('error', reject);
            worker.on('message', (message) => message !== 'loading' && resolve(message));
          }),
      ),
    );
    expect(reports.map(({ values }) => values)).toEqual([50, 50, 50]);
    const calls = reports.reduce((sum, each) => sum + each.calls, 0);
    const { bypassedReads, bypassedWrites, bypassedLoads } = memory.stats();
    // On a busy machine a thread may be stopped while it has a lock: then others load by themselves.
    expect(calls - 50).toBeLessThanOrEqual(bypassedReads + bypassedWrites + bypassedLoads);
    expect(await cache.get('tool', 49)).toEqual({ by: 'the worker' });
    await Promise.all(workers.map((worker) => worker.terminate()));
    await expect.poll(() => memory.stats().threads).toBe(1);
  });

  it('read no torn value', async () => {
    const memory = arena({ maxBytes: 70_000, maxSize: 40 });
    const cache = new CacheManager({ memory });
    const stop = new SharedArrayBuffer(4);
    const workers = [1, 2].map(() => start('hammer', memory.share(), { stop }));
    const done = workers.map((worker) => {
      const messages = on(worker, 'message') as AsyncIterator<[unknown]>;
      return { started: messages.next(), found: messages.next().then(({ value }) => value[0] as number) };
    });
    await Promise.all(done.map(({ started }) => started));
    const until = performance.now() + inForm({ short: 700, long: 60_000 });
    expect(hammer(cache, 1, () => performance.now() > until)).toBeGreaterThan(0);
    Atomics.store(new Int32Array(stop), 0, 1);
    for (const { found } of done) expect(await found).toBeGreaterThan(0);
    expect(memory.stats().replaced).toBeGreaterThan(0);
    await Promise.all(workers.map((worker) => worker.terminate()));
  });

  it('take over a load whose thread has died', async () => {
    const memory = arena({ maxBytes: 2 ** 22 });
    const cache = new CacheManager({ memory });
    const worker = start('hang', memory.share());
    expect(await once(worker, 'message')).toEqual(['loading']);
    const own = cache.getOrSet('tool', 1, () => 'own');
    await expect.poll(() => memory.stats().coalesced).toBe(1);
    await worker.terminate();
    expect(await own).toBe('own');
    expect(memory.stats().takenOver).toBe(1);
  });

  it('go by an arena whose thread has died', async () => {
    const worker = start('own');
    const [handle] = (await once(worker, 'message')) as [ArenaHandle];
    const memory = attach(handle);
    const cache = new CacheManager({ memory });
    expect(await cache.get('tool', 1)).toBe('of the worker');
    await worker.terminate();
    await expect.poll(() => cache.getSync('tool', 1)).toBeUndefined();
    expect(await cache.set('tool', 1, 'mine')).toBe(false);
    expect(await cache.getOrSet('tool', 1, () => 'loaded')).toBe('loaded');
  });
});
