/** The contract of `Store` as checks that any test runner can run. */

import assert from 'node:assert/strict';
import { createStore } from '../store/registry.js';
import type { RemovalReason, Store, StoreEntry, StoreFactory } from '../store/store.js';

/** One thing a store promises. */
export interface StoreCheck {
  /** The promise, as a sentence. */
  readonly name: string;
  /** Throws an `AssertionError` if the store breaks it. */
  run(): void;
}

/**
 * The checks that every store must pass, whatever its policy: bounds, accounting, and what it reports to `onRemove`.
 *
 * @param store A registered name, or a factory.
 * @example
 * for (const { name, run } of storeContract((options) => new RandomStore(options))) test(name, run);
 */
export function storeContract(store: string | StoreFactory): StoreCheck[] {
  const subject = typeof store === 'string' ? store : store.name || 'the store';
  return checks.map(([name, check]) => ({
    name: `${subject} ${name}`,
    run: () => check((options) => new Probe(store, options)),
  }));
}

interface ProbeOptions {
  readonly maxSize?: number;
  readonly maxBytes?: number;
  readonly random?: () => number;
}

type Check = (make: (options?: ProbeOptions) => Probe) => void;

/** A store under test. It checks at every removal and after every operation what must always hold. */
class Probe {
  readonly store: Store<StoreEntry>;
  /** What the store reported since `takeRemoved` was last called. */
  #removed: [entry: StoreEntry, reason: RemovalReason][] = [];
  /** What must be in the store: all that was set, less what was reported as removed. */
  readonly #expected = new Map<string, StoreEntry>();
  readonly #maxSize: number;
  readonly #maxBytes: number;

  constructor(
    store: string | StoreFactory,
    { maxSize = 10, maxBytes = 1000, random = seededRandom(1) }: ProbeOptions = {},
  ) {
    this.#maxSize = maxSize;
    this.#maxBytes = maxBytes;
    this.store = createStore(store, {
      maxSize,
      maxBytes,
      random,
      onRemove: (entry, reason) => this.#onRemove(entry, reason),
    });
  }

