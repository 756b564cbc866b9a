import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { createStore } from '../../src/store/registry.js';
import type { StoreEntry } from '../../src/store/store.js';
import { storeContract } from '../../src/testing/index.js';

interface Row {
  entry: StoreEntry;
  uses: number;
  worth: number;
  priority: number;
  lastUse: number;
}

/** The paper's rules over an array that is searched from end to end. */
class SlowGdsf {
  rows: Row[] = [];
  readonly evicted: string[] = [];
  #inflation = 0;
  #tick = 0;
  readonly #costs: number[] = [];
  readonly #maxSize: number;
  readonly #maxBytes: number;

  constructor({ maxSize, maxBytes }: { maxSize: number; maxBytes: number }) {
    this.#maxSize = maxSize;
    this.#maxBytes = maxBytes;
  }

  get(key: string): StoreEntry | undefined {
    const row = this.rows.find(({ entry }) => entry.key === key);
    if (row) this.#use(row);
    return row?.entry;
  }

  set(entry: StoreEntry): boolean {
    const older = this.rows.find(({ entry: { key } }) => key === entry.key);
    this.delete(entry.key);
    if (entry.bytes > this.#maxBytes) return false;
    while (this.rows.length >= this.#maxSize || this.#bytes + entry.bytes > this.#maxBytes) {
      const victim = this.rows.reduce((first, row) => (goesBefore(row, first) ? row : first));
      this.#inflation = victim.priority;
      this.delete(victim.entry.key);
      this.evicted.push(victim.entry.key);
    }
    if (entry.loadMs > 0) this.#costs.push(entry.loadMs);
    const mean = this.#costs.length ? this.#costs.reduce((a, b) => a + b) / this.#costs.length : 1;
    const worth = (entry.loadMs || mean) / entry.bytes;
    const row = { entry, uses: older?.uses ?? 0, worth, priority: 0, lastUse: 0 };
    this.#use(row);
    this.rows.push(row);
    return true;
  }

  delete(key: string): void {
    this.rows = this.rows.filter(({ entry }) => entry.key !== key);
  }

  get #bytes(): number {
    return this.rows.reduce((sum, { entry }) => sum + entry.bytes, 0);
  }

  #use(row: Row): void {
    row.uses++;
    row.priority = this.#inflation + row.uses * row.worth;
    row.lastUse = this.#tick++;
  }
}

function goesBefore(a: Row, b: Row): boolean {
  return a.priority === b.priority ? a.lastUse < b.lastUse : a.priority < b.priority;
}

function entryOf(key: string, { bytes = 10, loadMs = 100 } = {}): StoreEntry {
  return { key, bytes, loadMs, expiresAt: null };
}

function storeOf({ maxSize = 1000, maxBytes = 1_000_000 } = {}) {
  const evicted: string[] = [];
  const store = createStore<StoreEntry>('gdsf', {
    maxSize,
    maxBytes,
    random: Math.random,
    onRemove: ({ key }, reason) => {
      if (reason === 'evict') evicted.push(key);
    },
  });
  return { store, evicted };
}

for (const { name, run } of storeContract('gdsf')) test(name, run);

