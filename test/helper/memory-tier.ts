import { MemoryEntry, type MemoryEntryInit } from '../../src/store/memory-entry.js';
import { MemoryTier, type MemoryTierOptions } from '../../src/store/memory-tier.js';
import { FakeClock } from '../../src/testing/fake-clock.js';

/** A memory tier under a clock of its own, and what has left it. */
export function setUp(options: Partial<MemoryTierOptions> = {}) {
  const clock = new FakeClock();
  const removed: [key: string, reason: string][] = [];
  const tier = new MemoryTier({
    store: 'lru',
    maxSize: 10_000,
    maxBytes: 1_000_000,
    clock,
    random: Math.random,
    onRemove: (entry, reason) => removed.push([entry.key, reason]),
    ...options,
  });
  const put = (key: string, init: Partial<MemoryEntryInit> & { ttl?: number } = {}) =>
    tier.set(
      new MemoryEntry({
        key,
        method: 'search',
        stored: `value of ${key}`,
        bytes: 10,
        createdAt: clock.now(),
        staleAt: null,
        expiresAt: init.ttl === undefined ? null : clock.now() + init.ttl,
        loadMs: 0,
        stamp: { time: clock.now() * 1000, writer: '0123456789abcdef' },
        ...init,
      }),
    );
  return { clock, removed, tier, put };
}
