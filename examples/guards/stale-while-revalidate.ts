/**
 * Problem: each time a hot value expires, callers wait for the tool. `staleWhileRevalidate` answers the old value at
 * once and refreshes it in the background. Run it with `npx tsx examples/guards/stale-while-revalidate.ts`.
 */

import { CacheManager } from 'toolstash';
import { FakeClock } from 'toolstash/testing';

const clock = new FakeClock();
const cache = new CacheManager({ clock, ttl: '5m', staleWhileRevalidate: '1m' });

let version = 0;
const news = () => cache.getOrSet('news', 'today', async () => `edition ${++version}`);

console.log('first call:       ', await news());
clock.advance(5 * 60_000 + 1);
console.log('just expired:     ', await news());
await clock.flush();
console.log('a moment later:   ', await news());
const { staleHits, refreshes } = cache.stats('news');
console.log(`${staleHits} stale hit, ${refreshes} refresh in the background, nobody waited twice`);