describe('the gdsf store', () => {
  it('does what the paper says, as an obvious array does it', () => {
    const commands = fc.array(
      fc.record({
        kind: fc.constantFrom('set', 'set', 'set', 'get', 'get', 'delete'),
        key: fc.constantFrom(...'abcdefghijkl'),
        bytes: fc.integer({ min: 1, max: 40 }),
        loadMs: fc.constantFrom(0, 1, 5, 20, 100),
      }),
      { maxLength: 120 },
    );
    const bounds = fc.record({
      maxSize: fc.integer({ min: 1, max: 8 }),
      maxBytes: fc.integer({ min: 10, max: 120 }),
    });
    fc.assert(
      fc.property(bounds, commands, (bounds, commands) => {
        const { store, evicted } = storeOf(bounds);
        const slow = new SlowGdsf(bounds);
        for (const { kind, key, bytes, loadMs } of commands) {
          const entry = entryOf(key, { bytes, loadMs });
          if (kind === 'set') assert.equal(store.set(entry), slow.set(entry));
          else if (kind === 'get') assert.equal(store.get(key), slow.get(key));
          else {
            store.delete(key);
            slow.delete(key);
          }
          assert.deepEqual(evicted, slow.evicted);
          const keys = (rows: Iterable<StoreEntry>) => Array.from(rows, (row) => row.key).sort();
          assert.deepEqual(keys(store.entries()), keys(slow.rows.map((row) => row.entry)));
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('keeps what is dear, small or often used', () => {
    const { store, evicted } = storeOf({ maxSize: 4 });
    store.set(entryOf('cheap', { loadMs: 10 }));
    store.set(entryOf('large', { bytes: 200 }));
    store.set(entryOf('used'));
    store.set(entryOf('plain'));
    store.get('used');
    for (const next of ['w', 'x', 'y']) store.set(entryOf(next, { loadMs: 60_000 }));
    expect(evicted).toEqual(['large', 'cheap', 'plain']);
    expect(store.has('used')).toBe(true);
  });

  it('evicts the least recently used among equals', () => {
    const { store, evicted } = storeOf({ maxSize: 3 });
    for (const key of ['a', 'b', 'c']) store.set(entryOf(key));
    store.set(entryOf('d'));
    store.set(entryOf('e'));
    expect(evicted).toEqual(['a', 'b']);
  });

  it('lets go in time of what was popular long ago', () => {
    const { store, evicted } = storeOf({ maxSize: 10 });
    store.set(entryOf('once popular'));
    for (let i = 0; i < 50; i++) store.get('once popular');
    for (let i = 0; i < 5000 && store.has('once popular'); i++) store.set(entryOf(`later ${i}`));
    expect(evicted).toContain('once popular');
    expect(evicted.length).toBeGreaterThan(300);
  });

  it('takes an entry whose cost is unknown for one of mean cost', () => {
    const { store, evicted } = storeOf({ maxSize: 3 });
    store.set(entryOf('dear', { loadMs: 300 }));
    store.set(entryOf('cheap', { loadMs: 100 }));
    store.set(entryOf('unknown', { loadMs: 0 }));
    for (const next of ['x', 'y']) store.set(entryOf(next, { loadMs: 1e6 }));
    expect(evicted).toEqual(['cheap', 'unknown']);
  });

  it('takes a load for less of an exception than it was, by what its method typically takes', () => {
    /** After how many others of the same cost a result leaves whose load took 100 times as long. */
    const life = (of: object) => {
      const { store, evicted } = storeOf({ maxSize: 20 });
      for (let i = 0; i < 100; i++) store.set({ ...entryOf(`usual ${i}`), ...of });
      store.set({ ...entryOf('slow once', { loadMs: 10_000 }), ...of });
      let others = 0;
      for (; !evicted.includes('slow once'); others++) store.set({ ...entryOf(`later ${others}`), ...of });
      return others;
    };
    const usual = 20;
    expect(life({})).toBeGreaterThan(80 * usual);
    // The root of 100 times the usual, and a little for the typical load that it has raised.
    expect(life({ method: 'tool' })).toBeGreaterThan(8 * usual);
    expect(life({ method: 'tool' })).toBeLessThan(14 * usual);
    // What the user says it is worth is no measurement.
    expect(life({ method: 'tool', cost: 1 })).toBeLessThan(2 * usual);
  });

  it('tells typical loads by method, and lets them change', () => {
    const { store, evicted } = storeOf({ maxSize: 4 });
    const set = (key: string, method: string, loadMs: number) =>
      store.set({ ...entryOf(key, { loadMs }), method });
    set('slow', 'slow', 10_000);
    set('fast', 'fast', 1);
    set('unknown slow', 'slow', 0);
    set('unknown fast', 'fast', 0);
    for (const next of ['x', 'y', 'z']) set(next, 'other', 1e6);
    expect(evicted).toEqual(['fast', 'unknown fast', 'slow']);
    for (let i = 0; i < 20_000; i++) set('became slow', 'fast', 10_000);
    for (const { key } of [...store.entries()]) store.delete(key);
    evicted.length = 0;
    set('unknown fast', 'fast', 0);
    store.set({ ...entryOf('less dear'), cost: 5000 });
    for (const next of ['x', 'y', 'z']) set(next, 'other', 1e6);
    expect(evicted).toEqual(['less dear']);
  });

  it('still tells small differences apart after entries of enormous worth have come and gone', () => {
    const { store, evicted } = storeOf({ maxSize: 3, maxBytes: 10_000_000 });
    for (let round = 0; round < 100; round++) {
      for (let i = 0; i < 3; i++)
        store.set(entryOf(`${round} ${i}`, { bytes: 1, loadMs: 1e15 * (round + 1) }));
    }
    evicted.length = 0;
    for (const key of [...store.entries()].map((entry) => entry.key)) store.delete(key);
    store.set(entryOf('worth more', { bytes: 1_000_000, loadMs: 2 }));
    store.set(entryOf('worth less', { bytes: 1_000_000, loadMs: 1 }));
    store.set(entryOf('other'));
    store.set(entryOf('next'));
    expect(evicted).toEqual(['worth less']);
  });

  it('saves more load time than lru in the same bytes, when calls differ in cost', () => {
    const savedBy = (eviction: 'gdsf' | 'lru') => {
      const store = createStore<StoreEntry>(eviction, {
        maxSize: 1000,
        maxBytes: 20_000,
        random: Math.random,
        onRemove: () => {},
      });
      let state = 12_345;
      const random = () => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        return state / 2 ** 32;
      };
      let saved = 0;
      for (let call = 0; call < 20_000; call++) {
        const id = Math.floor(random() ** 2 * 1000);
        const loadMs = id % 10 === 0 ? 5000 : 50;
        if (store.get(`${id}`)) saved += loadMs;
        else store.set(entryOf(`${id}`, { bytes: 50 + (id % 7) * 50, loadMs }));
      }
      return saved;
    };
    expect(savedBy('gdsf')).toBeGreaterThan(1.5 * savedBy('lru'));
  });
});
