/**
 * Problem: a tool fails for a while, and with it everything that needs its answer, although a good one is at hand.
 * `staleIfError` answers the last good value for a bounded time. Run it with
 * `npx tsx examples/guards/stale-if-error.ts`.
 */

import { CacheManager } from 'toolstash';
import { FakeClock } from 'toolstash/testing';

const clock = new FakeClock();
const cache = new CacheManager({ clock, ttl: '5m', staleIfError: '1h' });
cache.on('staleHit', ({ reason }) => console.log(`  (stale, because of an ${reason})`));

let isDown = false;
const rates = () =>
  cache.getOrSet('rates', 'EUR', async () => {
    if (isDown) throw new Error('503');
    return { usd: 1.09 };
  });

console.log('while it works:', await rates());
isDown = true;
clock.advance(10 * 60_000);
console.log('while it fails:', await rates());
clock.advance(60 * 60_000);
console.log('an hour later: ', await rates().catch((error: Error) => `error ${error.message}`));
