import { describe, test } from 'vitest';
import { randomStore } from '../../examples/random-store.js';
import { storeContract } from '../../src/testing/index.js';

describe('the store contract', () => {
  for (const store of ['lru', 'lfu', 'fifo', 'ttl', randomStore]) {
    for (const { name, run } of storeContract(store)) test(name, run);
  }
});
