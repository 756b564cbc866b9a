import { hash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { entryBytes, MemoryEntry } from '../../src/store/memory-entry.js';
import { MemoryTier } from '../../src/store/memory-tier.js';
import { createStore } from '../../src/store/registry.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { createValueCodec } from '../../src/value/codec.js';
import { copyingKeeper } from '../../src/value/keeper.js';
import { inForm } from '../helper/form.js';
import { measured, usedBytes } from '../helper/used-memory.js';

/** How many entries are weighed. */
const many = inForm({ short: 20_000, long: 100_000 });

const policies = ['lru', 'lfu', 'fifo', 'ttl'] as const;

const keeper = copyingKeeper(createValueCodec());

const kinds = {
  'texts of 1 KB that never expire': { makeValue: textOf, ttl: null },
  'records of 1 KB that expire': {
    makeValue: (key: string) => ({ title: key, text: textOf(key), score: 0.5 }),
    ttl: 3_600_000,
  },
};

type Kind = (typeof kinds)[keyof typeof kinds];

function textOf(key: string): string {
  return Buffer.alloc(1024, key).toString('latin1');
}

describe.each(policies)('the memory tier over the %s store', measured, (store) => {
  test.each(Object.entries(kinds))(
    `counts bytes within a fifth of what ${many} %s really take`,
    async (_, kind) => {
      const clock = new FakeClock();
      const tier = new MemoryTier({
        store,
        maxSize: 200_000,
        maxBytes: 2 ** 30,
        clock,
        random: Math.random,
        onRemove: () => {},
      });
      // Once before, so that compiled code is not counted.
      fill(tier, clock, kind, 1000);
      tier.clear();
      const before = (await usedBytes()).all;
      fill(tier, clock, kind, many);
      const grown = (await usedBytes()).all - before;

      expect(tier.size).toBe(many);
      expect(tier.bytes / grown).toBeGreaterThan(0.8);
      expect(tier.bytes / grown).toBeLessThan(1.2);
    },
  );
});

function fill(tier: MemoryTier, clock: FakeClock, { makeValue, ttl }: Kind, count: number): void {
  for (let index = 0; index < count; index += 1) {
    clock.advance(0.01);
    const now = clock.now();
    const key = hash('md5', String(index));
    const { stored, bytes } = keeper.encode(makeValue(key));
    tier.set(
      new MemoryEntry({
        key,
        method: 'search',
        stored,
        bytes: entryBytes(bytes),
        createdAt: now,
        staleAt: null,
        expiresAt: ttl === null ? null : now + ttl,
        loadMs: 1.5 + index,
        stamp: { time: now * 1000, writer: '0123456789abcdef' },
      }),
    );
    // Being read gives an entry numbers of its own, and the LFU store more frequencies.
    for (let reads = index % 4; reads > 0; reads -= 1) tier.get(key);
  }
}

describe.each(policies)('the %s store', measured, (store) => {
  test('costs nothing for room that is not used yet', async () => {
    const before = (await usedBytes()).all;
    const roomy = createStore(store, {
      maxSize: 10_000_000,
      maxBytes: 2 ** 40,
      random: Math.random,
      onRemove: () => {},
    });
    roomy.set({ key: 'a', bytes: 1, expiresAt: null, loadMs: 0 });
    expect((await usedBytes()).all - before).toBeLessThan(1_000_000);
    expect(roomy.size).toBe(1);
  });
});
