/** A memory tier under a process that runs short of memory. */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { CacheManager, InvalidOptionError } from '../../src/index.js';
import type { MemoryPressure } from '../../src/store/memory-options.js';
import type { ProcessMemory } from '../../src/store/process-memory.js';
import { builtInStores } from '../../src/store/registry.js';
import type { Store, StoreEntry, StoreFactory, StoreOptions } from '../../src/store/store.js';
import { setUp } from '../helper/memory-tier.js';

/** A process of 1,000 bytes of heap and 10,000 in all, whose use tests set. */
class PretendedMemory implements ProcessMemory {
  heapUsed = 0;
  rssUsed = 0;
  #listener: (() => void) | undefined;

  heap() {
    return { used: this.heapUsed, limit: 1000 };
  }

  rss() {
    return { used: this.rssUsed, limit: 10_000 };
  }

  onCollected(listener: () => void) {
    this.#listener = listener;
    return () => {
      this.#listener = undefined;
    };
  }

  get isWatched(): boolean {
    return this.#listener !== undefined;
  }

  /** Garbage was collected, and so much is left. */
  collected(heapUsed: number): void {
    this.heapUsed = heapUsed;
    this.#listener?.();
  }
}

function watched(options: Parameters<typeof setUp>[0] = {}) {
  const memory = new PretendedMemory();
  const told: MemoryPressure[] = [];
  const tier = setUp({
    maxBytes: 800,
    memory: { maxHeapFraction: 0.8, onPressure: (pressure) => told.push(pressure) },
    processMemory: memory,
    ...options,
  });
  const fill = (count: number, prefix = 'k') => {
    for (let number = 0; number < count; number += 1) tier.put(`${prefix}${number}`);
  };
  return { ...tier, memory, told, fill };
}

