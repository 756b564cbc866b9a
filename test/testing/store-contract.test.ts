import { describe, expect, test } from 'vitest';
import { lru } from '../../src/store/lru.js';
import type { RemovalReason, Store, StoreEntry, StoreFactory, StoreOptions } from '../../src/store/store.js';
import { storeContract } from '../../src/testing/index.js';

/** Names of the checks a factory fails. */
function failures(factory: StoreFactory): string[] {
  return storeContract(factory).flatMap(({ name, run }) => {
    try {
      run();
      return [];
    } catch {
      return [name];
    }
  });
}

/** An LRU store with something broken. */
function broken(
  breakIt: <E extends StoreEntry>(store: Store<E>, options: StoreOptions<E>) => Partial<Store<E>>,
): StoreFactory {
  return (options) => {
    const store = lru(options);
    const whole = {
      get size() {
        return store.size;
      },
      get bytes() {
        return store.bytes;
      },
      get: store.get.bind(store),
      peek: store.peek.bind(store),
      has: store.has.bind(store),
      set: store.set.bind(store),
      delete: store.delete.bind(store),
      clear: store.clear.bind(store),
      entries: store.entries.bind(store),
    };
    return Object.defineProperties(whole, Object.getOwnPropertyDescriptors(breakIt(store, options)));
  };
}

describe('storeContract', () => {
  test('passes a store that keeps it', () => {
    expect(failures(lru)).toEqual([]);
  });

  test('names the store and the promise', () => {
    expect(storeContract('lfu')[0]?.name).toBe('lfu starts empty');
    expect(storeContract(lru)[0]?.name).toBe('lru starts empty');
  });

  const faults: Record<string, StoreFactory> = {
    'holds more entries than it may': (options) => lru({ ...options, maxSize: options.maxSize + 1 }),
    'holds more bytes than it may': (options) => lru({ ...options, maxBytes: options.maxBytes + 1 }),
    'never tells of removals': (options) => lru({ ...options, onRemove: () => {} }),
    'tells of every removal twice': (options) =>
      lru({
        ...options,
        onRemove: (entry, reason) => {
          options.onRemove(entry, reason);
          options.onRemove(entry, reason);
        },
      }),
    'calls everything an eviction': (options) =>
      lru({ ...options, onRemove: (entry) => options.onRemove(entry, 'evict') }),
    'counts no bytes': broken(() => ({ bytes: 0 })),
    'counts no entries': broken(() => ({ size: 0 })),
    'loses the reason of a deletion': broken((store) => ({ delete: (key) => store.delete(key) })),
    'tells of no deletion': broken((store) => ({
      delete: (key, reason?: RemovalReason) => store.delete(key, reason) && false,
    })),
    'ignores clear': broken(() => ({ clear: () => {} })),
    'hands out copies': broken((store) => ({
      get: (key) => {
        const entry = store.get(key);
        return entry && { ...entry };
      },
    })),
    'denies what it has': broken(() => ({ has: () => false })),
    'lists nothing': broken(() => ({ entries: () => [].values() })),
    'evicts for a refused entry': broken((store, { maxBytes }) => ({
      set: (entry) => {
        if (entry.bytes > maxBytes) store.clear();
        return store.set(entry);
      },
    })),
    'draws lots of its own': broken((store) => ({
      set: (entry) => {
        if (Math.random() < 0.2) for (const { key } of [...store.entries()]) store.get(key);
        return store.set(entry);
      },
    })),
  };

  test.each(Object.entries(faults))('catches a store that %s', (_, factory) => {
    expect(failures(factory)).not.toEqual([]);
  });
});
