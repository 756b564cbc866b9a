/**
 * Problem: a batch fills the cache within a second, so an hour later everything expires within a second, and the
 * backend is hit by all of it at once. `jitter` spreads the expiry. Run it with `npx tsx examples/guards/jitter.ts`.
 */

import { CacheManager, type CacheOptions } from 'toolstash';
import { FakeClock } from 'toolstash/testing';

async function fullestSecond(options: CacheOptions): Promise<number> {
  const cache = new CacheManager({ clock: new FakeClock(), ttl: '1h', maxSize: 10_000, ...options });
  for (let id = 0; id < 10_000; id++) await cache.set('user', id, { id });
  const expiring = new Map<number, number>();
  for await (const { metadata } of cache) {
    const second = Math.floor((metadata.expiresAt ?? 0) / 1000);
    expiring.set(second, (expiring.get(second) ?? 0) + 1);
  }
  return Math.max(...expiring.values());
}

console.log(`of 10,000 entries expire in the fullest second, without: ${await fullestSecond({})}`);
console.log(`with a tenth of the ttl as jitter, at most 60: ${(await fullestSecond({ jitter: 0.1 })) <= 60}`);
