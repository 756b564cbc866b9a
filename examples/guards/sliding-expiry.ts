/**
 * Problem: a session's data expires while it is in use. With `sliding` each hit starts its ttl anew, until `maxAge`. Run
 * it with `npx tsx examples/guards/sliding-expiry.ts`.
 */

import { CacheManager } from 'toolstash';
import { FakeClock } from 'toolstash/testing';

const clock = new FakeClock();
const cache = new CacheManager({ clock, ttl: '15m', sliding: true, maxAge: '1h' });

await cache.set('session', 'ada', { cart: 3 });
for (let minute = 10; minute <= 60; minute += 10) {
  clock.advance(10 * 60_000);
  console.log(`minute ${minute}:`, (await cache.get('session', 'ada')) ?? 'expired');
}
