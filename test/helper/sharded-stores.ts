/** Every store as it is above V8's limits, at a size that tests can fill: with its keys in several Maps. */

import { GdsfPolicy } from '../../src/store/gdsf.js';
import { LfuPolicy } from '../../src/store/lfu.js';
import { PolicyStore } from '../../src/store/policy-store.js';
import { QueuePolicy } from '../../src/store/queue-policy.js';
import type { StoreEntry, StoreFactory, StoreOptions } from '../../src/store/store.js';
import { TtlPolicy } from '../../src/store/ttl.js';

/** No `maxSize` is as small. */
const largestMap = 0;

export const shardedStores = {
  lru: function shardedLru<E extends StoreEntry>(options: StoreOptions<E>) {
    return new PolicyStore(options, new QueuePolicy<E>('least recently used'), largestMap);
  },
  lfu: function shardedLfu<E extends StoreEntry>(options: StoreOptions<E>) {
    return new PolicyStore(options, new LfuPolicy<E>(), largestMap);
  },
  fifo: function shardedFifo<E extends StoreEntry>(options: StoreOptions<E>) {
    return new PolicyStore(options, new QueuePolicy<E>('first in'), largestMap);
  },
  ttl: function shardedTtl<E extends StoreEntry>(options: StoreOptions<E>) {
    return new PolicyStore(options, new TtlPolicy<E>(), largestMap);
  },
  gdsf: function shardedGdsf<E extends StoreEntry>(options: StoreOptions<E>) {
    return new PolicyStore(options, new GdsfPolicy<E>(), largestMap);
  },
} satisfies Record<string, StoreFactory>;
