/**
 * Problem: a flood of calls for things that don't exist, each of them a new one, gets past every cache to the source. A
 * Bloom filter of the keys that exist stops it there. Run it with `npx tsx examples/guards/known-keys.ts`.
 */

import { BloomFilter, CacheManager, hashKey } from 'toolstash';

const known = new BloomFilter({ capacity: 10_000, falsePositiveRate: 0.01 });
for (let id = 0; id < 10_000; id++) known.add(hashKey('order', { id }));

const cache = new CacheManager({ methods: { order: { knownKeys: known } } });
let queries = 0;
const order = (id: number) =>
  cache.getOrSet('order', { id }, () => {
    queries++;
    return { id, total: 7 };
  });

console.log('an order that exists:', await order(42));
for (let id = 1_000_000; id < 1_002_000; id++) await order(id);
console.log(`2,000 orders that don't exist, at most 2 % of them asked for: ${queries - 1 <= 40}`);
