/** A store as an array that is searched from end to end, whose policy is written from its paper, and how stores are held to it. */

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createStore } from '../../src/store/registry.js';
import type { StoreEntry, StoreFactory } from '../../src/store/store.js';

export interface Bounds {
  readonly maxSize: number;
  readonly maxBytes: number;
}

/** What the policies have in common. A subclass says what is held, and who leaves. */
export abstract class SlowStore {
  readonly evicted: string[] = [];
  readonly #bounds: Bounds;

  constructor(bounds: Bounds) {
    this.#bounds = bounds;
  }

  /** All that is held, in any order. */
  abstract held(): StoreEntry[];
  abstract read(key: string): void;
  /** Takes a new entry in. */
  abstract insert(entry: StoreEntry): void;
  /** A held key has a new entry. */
  abstract overwrite(entry: StoreEntry): void;
  abstract remove(key: string): void;
  /** Takes the next to leave out and returns its key; never `reserved`, which is being overwritten. */
  abstract evict(reserved: string | undefined): string;
  abstract clear(): void;

  get(key: string): StoreEntry | undefined {
    const entry = this.held().find((each) => each.key === key);
    if (entry !== undefined) this.read(key);
    return entry;
  }

  set(entry: StoreEntry): boolean {
    const { maxSize, maxBytes } = this.#bounds;
    if (entry.bytes > maxBytes) {
      this.remove(entry.key);
      return false;
    }
    const isHeld = this.held().some(({ key }) => key === entry.key);
    const others = () => this.held().filter(({ key }) => key !== entry.key);
    while (
      others().length >= maxSize ||
      others().reduce((sum, { bytes }) => sum + bytes, entry.bytes) > maxBytes
    )
      this.evicted.push(this.evict(isHeld ? entry.key : undefined));
    if (isHeld) this.overwrite(entry);
    else this.insert(entry);
    return true;
  }
}

const commands = fc.array(
  fc.record({
    kind: fc.oneof(
      { weight: 40, arbitrary: fc.constantFrom('set' as const, 'get' as const, 'visit' as const) },
      { weight: 4, arbitrary: fc.constant('delete' as const) },
      { weight: 1, arbitrary: fc.constant('clear' as const) },
    ),
    key: fc.integer({ min: 0, max: 30 }).map((key) => `k${key}`),
    bytes: fc.integer({ min: 1, max: 9 }),
  }),
  { minLength: 150, maxLength: 250, size: 'max' },
);
const bounds = fc.record({
  maxSize: fc.integer({ min: 1, max: 14 }),
  maxBytes: fc.integer({ min: 5, max: 90 }),
});

/** Holds a store to the slow one through random commands: same answers, same evictions in the same order. */
export function assertLikeSlow(
  eviction: string | StoreFactory,
  makeSlow: (bounds: Bounds) => SlowStore,
  numRuns = 150,
): void {
  fc.assert(
    fc.property(bounds, commands, (bounds, commands) => {
      const slow = makeSlow(bounds);
      const evicted: string[] = [];
      const store = createStore<StoreEntry>(eviction, {
        ...bounds,
        random: () => 0.5,
        onRemove: ({ key }, reason) => {
          if (reason === 'evict') evicted.push(key);
        },
      });
      for (const { kind, key, bytes } of commands) {
        const entry = { key, bytes, expiresAt: null, loadMs: 0 };
        if (kind === 'set') assert.equal(store.set(entry), slow.set(entry));
        else if (kind === 'delete') {
          store.delete(key);
          slow.remove(key);
        } else if (kind === 'clear') {
          store.clear();
          slow.clear();
        } else {
          const found = store.get(key);
          assert.equal(found, slow.get(key));
          // As a cache does it: a miss is loaded and stored.
          if (found === undefined && kind === 'visit') assert.equal(store.set(entry), slow.set(entry));
        }
        assert.deepEqual(evicted, slow.evicted);
        assert.equal(store.size, slow.held().length);
      }
    }),
    { numRuns },
  );
}

/** Hits of a trace in a store of so many entries, each miss stored. */
export function hitsOf(
  eviction: string | StoreFactory,
  maxSize: number,
  trace: Iterable<number | string>,
): number {
  const store = createStore<StoreEntry>(eviction, {
    maxSize,
    maxBytes: Number.MAX_SAFE_INTEGER,
    random: () => 0.5,
    onRemove: () => {},
  });
  let hits = 0;
  for (const each of trace) {
    const key = `k${each}`;
    if (store.get(key) !== undefined) hits += 1;
    else store.set({ key, bytes: 1, expiresAt: null, loadMs: 0 });
  }
  return hits;
}
