import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, test } from 'vitest';
import { MemoryEntry } from '../../src/store/memory-entry.js';
import { defaultSweepInterval, MemoryTier } from '../../src/store/memory-tier.js';
import type { RemovalReason } from '../../src/store/store.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { inForm } from '../helper/form.js';
import { type ReferencePolicy, ReferenceStore } from '../helper/reference-store.js';

const runs = inForm({ short: 150, long: 1000 });
const commandsPerRun = 200;

const command = fc.record({
  type: fc.oneof(
    { weight: 80, arbitrary: fc.constant('set' as const) },
    { weight: 60, arbitrary: fc.constant('get' as const) },
    { weight: 15, arbitrary: fc.constant('peek' as const) },
    { weight: 15, arbitrary: fc.constant('delete' as const) },
    { weight: 25, arbitrary: fc.constant('advance' as const) },
    { weight: 4, arbitrary: fc.constant('jump' as const) },
    { weight: 2, arbitrary: fc.constant('clear' as const) },
  ),
  key: fc.integer({ min: 0, max: 11 }).map((index) => `key ${index}`),
  method: fc.constantFrom('search', 'sql'),
  bytes: fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 1, max: 12 }) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 70 }) },
  ),
  ttl: fc.option(fc.integer({ min: 1, max: 1500 }), { freq: 4 }),
  ms: fc.oneof(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 1000, max: 2500 })),
  jumpMs: fc.integer({ min: -5000, max: 5000 }),
});

type Command = typeof command extends fc.Arbitrary<infer T> ? T : never;

const bounds = fc.record({
  maxSize: fc.integer({ min: 1, max: 9 }),
  maxBytes: fc.integer({ min: 5, max: 60 }),
});

/** A `MemoryTier` and the reference of its store, moved together. */
class TierModel {
  readonly #clock = new FakeClock();
  readonly #reference: ReferenceStore<MemoryEntry>;
  readonly #removed: [entry: MemoryEntry, reason: RemovalReason][] = [];
  readonly #bounds: { readonly maxSize: number; readonly maxBytes: number };
  readonly #tier: MemoryTier;
  #accesses = new Map<MemoryEntry, number>();

  constructor(policy: ReferencePolicy, bounds: { readonly maxSize: number; readonly maxBytes: number }) {
    this.#bounds = bounds;
    this.#reference = new ReferenceStore(policy, bounds);
    this.#tier = new MemoryTier({
      store: policy,
      ...bounds,
      clock: this.#clock,
      random: Math.random,
      onRemove: (entry, reason) => {
        this.#checkBounds();
        this.#removed.push([entry, reason]);
      },
    });
  }

  perform(command: Command): void {
    this[command.type](command);
    this.#checkRemovals();
    this.#checkBounds();
    assert.equal(this.#tier.size, this.#reference.rows.length);
    assert.equal(this.#tier.bytes, this.#reference.bytes);
    const alive = this.#reference.rows.map((row) => row.entry).filter((entry) => !this.#isDead(entry));
    assert.deepEqual(new Set(this.#tier.entries()), new Set(alive));
  }

  set({ key, method, bytes, ttl }: Command): void {
    const now = this.#clock.now();
    const entry = new MemoryEntry({
      key,
      method,
      stored: null,
      bytes,
      createdAt: now,
      staleAt: null,
      expiresAt: ttl === null ? null : now + ttl,
      loadMs: 0,
      stamp: { time: now * 1000, writer: '0123456789abcdef' },
    });
    assert.equal(this.#tier.set(entry), this.#reference.set(entry));
  }

  get({ key }: Command): void {
    this.#reference.get(key);
    const expected = this.#expectedAt(key);
    assert.equal(this.#tier.get(key), expected);
    if (!expected) return;
    const accesses = (this.#accesses.get(expected) ?? 0) + 1;
    this.#accesses.set(expected, accesses);
    assert.equal(expected.accessCount, accesses);
    assert.equal(expected.lastAccess, this.#clock.now());
  }

  peek({ key }: Command): void {
    assert.equal(this.#tier.peek(key), this.#expectedAt(key));
  }

  delete({ key }: Command): void {
    const expected = this.#expectedAt(key) !== undefined;
    assert.equal(this.#tier.delete(key), expected);
    if (expected) this.#reference.delete(key, 'delete');
  }

  clear({ method, ms }: Command): void {
    const cleared = ms % 2 ? method : undefined;
    this.#tier.clear(cleared);
    // In whatever order the tier did it: the reference follows, and must be left with nothing to clear.
    for (const [entry, reason] of this.#removed) this.#reference.delete(entry.key, reason);
    const left = this.#reference.rows.filter(
      ({ entry }) => cleared === undefined || entry.method === cleared,
    );
    assert.equal(left.length, 0);
    if (cleared === undefined) this.#reference.clear();
    assert.ok(this.#removed.every(([entry]) => cleared === undefined || entry.method === cleared));
    assert.ok(this.#removed.every(([, reason]) => reason === 'clear'));
  }

  jump({ jumpMs }: Command): void {
    this.#clock.setWallTime(this.#clock.now() + jumpMs);
  }

  advance({ ms }: Command): void {
    this.#clock.advance(ms);
    for (const [entry, reason] of this.#removed) {
      assert.equal(reason, 'expire');
      assert.ok(this.#isDead(entry));
      this.#reference.delete(entry.key, 'expire');
    }
    if (ms < defaultSweepInterval) return;
    const overdue = this.#clock.now() - defaultSweepInterval;
    for (const { entry } of this.#reference.rows) {
      assert.ok(entry.expiresAt === null || entry.expiresAt > overdue, 'the sweep removes what is dead');
    }
  }

  /** What a lookup must find. A dead entry that is looked up leaves. */
  #expectedAt(key: string): MemoryEntry | undefined {
    const entry = this.#reference.peek(key);
    if (!entry || !this.#isDead(entry)) return entry;
    this.#reference.delete(key, 'expire');
    return undefined;
  }

  #checkRemovals(): void {
    const actual = this.#removed.splice(0);
    const expected = this.#reference.removed.splice(0);
    assert.equal(actual.length, expected.length);
    for (const [index, [entry, reason]] of expected.entries()) {
      assert.equal(actual[index]?.[0], entry);
      assert.equal(actual[index]?.[1], reason === 'evict' && this.#isDead(entry) ? 'expire' : reason);
    }
  }

  #checkBounds(): void {
    assert.ok(this.#tier.size <= this.#bounds.maxSize && this.#tier.bytes <= this.#bounds.maxBytes);
  }

  #isDead(entry: MemoryEntry): boolean {
    return entry.expiresAt !== null && this.#clock.now() >= entry.expiresAt;
  }
}

describe.each(['lru', 'lfu', 'fifo', 'ttl'] as const)('the memory tier over the %s store', (policy) => {
  test(`returns nothing expired and evicts as the array does, through ${runs} sequences of ${commandsPerRun} commands and clock moves`, () => {
    const commands = fc.array(command, { minLength: commandsPerRun, maxLength: commandsPerRun });
    fc.assert(
      fc.property(bounds, commands, (bounds, commands) => {
        const model = new TierModel(policy, bounds);
        for (const command of commands) model.perform(command);
      }),
      { numRuns: runs },
    );
  });
});
