/** Fills a cache with texts, which lie on the heap, until far more was stored than the heap could hold. */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { getHeapStatistics } from 'node:v8';
import { CacheManager } from '../../src/index.js';

const watches = process.argv[2] === 'memory';
let pressures = 0;
const cache = new CacheManager({
  maxSize: 1_000_000,
  maxBytes: 1024 * 2 ** 20,
  ...(watches && {
    memory: {
      onPressure: () => {
        pressures += 1;
      },
    },
  }),
});
const limit = getHeapStatistics().heap_size_limit;
const search = cache.wrap(async (id: number) => `${id} ${'x'.repeat(16_000)}`, { name: 'search' });
let wrong = 0;
for (let id = 0; id * 16_000 < 2 * limit; id += 1) {
  if (!(await search(id)).startsWith(`${id} `)) wrong += 1;
  // What was just asked for is still there.
  if (!(await search(id)).startsWith(`${id} `)) wrong += 1;
  if (id % 20 === 0) await nextTurn();
}
const { hits, evicted, bytes } = cache.stats();
process.stdout.write(JSON.stringify({ wrong, hits, evicted, bytes, limit, pressures }));
await cache.close();
