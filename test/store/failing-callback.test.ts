import { describe, expect, test } from 'vitest';
import { createStore } from '../../src/store/registry.js';
import type { RemovalReason, StoreEntry } from '../../src/store/store.js';
import { growingLru } from '../helper/sharded-stores.js';

const entryOf = (key: string, bytes = 10): StoreEntry => ({ key, bytes, expiresAt: null, loadMs: 0 });

const stores = [
  ...['lru', 'lfu', 'fifo', 'ttl'].map((name) => ({ name, factory: name })),
  { name: 'growing lru', factory: growingLru },
];

describe.each(stores)('the $name store, when onRemove throws', ({ factory }) => {
  test.each(['replace', 'evict', 'delete', 'refuse'] satisfies RemovalReason[])(
    'keeps its books and goes on after a failed %s',
    (failing) => {
      let failures = 1;
      const store = createStore<StoreEntry>(factory, {
        maxSize: 3,
        maxBytes: 30,
        random: Math.random,
        onRemove: (_, reason) => {
          if (reason === failing && failures-- > 0) throw new Error('listener failed');
        },
      });
      const books = () => {
        const entries = [...store.entries()];
        expect(store.size).toBe(entries.length);
        expect(store.bytes).toBe(entries.reduce((sum, { bytes }) => sum + bytes, 0));
        for (const entry of entries) expect(store.peek(entry.key)).toBe(entry);
      };
      for (const key of ['a', 'b', 'c']) store.set(entryOf(key));
      expect(() => {
        store.delete('b');
        store.set(entryOf('b'));
        store.set(entryOf('a', 15));
        store.set(entryOf('a', 31));
      }).toThrow('listener failed');
      books();
      for (const key of ['a', 'b', 'c', 'd', 'e', 'a']) {
        expect(store.set(entryOf(key))).toBe(true);
        expect(store.has(key)).toBe(true);
        books();
      }
      expect(store.size).toBe(3);
      store.clear();
      books();
      expect(store.size).toBe(0);
    },
  );
});
