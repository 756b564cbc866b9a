import { describe, expect, it } from 'vitest';
import { CacheManager, formatStats } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { gate } from '../helper/gate.js';
import { MapTier } from '../helper/map-tier.js';

function makeCache(options = {}) {
  const clock = new FakeClock();
  const disk = new MapTier();
  const cache = new CacheManager({ clock, ...options }, [disk]);
  return { cache, clock, disk };
}

describe('a cache with a slower tier', () => {
  it('takes tiers of its user as an option, and refuses what is none', async () => {
    const tier = new MapTier();
    const cache = new CacheManager({ maxSize: 1, tiers: [tier] });
    await cache.set('tool', 1, 'one');
    await cache.set('tool', 2, 'two');
    expect(await cache.get('tool', 1)).toBe('one');
    expect(tier.lookups).toBe(1);
    expect(() => new CacheManager({ tiers: [{ name: 'remote' }] as never })).toThrow(/`tiers\[0\]`/);
    expect(() => new CacheManager({ tiers: tier as never })).toThrow(
      'Expected `tiers` to be a list of tiers',
    );
  });

  it('finds below what memory has evicted, brings it back, and says where it was', async () => {
    const { cache, disk } = makeCache({ maxSize: 1 });
    await cache.set('tool', 1, { n: 1 });
    await cache.set('tool', 2, { n: 2 });
    expect(await cache.lookup('tool', 1)).toMatchObject({ outcome: 'hit', tier: 'disk', value: { n: 1 } });
    expect(await cache.lookup('tool', 1)).toMatchObject({ outcome: 'hit', tier: 'memory', value: { n: 1 } });
    expect(disk.lookups).toBe(1);
    let loads = 0;
    expect(await cache.getOrSet('tool', 2, () => ++loads)).toEqual({ n: 2 });
    expect(loads).toBe(0);
    expect(cache.stats()).toMatchObject({ hits: 3, misses: 0, loads: 0 });
  });

  it('keeps the times and the load cost of what it brings back', async () => {
    const { cache, clock } = makeCache({ maxSize: 1, ttl: 1000 });
    await cache.getOrSet('tool', 1, () => clock.advance(30));
    const before = await cache.lookup('tool', 1);
    await cache.set('tool', 2, 'other');
    clock.advance(500);
    const after = await cache.lookup('tool', 1);
    if (before.outcome !== 'hit' || after.outcome !== 'hit') throw new Error('expected hits');
    const { createdAt, expiresAt } = before.metadata;
    expect(after.metadata).toMatchObject({ createdAt, expiresAt, loadMs: 30 });
    clock.advance(500);
    expect(await cache.get('tool', 1)).toBeUndefined();
  });

  it('shares one read among concurrent callers', async () => {
    const { cache, disk } = makeCache({ maxSize: 1 });
    await cache.set('tool', 1, 'below');
    await cache.set('tool', 2, 'in memory');
    const answers = await Promise.all([
      ...Array.from({ length: 5 }, () => cache.get('tool', 1)),
      ...Array.from({ length: 5 }, () => cache.getOrSet('tool', 1, () => 'loaded')),
    ]);
    expect(new Set(answers)).toEqual(new Set(['below']));
    expect(disk.lookups).toBe(1);
  });

  it.each(['set', 'delete', 'clear'] as const)(
    'gives up what it was reading when a %s overtakes it',
    async (write) => {
      const { cache, disk } = makeCache({ maxSize: 1 });
      await cache.set('tool', 1, 'old');
      await cache.set('tool', 2, 'other');
      const held = gate();
      disk.beforeAnswer = () => held.promise;
      const reading = cache.get('tool', 1);
      if (write === 'set') await cache.set('tool', 1, 'new');
      else if (write === 'delete') await cache.delete('tool', 1);
      else await cache.clear();
      disk.beforeAnswer = async () => {};
      held.open();
      const expected = write === 'set' ? 'new' : undefined;
      expect(await reading).toBe(expected);
      expect(cache.peek('tool', 1)).toBe(expected);
    },
  );

  it('gives who comes after an invalidation nothing that a load found below before it, at whichever turn it comes', async () => {
    for (let turns = 0; turns < 20; turns++) {
      const { cache } = makeCache({ maxSize: 1, tags: ['all'] });
      await cache.set('tool', 1, 'old');
      await cache.set('tool', 2, 'other');
      const before = cache.getOrSet('tool', 1, () => 'new');
      for (let turn = 0; turn < turns; turn++) await null;
      // Its effect is there when it returns: nobody waits for it.
      void cache.invalidateTags(['all']);
      expect(await cache.getOrSet('tool', 1, () => 'new'), `turn ${turns}`).toBe('new');
      await before;
      expect(await cache.getOrSet('tool', 1, () => 'new'), `turn ${turns}`).toBe('new');
    }
  });

  it('tells a failing tier from a miss, but for a load, whose tool runs', async () => {
    const { cache, disk } = makeCache();
    const errors: string[] = [];
    cache.on('error', ({ error, method }) => errors.push(`${method}: ${error.message}`));
    disk.beforeAnswer = () => Promise.reject(new Error('EIO'));
    expect(await cache.lookup('tool', 1)).toMatchObject({ outcome: 'error', error: { code: 'ERR_STORAGE' } });
    expect(await cache.get('tool', 1)).toBeUndefined();
    expect(cache.stats()).toMatchObject({ misses: 0, cacheErrors: 2 });
    expect(await cache.getOrSet('tool', 1, () => 'answer')).toBe('answer');
    expect(await cache.getOrSet('tool', 1, () => 'answer')).toBe('answer');
    expect(await cache.getOrSet('tool', 2, () => 'other')).toBe('other');
    expect(cache.stats()).toMatchObject({ hits: 1, misses: 2, cacheErrors: 4, loads: 2, hitRate: 1 / 3 });
    expect(formatStats(cache.stats())).toContain('1 of 3 calls');
    expect(errors[0]).toMatch(/^tool: Reading tool \([0-9a-f]{32}\) from the disk tier failed/);
  });

  it('keeps in the slower tier what is too large for memory', async () => {
    const { cache } = makeCache({ maxEntryBytes: 1000 });
    const large = 'x'.repeat(5000);
    expect(await cache.set('tool', 1, large)).toBe(true);
    expect(cache.stats()).toMatchObject({ entries: 0, refused: 1, sets: 1 });
    expect(await cache.get('tool', 1)).toBe(large);
  });

  it('iterates over both tiers, each key once', async () => {
    const { cache } = makeCache({ maxSize: 2 });
    for (const n of [1, 2, 3, 4]) await cache.set('tool', n, n);
    const seen: string[] = [];
    for await (const { value, tier } of cache) seen.push(`${value} ${tier}`);
    expect(seen.sort()).toEqual(['1 disk', '2 disk', '3 memory', '4 memory']);
  });

  it('reports a value below that can not be read, and runs the tool', async () => {
    const { cache, disk } = makeCache({ maxSize: 1 });
    await cache.set('tool', 1, { n: 1 });
    await cache.set('tool', 2, 'other');
    const [key, record] = [...disk.records].find(([, { encoded }]) => encoded.length === 4)!;
    disk.records.set(key, { ...record, encoded: Uint8Array.of(0xc1) });
    expect(await cache.getOrSet('tool', 1, () => 'answer')).toBe('answer');
    expect(cache.stats().cacheErrors).toBeGreaterThan(0);
    expect(await cache.get('tool', 1)).toBe('answer');
  });

  it('flushes and closes it', async () => {
    const { cache, disk } = makeCache();
    await cache.open();
    await cache.flush();
    await cache.close();
    expect(disk.isClosed).toBe(true);
  });
});