describe('a memory tier with `memory`', () => {
  test('keeps all while there is room', () => {
    const { tier, memory, fill, told } = watched();
    memory.collected(790);
    fill(60);
    memory.collected(800);
    expect(tier.size).toBe(60);
    expect(told).toEqual([]);
  });

  test('lets the next to leave go until the process is below 90 % of what it may use', async () => {
    const { tier, memory, fill, told, removed } = watched();
    fill(60);
    tier.get('k0');
    memory.collected(900);
    // 900 − 0.9 × 800 are 180 bytes too many: 18 entries, the least recently used first.
    expect(removed).toEqual(Array.from({ length: 18 }, (_, at) => [`k${at + 1}`, 'evict']));
    expect(tier.bytes).toBe(420);
    await nextTurn();
    expect(told).toEqual([
      { kind: 'heap', used: 900, limit: 1000, evicted: 18, evictedBytes: 180, maxBytes: 420 },
    ]);
  });

  test('is bounded by what is left, and grows again in steps once there is room', () => {
    const { tier, memory, fill } = watched();
    fill(60);
    memory.collected(900);
    fill(60, 'new');
    expect(tier.bytes).toBe(420);
    // Between 80 % and 100 % of what may be used nothing changes.
    memory.collected(700);
    fill(60, 'more');
    expect(tier.bytes).toBe(420);
    memory.collected(300);
    fill(60, 'again');
    expect(tier.bytes).toBe(520);
    for (let round = 0; round < 9; round += 1) memory.collected(300);
    fill(100, 'last');
    expect(tier.bytes).toBe(800);
  });

  test('shrinks once for what only a collection can show, however often it looks', () => {
    const { tier, memory, fill, clock } = watched();
    fill(60);
    memory.heapUsed = 900;
    clock.advance(1000);
    const left = tier.bytes;
    expect(left).toBeLessThan(600);
    clock.advance(10_000);
    expect(tier.bytes).toBe(left);
    memory.collected(850);
    expect(tier.bytes).toBeLessThan(left);
  });

  test('takes no garbage for use: what the last collection left counts, and what was stored since', () => {
    const { tier, memory, fill, clock, told } = watched();
    memory.collected(300);
    memory.heapUsed = 999;
    fill(40);
    clock.advance(1000);
    // 300 + 400 are within 800.
    expect(tier.size).toBe(40);
    fill(20, 'more');
    // 300 + 500 are not: the growth itself made it look.
    expect(tier.size).toBeLessThan(60);
    expect(told).toEqual([]);
  });

  test('heeds all memory of the process, external included', async () => {
    const { tier, memory, fill, told, clock } = watched();
    fill(60);
    memory.rssUsed = 8100;
    clock.advance(1000);
    await nextTurn();
    expect(told).toMatchObject([{ kind: 'rss', used: 8100, limit: 10_000, evicted: 60 }]);
    expect(tier.size).toBe(0);
  });

  test('takes what has left for free, though the process is as large as before', () => {
    const { tier, memory, fill, clock } = watched({ maxBytes: 8000 });
    fill(600);
    memory.rssUsed = 8100;
    clock.advance(1000);
    expect(tier.bytes).toBe(5100);
    for (let times = 0; times < 20; times += 1) {
      memory.collected(100);
      clock.advance(1000);
    }
    expect(tier.bytes).toBe(5100);
    // Something else has grown.
    memory.rssUsed = 9100;
    clock.advance(1000);
    expect(tier.bytes).toBeLessThan(5100);
  });

  test('gives back its share of what is too much, where a process has several', () => {
    const one = watched();
    const other = watched({ processMemory: one.memory });
    one.fill(40);
    other.fill(20);
    one.memory.heapUsed = 900;
    // Of 180 bytes that are too many.
    one.clock.advance(1000);
    expect([one.tier.bytes, other.tier.bytes]).toEqual([280, 200]);
    other.clock.advance(1000);
    expect(other.tier.bytes).toBe(120);
  });

  test('works over any store, in the order of its entries where it has no `evict`', () => {
    const plain: StoreFactory = <E extends StoreEntry>({ onRemove }: StoreOptions<E>): Store<E> => {
      const held = new Map<string, E>();
      return {
        get size() {
          return held.size;
        },
        get bytes() {
          return 10 * held.size;
        },
        get: (key) => held.get(key),
        peek: (key) => held.get(key),
        has: (key) => held.has(key),
        set: (entry) => Boolean(held.set(entry.key, entry)),
        delete(key, reason = 'delete') {
          const entry = held.get(key);
          held.delete(key);
          if (entry !== undefined) onRemove(entry, reason);
          return entry !== undefined;
        },
        clear: () => held.clear(),
        entries: () => held.values(),
      };
    };
    const { tier, memory, fill, removed } = watched({ store: plain });
    fill(60);
    memory.collected(900);
    expect(removed.slice(0, 2)).toEqual([
      ['k0', 'evict'],
      ['k1', 'evict'],
    ]);
    expect(tier.size).toBe(42);
  });

  test.each(builtInStores)('lets go under %s of what would leave next anyway', (store) => {
    const fillUnevenly = (tier: ReturnType<typeof watched>) => {
      for (let number = 0; number < 60; number += 1)
        tier.put(`k${number}`, { loadMs: 1 + ((number * 37) % 60), ttl: 1000 + ((number * 23) % 60) });
      for (const number of [3, 5, 7, 5, 50]) tier.tier.get(`k${number}`);
    };
    const short = watched({ store });
    fillUnevenly(short);
    short.memory.collected(900);
    const crowded = watched({ store, maxBytes: 600 });
    fillUnevenly(crowded);
    // As many bytes as have to go, as one entry.
    crowded.put('large', { bytes: 180 });
    expect(short.removed).toHaveLength(18);
    expect(short.removed).toEqual(crowded.removed);
  });

  test('tells its owner what a faulty store throws when it is to shrink', () => {
    const errors: unknown[] = [];
    const { memory, fill, clock } = watched({
      onError: (error) => errors.push(error),
      onRemove: () => {
        throw new Error('faulty');
      },
    });
    fill(60);
    memory.collected(900);
    clock.advance(1000);
    expect(errors.map(String)).toContain('Error: faulty');
  });

  test('watches until it is closed', () => {
    const { tier, memory, clock, fill } = watched();
    fill(60);
    expect(memory.isWatched).toBe(true);
    tier.close();
    expect(memory.isWatched).toBe(false);
    memory.heapUsed = 999;
    clock.advance(5000);
    expect(tier.size).toBe(60);
  });
});

describe('the option `memory`', () => {
  test.each([
    [{ maxHeapFraction: 0 }, 'memory.maxHeapFraction'],
    [{ maxHeapFraction: 1 }, 'memory.maxHeapFraction'],
    [{ maxHeapFraction: '80%' }, 'memory.maxHeapFraction'],
    [{ onPressure: true }, 'memory.onPressure'],
    [{ maxHeap: 1 }, 'maxHeap'],
    [true, 'memory'],
    [null, 'memory'],
  ])('is refused where it is %j', (memory, told) => {
    const make = () => new CacheManager({ memory: memory as never });
    expect(make).toThrow(InvalidOptionError);
    expect(make).toThrow(told);
  });

  test('watches this process, without a listener at a hit', async () => {
    const told: MemoryPressure[] = [];
    // So little that any process uses more.
    const cache = new CacheManager({
      memory: { maxHeapFraction: 1e-6, onPressure: (each) => void told.push(each) },
    });
    for (let number = 0; number < 64; number += 1) cache.setSync('m', number, 'x'.repeat(1_000_000));
    await nextTurn();
    expect(told.length).toBeGreaterThan(0);
    expect(cache.stats().evicted).toBeGreaterThan(0);
    // Its bound stays low, which lets more go than was told.
    expect(cache.stats().evicted).toBeGreaterThanOrEqual(told.reduce((sum, { evicted }) => sum + evicted, 0));
    expect(cache.stats().entries).toBeLessThan(64);
    await cache.close();
  });
});
