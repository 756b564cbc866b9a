/** What lru-cache does in its own way, and the store as all do. */

import { describe, expect, it } from 'vitest';
import { createStore } from '../../src/store/registry.js';
import type { Store, StoreEntry } from '../../src/store/store.js';
import { growingLru } from '../helper/sharded-stores.js';

const entryOf = (key: string, bytes = 10): StoreEntry => ({ key, bytes, expiresAt: null, loadMs: 0 });

describe.each([
  { kind: 'lru', factory: 'lru' },
  { kind: 'growing lru', factory: growingLru },
])('the $kind store', ({ factory }) => {
  const storeOf = (onRemove: (entry: StoreEntry, reason: string) => void, maxSize = 3): Store<StoreEntry> =>
    createStore<StoreEntry>(factory, { maxSize, maxBytes: 1000, random: Math.random, onRemove });

  it('tells of an entry that is overwritten with itself', () => {
    const removed: string[] = [];
    const store = storeOf(({ key }, reason) => removed.push(`${key} ${reason} ${store.size} ${store.bytes}`));
    const entry = entryOf('a');
    for (const each of [entry, entryOf('b'), entry]) store.set(each);
    expect(removed).toEqual(['a replace 1 10']);
    expect([store.size, store.bytes, store.get('a')]).toEqual([2, 20, entry]);
  });

  it('finds nothing under the key of an entry that is leaving, and is whole afterwards', () => {
    const found: unknown[] = [];
    const store = storeOf(({ key }) => {
      found.push(
        store.get(key),
        store.peek(key),
        [...store.entries()].find((each) => each.key === key),
      );
      // Uses count here too.
      store.get('b');
    });
    const keys = ['a', 'b', 'c', 'd', 'b', 'e', 'f', 'c'];
    for (const key of keys) store.set(entryOf(key));
    store.delete('c');
    store.evict?.();
    expect(found.length).toBeGreaterThan(15);
    expect(found.every((each) => each === undefined)).toBe(true);
    const left = [...store.entries()];
    expect(left.length).toBe(store.size);
    for (const each of left) expect(store.get(each.key)).toBe(each);
    for (const key of keys) {
      store.set(entryOf(key));
      expect(store.get(key)?.key).toBe(key);
    }
    expect([...store.entries()].length).toBe(3);
  });
});
