import { describe, expect, test } from 'vitest';
import type { Store, StoreEntry, StoreOptions } from '../../src/store/store.js';
import { setUp } from '../helper/memory-tier.js';

describe('MemoryTier', () => {
  test('hands out an entry until the very millisecond it expires', () => {
    const { clock, removed, tier, put } = setUp();
    put('a', { ttl: 100 });
    clock.advance(99);
    expect(tier.get('a')?.stored).toBe('value of a');
    clock.advance(1);
    expect(tier.get('a')).toBeUndefined();
    expect(removed).toEqual([['a', 'expire']]);
    expect(tier.size).toBe(0);
  });

  test.each(['peek', 'get', 'delete'] as const)('treats an expired entry as absent in %s', (operation) => {
    const { clock, removed, tier, put } = setUp();
    put('a', { ttl: 100 });
    clock.advance(100);
    expect(tier[operation]('a')).toBeFalsy();
    expect(removed).toEqual([['a', 'expire']]);
  });

  test('counts reads by get, and only those, in the entry', () => {
    const { clock, tier, put } = setUp();
    put('a');
    const created = clock.now();
    clock.advance(5);
    tier.peek('a');
    expect(tier.peek('a')).toMatchObject({ accessCount: 0, lastAccess: created });
    clock.advance(5);
    tier.get('a');
    tier.get('a');
    expect(tier.peek('a')).toMatchObject({ accessCount: 2, lastAccess: created + 10 });
  });

  test('keeps the counts an entry brings from a slower tier', () => {
    const { tier, put } = setUp();
    put('a', { accessCount: 7, lastAccess: 1 });
    expect(tier.peek('a')).toMatchObject({ accessCount: 7, lastAccess: 1 });
  });

  test('counts an evicted entry that had expired as expired', () => {
    const { clock, removed, put } = setUp({ maxSize: 2 });
    put('dead', { ttl: 10 });
    put('alive');
    clock.advance(10);
    put('c');
    put('d');
    expect(removed).toEqual([
      ['dead', 'expire'],
      ['alive', 'evict'],
    ]);
  });

  test('refuses an entry above maxEntryBytes and lets the older one go', () => {
    const { removed, tier, put } = setUp({ maxEntryBytes: 50 });
    expect(put('a', { bytes: 50 })).toBe(true);
    expect(put('b', { bytes: 51 })).toBe(false);
    expect(put('a', { bytes: 51 })).toBe(false);
    expect(removed).toEqual([['a', 'refuse']]);
    expect([tier.size, tier.bytes]).toEqual([0, 0]);
  });

  test('refuses by maxBytes where maxEntryBytes is larger', () => {
    const { tier, put } = setUp({ maxBytes: 100, maxEntryBytes: 500 });
    expect(put('a', { bytes: 101 })).toBe(false);
    expect(tier.bytes).toBe(0);
  });

  test('clears one method and leaves the others', () => {
    const { removed, tier, put } = setUp();
    put('a');
    put('b', { method: 'sql' });
    put('c');
    tier.clear('search');
    expect(removed).toEqual(
      expect.arrayContaining([
        ['a', 'clear'],
        ['c', 'clear'],
      ]),
    );
    expect([...tier.entries()].map((entry) => entry.key)).toEqual(['b']);
    tier.clear();
    expect([tier.size, tier.bytes]).toEqual([0, 0]);
  });

  test('iterates over live entries only', () => {
    const { clock, tier, put } = setUp();
    put('a', { ttl: 10 });
    put('b', { ttl: 20 });
    put('c');
    clock.advance(10);
    expect([...tier.entries()].map((entry) => entry.key).sort()).toEqual(['b', 'c']);
  });
});

