/** Churn far beyond a store's size: small and sharded in the suite, ten million entries in `npm run test:large-stores`. */

import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, test } from 'vitest';
import { createStore } from '../../src/store/registry.js';
import type { StoreEntry } from '../../src/store/store.js';
import { shardedStores } from '../helper/sharded-stores.js';

const largeSize = Number(process.env['TOOLSTASH_LARGE_STORES'] ?? 0);
const maxSize = largeSize || 5000;
/** Beyond the 2^24 keys after which a Map that can't compact fails, whatever the size. */
const sets = 3.2 * maxSize;
const names = ['lru', 'lfu', 'fifo', 'ttl', 'gdsf', 'sieve', 's3-fifo', 'w-tinylfu', 'auto'] as const;

describe.each(names)('the %s store', (name) => {
  test(`bounded to ${maxSize} entries, takes ${sets} keys and keeps its books`, {
    timeout: 3_600_000,
  }, () => {
    let evicted = 0;
    const store = createStore<StoreEntry>(largeSize > 0 ? name : shardedStores[name], {
      maxSize,
      maxBytes: Number.MAX_SAFE_INTEGER,
      random: Math.random,
      onRemove: () => {
        evicted += 1;
      },
    });
    let missing = 0;
    for (let index = 0; index < sets; index += 1) {
      const entry = entryOf(index);
      if (!store.set(entry) || store.peek(entry.key) !== entry) missing += 1;
    }
    assert.equal(missing, 0);
    assert.equal(store.size, maxSize);
    assert.equal(store.bytes, 10 * maxSize);
    assert.equal(evicted, sets - maxSize);

    let listed = 0;
    for (const entry of store.entries()) {
      if (store.peek(entry.key) === entry) listed += 1;
    }
    assert.equal(listed, maxSize);
    store.clear();
    assert.equal(store.size, 0);
    assert.equal(evicted, sets);
  });
});

/** Later entries expire later and cost more, so that every policy evicts the oldest. */
function entryOf(index: number): StoreEntry {
  return {
    key: hash('md5', String(index)),
    bytes: 10,
    expiresAt: 1_800_000_000_000 + index,
    loadMs: 1 + index,
  };
}
