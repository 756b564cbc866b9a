/**
 * Problem: "nothing found" is asked for again and again, or it is cached for as long as real answers and hides what
 * was created meanwhile. `negativeTtl` remembers it for a short time. Run it with
 * `npx tsx examples/guards/negative-results.ts`.
 */

import { CacheManager } from 'toolstash';
import { FakeClock } from 'toolstash/testing';

const clock = new FakeClock();
const cache = new CacheManager({ clock, ttl: '1h', negativeTtl: '30s' });

const users = new Map<string, string>();
let lookups = 0;
const find = (name: string) =>
  cache.getOrSet('user', name, () => {
    lookups++;
    return users.get(name) ?? null;
  });

for (let call = 0; call < 5; call++) await find('ada');
console.log(`5 calls for somebody unknown, ${lookups} lookup`);
users.set('ada', 'Ada Lovelace');
clock.advance(30_000);
console.log('half a minute later:', await find('ada'));
