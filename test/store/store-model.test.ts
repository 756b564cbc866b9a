import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, test } from 'vitest';
import type { LruStore, Place } from '../../src/store/lru.js';
import { createStore } from '../../src/store/registry.js';
import type { RemovalReason, StoreEntry, StoreFactory } from '../../src/store/store.js';
import { inForm } from '../helper/form.js';
import { type ReferencePolicy, ReferenceStore } from '../helper/reference-store.js';
import { growingLru, shardedStores } from '../helper/sharded-stores.js';

const runs = inForm({ short: 200, long: 1000 });
const commandsPerRun = 200;

interface Command {
  readonly type: 'get' | 'peek' | 'has' | 'set' | 'delete' | 'clear';
  readonly entry: StoreEntry;
}

const command: fc.Arbitrary<Command> = fc.record({
  type: fc.oneof(
    { weight: 90, arbitrary: fc.constant('set' as const) },
    { weight: 60, arbitrary: fc.constant('get' as const) },
    { weight: 15, arbitrary: fc.constantFrom('peek' as const, 'has' as const) },
    { weight: 20, arbitrary: fc.constant('delete' as const) },
    { weight: 1, arbitrary: fc.constant('clear' as const) },
  ),
  entry: fc.record({
    key: fc.integer({ min: 0, max: 11 }).map((index) => `key ${index}`),
    bytes: fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: 1, max: 12 }) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 70 }) },
    ),
    expiresAt: fc.option(fc.integer({ min: 1, max: 6 }), { freq: 4 }),
    loadMs: fc.constant(0),
  }),
});

const bounds = fc.record({
  maxSize: fc.integer({ min: 1, max: 9 }),
  maxBytes: fc.integer({ min: 5, max: 60 }),
});

const commands = fc.array(command, { minLength: commandsPerRun, maxLength: commandsPerRun });

function runAgainstReference(
  policy: ReferencePolicy,
  eviction: string | StoreFactory,
  bounds: { maxSize: number; maxBytes: number },
  commands: readonly Command[],
): void {
  const reference = new ReferenceStore<StoreEntry>(policy, bounds);
  const removed: Removal[] = [];
  const store = createStore<StoreEntry>(eviction, {
    ...bounds,
    random: Math.random,
    onRemove: (entry, reason) => {
      if (store.size > bounds.maxSize) throw new Error(`maxSize exceeded in onRemove: ${store.size}`);
      if (store.bytes > bounds.maxBytes) throw new Error(`maxBytes exceeded in onRemove: ${store.bytes}`);
      if (store.has(entry.key)) throw new Error(`${entry.key} still there in onRemove`);
      removed.push([entry, reason]);
    },
  });
  const places = eviction === remembering ? new Places() : undefined;
  // node:assert, because `expect` takes ten times as long and is called two million times here.
  for (const command of commands) {
    assert.equal(perform(store, command, places), performOnReference(reference, command));
    assertSameRemovals(command, removed.splice(0), reference.removed.splice(0));
    assert.equal(store.size, reference.rows.length);
    assert.equal(store.bytes, reference.bytes);
    assert.ok(store.size <= bounds.maxSize && store.bytes <= bounds.maxBytes);
  }
  const keys = reference.rows.map((row) => row.entry.key).sort();
  assert.deepEqual([...store.entries()].map((entry) => entry.key).sort(), keys);
}

/** Looks entries up where it has found them before, as callers do who hold a `Place`. */
const remembering: StoreFactory = (options) => createStore('lru', options);

class Places {
  readonly #places = new Map<string, Place>();

  get(key: string): Place {
    // A string of its own, as callers have.
    const place = this.#places.get(key) ?? { key: [...key].join(''), at: -1 };
    this.#places.set(key, place);
    return place;
  }
}

type Removal = [entry: StoreEntry, reason: RemovalReason];

function assertSameRemovals({ type }: Command, actual: Removal[], expected: Removal[]): void {
  // Removals by `clear` come in no stated order.
  if (type === 'clear') for (const list of [actual, expected]) list.sort(byKey);
  assert.equal(actual.length, expected.length);
  for (const [index, [entry, reason]] of actual.entries()) {
    assert.equal(entry, expected[index]?.[0]);
    assert.equal(reason, expected[index]?.[1]);
  }
}

type Commands = Pick<ReturnType<typeof createStore>, 'get' | 'peek' | 'has' | 'set' | 'delete' | 'clear'>;

function perform(store: Commands, { type, entry }: Command, places?: { get(key: string): Place }): unknown {
  switch (type) {
    case 'set':
      return store.set(entry);
    case 'clear':
      return store.clear();
    case 'get':
      return places === undefined
        ? store.get(entry.key)
        : (store as LruStore<StoreEntry>).getAt(places.get(entry.key));
    default:
      return store[type](entry.key);
  }
}

function performOnReference(reference: ReferenceStore<StoreEntry>, command: Command): unknown {
  return perform(
    {
      get: (key) => reference.get(key),
      peek: (key) => reference.peek(key),
      has: (key) => reference.peek(key) !== undefined,
      set: (entry) => reference.set(entry),
      delete: (key) => reference.delete(key, 'delete'),
      clear: () => reference.clear(),
    },
    command,
  );
}

function byKey([a]: Removal, [b]: Removal): number {
  return a.key < b.key ? -1 : 1;
}

const policies = ['lru', 'lfu', 'fifo', 'ttl'] as const;

describe.each([
  ...policies.map((policy) => ({ policy, eviction: policy, kind: '', runs })),
  ...policies.map((policy) => ({
    policy,
    eviction: shardedStores[policy],
    kind: ', sharded',
    runs: runs / 4,
  })),
  { policy: 'lru' as const, eviction: remembering, kind: ', by place', runs },
  { policy: 'lru' as const, eviction: growingLru, kind: ', growing', runs },
])('the $policy store$kind', ({ policy, eviction, runs }) => {
  test(`does what an obvious array does, through ${runs} sequences of ${commandsPerRun} commands`, () => {
    fc.assert(
      fc.property(bounds, commands, (bounds, commands) =>
        runAgainstReference(policy, eviction, bounds, commands),
      ),
      { numRuns: runs },
    );
  });
});
