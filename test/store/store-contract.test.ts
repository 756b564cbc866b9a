import { describe, test } from 'vitest';
import { randomStore } from '../../examples/stores/random-store.js';
import { storeContract } from '../../src/testing/index.js';
import { growingLru, shardedStores } from '../helper/sharded-stores.js';

describe('the store contract', () => {
  for (const store of [
    'lru',
    'lfu',
    'fifo',
    'ttl',
    randomStore,
    growingLru,
    ...Object.values(shardedStores),
  ]) {
    for (const { name, run } of storeContract(store)) test(name, run);
  }
});
