/** A process that shares its figures: loads some values, and tells once they are left. */

import { CacheManager } from '../../src/index.js';
import { shareFigures } from '../../src/metrics/index.js';
import { redis } from '../../src/redis/index.js';

const [place = '', isRedis] = process.argv.slice(2);
const cache = await CacheManager.open(
  isRedis === 'redis'
    ? { remote: redis({ url: place }) }
    : { persist: true, persistDir: place, mode: 'multi' },
);
for (const id of [1, 2, 2, 3]) await cache.getOrSet('search', `${process.pid} ${id}`, () => id);
const figures = shareFigures(cache, { name: 'child', interval: 50 });
for (;;) {
  await new Promise((resolve) => setTimeout(resolve, 20));
  // Its own are in the sum before they are left: another's are only there once they are.
  if ((await figures.sum()).processes.length > 0) break;
}
await new Promise((resolve) => setTimeout(resolve, 300));
console.log(JSON.stringify(['left']));
setInterval(() => undefined, 1000);