describe('the background sweep', () => {
  test('removes expired entries that nobody asks for, at the next interval', () => {
    const { clock, removed, tier, put } = setUp({ sweepInterval: 500 });
    put('a', { ttl: 100 });
    put('b', { ttl: 60_000 });
    put('c');
    clock.advance(499);
    expect(tier.size).toBe(3);
    clock.advance(1);
    expect(removed).toEqual([['a', 'expire']]);
    expect(tier.size).toBe(2);
  });

  test('looks at a bounded number of entries a slice and goes on at once while it finds many', () => {
    const { clock, removed, put } = setUp();
    for (let index = 0; index < 5000; index += 1) put(`key ${index}`, { ttl: 10 });
    clock.advance(1000);
    expect(removed.length).toBe(1000);
    clock.advance(1);
    expect(removed.length).toBe(2000);
    clock.advance(3);
    expect(removed.length).toBe(5000);
  });

  test('finds every dead entry within a minute, however many live ones surround it', () => {
    const { clock, removed, put } = setUp({ maxSize: 200_000, maxBytes: 10_000_000 });
    for (let index = 0; index < 150_000; index += 1) {
      put(`key ${index}`, { ttl: index % 1000 === 999 ? 10 : 3_600_000 });
    }
    clock.advance(61_000);
    expect(removed.length).toBe(150);
  });

  test('keeps a timer only while something can expire', () => {
    const { clock, tier, put } = setUp();
    put('a');
    expect(clock.pending).toBe(0);
    put('b', { ttl: 10 });
    put('c', { ttl: 10 });
    expect(clock.pending).toBe(1);
    clock.advance(1000);
    expect(clock.pending).toBe(0);
    put('d', { ttl: 3_600_000 });
    expect(clock.pending).toBe(1);
    tier.delete('d');
    clock.advance(1000);
    expect(clock.pending).toBe(0);
  });

  test('lets go of an entry as soon as it leaves, whatever time it had left', () => {
    const slots: number[] = [];
    const { tier, put } = setUp({ maxSize: 2, onRemove: (entry) => slots.push(entry.slot) });
    for (const key of ['a', 'b', 'b', 'c', 'd']) put(key, { ttl: 3_600_000 });
    tier.delete('c');
    tier.clear();
    expect(slots).toEqual([-1, -1, -1, -1, -1]);
  });

  test('stops with close', () => {
    const { clock, tier, put } = setUp();
    put('a', { ttl: 10 });
    tier.close();
    put('b', { ttl: 10 });
    expect(clock.pending).toBe(0);
    expect(tier.get('b')?.key).toBe('b');
  });

  test('goes on after the wall clock has jumped back', () => {
    const { clock, removed, tier, put } = setUp();
    put('a', { ttl: 5000 });
    clock.setWallTime(clock.now() - 86_400_000);
    put('b', { ttl: 5000 });
    clock.advance(6000);
    expect(removed).toEqual([['b', 'expire']]);
    expect(tier.get('a')?.key).toBe('a');
    clock.setWallTime(clock.now() + 86_400_000);
    clock.advance(1000);
    expect(removed).toEqual([
      ['b', 'expire'],
      ['a', 'expire'],
    ]);
    expect(clock.pending).toBe(0);
  });

  test('forgets what a faulty store lost, and leaves its successor alone', () => {
    class Forgetful<E extends StoreEntry> implements Store<E> {
      readonly #map = new Map<string, E>();
      readonly bytes = 0;
      readonly #options: StoreOptions<E>;
      constructor(options: StoreOptions<E>) {
        this.#options = options;
      }
      get size() {
        return this.#map.size;
      }
      get = (key: string) => this.#map.get(key);
      peek = (key: string) => this.#map.get(key);
      has = (key: string) => this.#map.has(key);
      set(entry: E) {
        this.#map.set(entry.key, entry); // never tells of the replaced one
        return true;
      }
      delete(key: string) {
        const entry = this.#map.get(key);
        if (entry) this.#options.onRemove(entry, 'delete');
        return this.#map.delete(key);
      }
      clear() {}
      entries = () => this.#map.values();
    }
    const { clock, removed, tier, put } = setUp({ store: (options) => new Forgetful(options) });
    put('a', { ttl: 10 });
    put('a', { ttl: 60_000 });
    clock.advance(2000);
    expect(removed).toEqual([]);
    expect(tier.size).toBe(1);
    clock.advance(60_000);
    expect(tier.size).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test('tells of a failure and tries again later', () => {
    const errors: unknown[] = [];
    const failure = new Error('listener failed');
    let failures = 1;
    const { clock, tier, put } = setUp({
      onError: (error) => errors.push(error),
      onRemove: () => {
        if (failures-- > 0) throw failure;
      },
    });
    put('a', { ttl: 10 });
    put('b', { ttl: 10 });
    clock.advance(1000);
    expect(errors).toEqual([failure]);
    clock.advance(1000);
    expect(tier.size).toBe(0);
    expect(errors).toEqual([failure]);
  });
});
