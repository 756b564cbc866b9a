/** Every store as it is above V8's limits, at a size that tests can fill: with its keys in several Maps. */

import { autoRules } from '../../src/store/auto.js';
import { BoundedStore } from '../../src/store/bounded-store.js';
import { gdsfOrder } from '../../src/store/gdsf.js';
import { GreedyDualOrder } from '../../src/store/greedy-dual.js';
import { LruStore } from '../../src/store/lru.js';
import { QueueOrder } from '../../src/store/queue-order.js';
import { S3FifoOrder } from '../../src/store/s3-fifo.js';
import { SieveOrder } from '../../src/store/sieve.js';
import type { StoreEntry, StoreFactory, StoreOptions } from '../../src/store/store.js';
import { TtlOrder } from '../../src/store/ttl.js';
import { AdaptiveWindowOrder, windowRules } from '../../src/store/w-tinylfu.js';

/** No `maxSize` is as small. */
const largestMap = 0;

export const shardedStores = {
  lru: function shardedLru<E extends StoreEntry>(options: StoreOptions<E>) {
    return new BoundedStore(options, new QueueOrder<E>(options.maxSize, 'least recently used', largestMap));
  },
  lfu: function shardedLfu<E extends StoreEntry>(options: StoreOptions<E>) {
    return new BoundedStore(options, new GreedyDualOrder<E>(options.maxSize, () => 1, largestMap));
  },
  fifo: function shardedFifo<E extends StoreEntry>(options: StoreOptions<E>) {
    return new BoundedStore(options, new QueueOrder<E>(options.maxSize, 'first in', largestMap));
  },
  ttl: function shardedTtl<E extends StoreEntry>(options: StoreOptions<E>) {
    return new BoundedStore(options, new TtlOrder<E>(options.maxSize, largestMap));
  },
  gdsf: function shardedGdsf<E extends StoreEntry>(options: StoreOptions<E>) {
    return new BoundedStore(options, gdsfOrder<E>(options.maxSize, largestMap));
  },
  sieve: function shardedSieve<E extends StoreEntry>(options: StoreOptions<E>) {
    return new BoundedStore(options, new SieveOrder<E>(options.maxSize, largestMap));
  },
  's3-fifo': function shardedS3Fifo<E extends StoreEntry>(options: StoreOptions<E>) {
    return new BoundedStore(options, new S3FifoOrder<E>(options.maxSize, largestMap));
  },
  'w-tinylfu': function shardedWTinyLfu<E extends StoreEntry>(options: StoreOptions<E>) {
    return new BoundedStore(options, new AdaptiveWindowOrder<E>(options.maxSize, windowRules, largestMap));
  },
  auto: function shardedAuto<E extends StoreEntry>(options: StoreOptions<E>) {
    return new BoundedStore(options, new AdaptiveWindowOrder<E>(options.maxSize, autoRules, largestMap));
  },
} satisfies Record<string, StoreFactory>;

/** LRU as it is where lru-cache would allocate too much ahead. */
export function growingLru<E extends StoreEntry>(options: StoreOptions<E>): LruStore<E> {
  return new LruStore(options, 0);
}