  set(entry: StoreEntry): boolean {
    const isStored = this.store.set(entry);
    assert.equal(isStored, entry.bytes <= this.#maxBytes, '`set` returns whether it stored the entry');
    if (isStored) this.#expected.set(entry.key, entry);
    this.check();
    return isStored;
  }

  delete(key: string, reason?: RemovalReason): boolean {
    const isThere = this.#expected.has(key);
    assert.equal(this.store.delete(key, reason), isThere, '`delete` returns whether there was an entry');
    assert.equal(this.#expected.has(key), false, 'a deleted entry is reported to `onRemove`');
    this.check();
    return isThere;
  }

  clear(): void {
    this.store.clear();
    assert.equal(this.#expected.size, 0, '`clear` reports every entry to `onRemove`');
    this.check();
  }

  read(key: string, operation: 'get' | 'peek'): void {
    assert.equal(this.store[operation](key), this.#expected.get(key), `\`${operation}\` finds what is there`);
    assert.equal(this.store.has(key), this.#expected.has(key), '`has` returns whether the entry is there');
    this.check();
  }

  /** Removals since the last call, as `key reason`. */
  takeRemoved(): string[] {
    const removed = this.#removed.map(([entry, reason]) => `${entry.key} ${reason}`);
    this.#removed = [];
    return removed;
  }

  check(): void {
    assert.equal(this.store.size, this.#expected.size, '`size` counts the entries');
    assert.equal(this.store.bytes, sumBytes(this.#expected.values()), '`bytes` sums the entries’ `bytes`');
    this.#checkBounds('after an operation');
  }

  checkEntries(): void {
    const listed = [...this.store.entries()];
    assert.equal(listed.length, this.#expected.size, '`entries` lists each entry once');
    for (const entry of listed)
      assert.equal(entry, this.#expected.get(entry.key), '`entries` lists what is there');
  }

  #onRemove(entry: StoreEntry, reason: RemovalReason): void {
    assert.equal(
      this.#expected.get(entry.key),
      entry,
      'an entry is reported once, as the object that was set',
    );
    this.#expected.delete(entry.key);
    this.#removed.push([entry, reason]);
    assert.equal(this.store.has(entry.key), false, 'an entry has left when it is reported');
    assert.equal(this.store.peek(entry.key), undefined, 'an entry has left when it is reported');
    if (reason !== 'clear') {
      assert.equal(this.store.size, this.#expected.size, '`size` is right inside `onRemove`');
      assert.equal(this.store.bytes, sumBytes(this.#expected.values()), '`bytes` is right inside `onRemove`');
    }
    this.#checkBounds('inside `onRemove`');
  }

  #checkBounds(when: string): void {
    const { size, bytes } = this.store;
    assert.ok(size >= 0 && size <= this.#maxSize, `\`maxSize\` ${this.#maxSize} holds ${when}, got ${size}`);
    assert.ok(
      bytes >= 0 && bytes <= this.#maxBytes,
      `\`maxBytes\` ${this.#maxBytes} holds ${when}, got ${bytes}`,
    );
  }
}

const checks: [name: string, check: Check][] = [
  [
    'starts empty',
    (make) => {
      const probe = make();
      probe.read('absent', 'get');
      probe.delete('absent');
      probe.clear();
      probe.checkEntries();
      assert.deepEqual(probe.takeRemoved(), []);
    },
  ],
  [
    'hands back the very entries that were set',
    (make) => {
      const probe = make();
      for (const key of ['a', 'b', 'c']) probe.set(entryOf(key));
      for (const key of ['a', 'b', 'c', 'd']) {
        probe.read(key, 'get');
        probe.read(key, 'peek');
      }
      probe.checkEntries();
      assert.deepEqual(probe.takeRemoved(), []);
    },
  ],
  [
    'lets an overwritten entry go with the reason `replace`, and counts the bytes of the new one',
    (make) => {
      const probe = make();
      probe.set(entryOf('a', 10));
      probe.set(entryOf('b', 10));
      probe.set(entryOf('a', 30));
      probe.set(entryOf('a', 5));
      assert.deepEqual(probe.takeRemoved(), ['a replace', 'a replace']);
      assert.equal(probe.store.bytes, 15);
      probe.read('a', 'get');
    },
  ],
  [
    'overwrites without evicting others when there is room',
    (make) => {
      const probe = make({ maxSize: 2, maxBytes: 20 });
      probe.set(entryOf('a', 10));
      probe.set(entryOf('b', 10));
      probe.set(entryOf('a', 10));
      probe.set(entryOf('b', 10));
      assert.deepEqual(probe.takeRemoved(), ['a replace', 'b replace']);
    },
  ],
  [
    'keeps an overwritten key and evicts others when its new entry needs their room',
    (make) => {
      const probe = make({ maxBytes: 30 });
      for (const key of ['a', 'b', 'c']) probe.set(entryOf(key, 10));
      for (const key of ['a', 'b', 'c']) probe.set(entryOf(key, 30));
      assert.deepEqual(probe.takeRemoved().slice(0, 3).sort(), ['a replace', 'b evict', 'c evict']);
      probe.read('c', 'get');
      assert.equal(probe.store.size, 1);
    },
  ],
  [
    'evicts one entry for one when it is full',
    (make) => {
      const probe = make({ maxSize: 3 });
      for (let index = 0; index < 10; index += 1) {
        probe.set(entryOf(`key ${index}`));
        assert.equal(probe.store.has(`key ${index}`), true, 'an entry that was just set is there');
      }
      const removed = probe.takeRemoved();
      assert.equal(removed.length, 7);
      assert.ok(removed.every((line) => line.endsWith(' evict')));
    },
  ],
  [
    'makes room by bytes, and no more than it must for entries of one size',
    (make) => {
      const probe = make({ maxSize: 100, maxBytes: 45 });
      for (let index = 0; index < 10; index += 1) probe.set(entryOf(`key ${index}`, 10));
      assert.equal(probe.store.size, 4);
      probe.set(entryOf('large', 45));
      assert.equal(probe.store.size, 1);
      probe.read('large', 'get');
    },
  ],
  [
    'refuses an entry above `maxBytes` and changes nothing else',
    (make) => {
      const probe = make({ maxBytes: 100 });
      probe.set(entryOf('a'));
      probe.set(entryOf('b', 101));
      assert.deepEqual(probe.takeRemoved(), []);
      probe.read('a', 'get');
    },
  ],
  [
    'lets the older entry go with the reason `refuse` when its overwrite is refused',
    (make) => {
      const probe = make({ maxBytes: 100 });
      probe.set(entryOf('a'));
      probe.set(entryOf('b'));
      probe.set(entryOf('a', 101));
      assert.deepEqual(probe.takeRemoved(), ['a refuse']);
      probe.read('a', 'get');
      probe.read('b', 'get');
    },
  ],
  [
    'works with room for one entry',
    (make) => {
      const probe = make({ maxSize: 1 });
      for (const key of ['a', 'a', 'b', 'a']) {
        probe.set(entryOf(key));
        probe.read(key, 'get');
      }
      assert.deepEqual(probe.takeRemoved(), ['a replace', 'a evict', 'b evict']);
      probe.delete('a');
      probe.set(entryOf('c'));
      probe.read('c', 'get');
    },
  ],
  [
    'passes on the reason of a deletion, `delete` by default',
    (make) => {
      const probe = make();
      for (const key of ['a', 'b', 'c', 'd']) probe.set(entryOf(key));
      probe.delete('b');
      probe.delete('a', 'expire');
      probe.delete('d', 'invalidate');
      probe.delete('d', 'invalidate');
      assert.deepEqual(probe.takeRemoved(), ['b delete', 'a expire', 'd invalidate']);
      probe.checkEntries();
    },
  ],
  [
    'clears everything with the reason `clear`, and can be filled again',
    (make) => {
      const probe = make({ maxSize: 3 });
      for (let round = 0; round < 3; round += 1) {
        for (const key of ['a', 'b', 'c']) probe.set(entryOf(key));
        probe.read('b', 'get');
        probe.clear();
        assert.deepEqual(probe.takeRemoved().sort(), ['a clear', 'b clear', 'c clear']);
        probe.checkEntries();
      }
      for (const key of ['a', 'b', 'c', 'd']) probe.set(entryOf(key));
      assert.equal(probe.takeRemoved().length, 1);
    },
  ],
  [
    'shares nothing with another store of the same factory',
    (make) => {
      const [one, other] = [make(), make()];
      one.set(entryOf('a'));
      other.check();
      other.read('a', 'get');
    },
  ],
  [
    'draws lots from `random` only, so that the same numbers give the same evictions',
    (make) => {
      const [one, other] = [make({ random: seededRandom(7) }), make({ random: seededRandom(7) })];
      for (const probe of [one, other]) churn(probe, 500, seededRandom(8));
      assert.deepEqual(one.takeRemoved(), other.takeRemoved());
    },
  ],
  [
    'keeps both bounds and its books through 20,000 random operations',
    (make) => {
      churn(make({ maxSize: 12, maxBytes: 150 }), 10_000, seededRandom(2));
      churn(make({ maxSize: 50, maxBytes: 90 }), 5000, seededRandom(3));
      churn(make({ maxSize: 3, maxBytes: 1_000_000 }), 5000, seededRandom(4));
    },
  ],
];

function churn(probe: Probe, operations: number, random: () => number): void {
  for (let index = 0; index < operations; index += 1) {
    const key = `key ${Math.floor(random() ** 2 * 40)}`;
    const lot = random();
    if (lot < 0.5) probe.set(entryOf(key, 1 + Math.floor(random() ** 4 * 120), randomExpiry(random)));
    else if (lot < 0.8) probe.read(key, 'get');
    else if (lot < 0.9) probe.read(key, 'peek');
    else if (lot < 0.995) probe.delete(key);
    else probe.clear();
    if (index % 50 === 0) probe.checkEntries();
  }
}

function randomExpiry(random: () => number): number | null {
  return random() < 0.3 ? null : 1_800_000_000_000 + Math.floor(random() * 100);
}

function entryOf(key: string, bytes = 10, expiresAt: number | null = null): StoreEntry {
  return { key, bytes, expiresAt, loadMs: 0 };
}

function sumBytes(entries: Iterable<StoreEntry>): number {
  let bytes = 0;
  for (const entry of entries) bytes += entry.bytes;
  return bytes;
}

/** Numbers in [0, 1), always the same for one seed: mulberry32. */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
