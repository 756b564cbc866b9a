/**
 * Problem: one ttl for all is too long for some tools and too short for others, and what memory has forgotten need not
 * be loaded again. Each method has a ttl of its own, and `memoryTtl` lets memory forget before the disk does. Run it
 * with `npx tsx examples/guards/ttl-classes.ts`.
 */

import { CacheManager } from 'toolstash';
import { FakeClock } from 'toolstash/testing';

const clock = new FakeClock();
const cache = new CacheManager({
  clock,
  memoryTtl: '20m',
  methods: { session: { ttl: '15m' }, config: { ttl: '30m' }, metadata: { ttl: '1h' } },
});
for (const method of ['session', 'config', 'metadata']) await cache.set(method, 'key', 'value');
const held = () => Array.from(['session', 'config', 'metadata'], (each) => cache.peek(each, 'key') ?? 'gone');

console.log('at once:          ', held().join(', '));
clock.advance(15 * 60_000);
console.log('after 15 minutes: ', held().join(', '));
clock.advance(5 * 60_000);
console.log(
  'after 20 minutes: ',
  held().join(', '),
  '(with `persist: true` the disk still has the last two)',
);
