/**
 * Problem: a flood of cheap results evicts the few that took a minute each. The `gdsf` store keeps what is expensive per byte,
 * by the time its load took or by a `cost` of your own. Run it with `npx tsx examples/guards/expensive-results.ts`.
 */

import { CacheManager } from 'toolstash';
import { FakeClock } from 'toolstash/testing';

async function keptOf(eviction: 'lru' | 'gdsf'): Promise<number> {
  const clock = new FakeClock();
  const cache = new CacheManager({ clock, eviction, maxSize: 100 });
  for (let id = 0; id < 10; id++) await cache.getOrSet('train', id, () => void clock.advance(60_000));
  for (let id = 0; id < 1000; id++) await cache.getOrSet('add', id, () => void clock.advance(5));
  return cache.stats('train').entries;
}

console.log(`of 10 results that took a minute each, lru has kept ${await keptOf('lru')}`);
console.log(`of 10 results that took a minute each, gdsf has kept ${await keptOf('gdsf')}`);
