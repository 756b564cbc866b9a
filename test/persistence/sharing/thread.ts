/** A worker thread with a cache on a folder, until it is terminated. */

import { parentPort, workerData } from 'node:worker_threads';
import { CacheManager } from '../../../src/index.js';

const { persistDir, mode } = workerData as { persistDir: string; mode: 'single' | 'multi' };
const cache = await CacheManager.open({ persist: true, persistDir, mode, flushOnExit: false });
cache.setSync('tool', 1, 'by a thread');
await cache.flush();
parentPort!.postMessage('open');
// Something has to keep it going.
setInterval(() => undefined, 1_000);
