/** A thread with a cache in an arena: it is bundled, and started as a worker. */

import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { arena, attach } from '../../src/arena/index.js';
import { CacheManager } from '../../src/index.js';
import type { Arena, ArenaHandle } from '../../src/store/arena-options.js';
import { hammer } from './hammer.js';

/** What a thread is told to do. */
export interface CacheTask {
  readonly task: 'load' | 'hang' | 'own' | 'hammer';
  readonly handle: ArenaHandle | undefined;
}

const { task, handle } = workerData as CacheTask;
const port = parentPort!;

async function main(): Promise<void> {
  const memory: Arena = handle === undefined ? arena({ maxBytes: 2 ** 22 }) : attach(handle);
  const cache = new CacheManager({ memory });
  if (task === 'own') {
    await cache.set('tool', 1, 'of the worker');
    const shared = memory.share();
    port.postMessage(shared, [shared.port]);
    await sleep(100_000);
  }
  if (task === 'hammer') {
    const words = new Int32Array((workerData as { stop: SharedArrayBuffer }).stop);
    port.postMessage('started');
    port.postMessage(hammer(cache, 7, () => Atomics.load(words, 0) !== 0));
    return;
  }
  let calls = 0;
  const load = async () => {
    calls += 1;
    port.postMessage('loading');
    await sleep(task === 'hang' ? 100_000 : 20);
    return { by: 'the worker' };
  };
  if (task === 'hang') await cache.getOrSet('tool', 1, load);
  const values = await Promise.all(
    Array.from({ length: 50 }, (_, number) => cache.getOrSet('tool', number, load)),
  );
  port.postMessage({ calls, values: values.length });
}

void main();
