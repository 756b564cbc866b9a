/** Entries that were set while the machine's clock was ahead, and what becomes of them once that is corrected. */

import { describe, expect, it } from 'vitest';
import { CacheManager, type CacheOptions } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { MapTier } from '../helper/map-tier.js';

const [ahead, right] = [Date.UTC(2030, 0, 1), Date.UTC(2026, 0, 1)];
const ttl = 60_000;

function makeCache(options: CacheOptions = {}, tiers: readonly MapTier[] = []) {
  const clock = new FakeClock(ahead);
  return { clock, cache: new CacheManager({ clock, ttl, ...options }, tiers) };
}

describe('a clock that was years ahead and is corrected', () => {
  it('lets an entry live for its ttl since it was set, and no longer', async () => {
    const { cache, clock } = makeCache();
    await cache.set('tool', 1, 'value');
    clock.advance(ttl / 2);
    clock.setWallTime(right);
    clock.advance(ttl / 2 - 1);
    expect(await cache.lookup('tool', 1)).toMatchObject({ outcome: 'hit', ageMs: ttl - 1 });
    clock.advance(1);
    expect(await cache.get('tool', 1)).toBeUndefined();
  });

  it('is not felt where it is set back a little', async () => {
    const { cache, clock } = makeCache();
    await cache.set('tool', 1, 'value');
    clock.setWallTime(clock.now() - 5);
    expect(await cache.get('tool', 1)).toBe('value');
    clock.advance(ttl - 1);
    expect(await cache.get('tool', 1)).toBe('value');
  });

  it('lets nothing live longer where the clock was ahead by less than the ttl', async () => {
    const { cache, clock } = makeCache();
    await cache.set('tool', 1, 'value');
    clock.setWallTime(clock.now() - ttl / 2);
    clock.advance(ttl);
    expect(await cache.get('tool', 1)).toBeUndefined();
  });

  it('lets stale windows begin and end where they should', async () => {
    const { cache, clock } = makeCache({ staleWhileRevalidate: ttl, staleIfError: 2 * ttl });
    const down = () => Promise.reject(new Error('down'));
    await cache.set('tool', 1, 'value');
    clock.setWallTime(right);
    clock.advance(ttl);
    expect(await cache.lookup('tool', 1)).toMatchObject({ outcome: 'stale' });
    clock.advance(ttl);
    expect(await cache.lookup('tool', 1)).toMatchObject({ outcome: 'miss' });
    expect(await cache.getOrSet('tool', 1, down)).toBe('value');
    clock.advance(ttl);
    await expect(cache.getOrSet('tool', 1, down)).rejects.toThrow('down');
  });

  it('does not keep what slides, or errors, for years', async () => {
    const { cache, clock } = makeCache({ sliding: true, maxAge: 10 * ttl, cacheErrors: () => ttl });
    await cache.set('tool', 1, 'value');
    await cache.get('tool', 1);
    await cache.getOrSet('tool', 2, () => Promise.reject(new Error('old'))).catch(() => {});
    clock.setWallTime(right);
    clock.advance(ttl);
    expect(await cache.get('tool', 1)).toBeUndefined();
    expect(await cache.getOrSet('tool', 2, () => 'new')).toBe('new');
  });

  it('lets the sweep take such entries out', async () => {
    const { cache, clock } = makeCache();
    for (let key = 0; key < 100; key += 1) await cache.set('tool', key, 'value');
    clock.setWallTime(right);
    clock.advance(4 * ttl);
    expect(cache.stats().entries).toBe(0);
  });

  it('makes entries of later years on disk misses, those of a clock a little ahead not', async () => {
    const map = new MapTier();
    const { cache, clock } = makeCache({}, [map]);
    await cache.set('tool', 'far', 'value');
    await cache.set('tool', 'for ever', 'value', { ttl: null });
    clock.setWallTime(right);
    await cache.set('tool', 'near', 'value');
    clock.setWallTime(right - 10_000);
    const next = new CacheManager({ clock, ttl }, [map]);
    expect(await next.get('tool', 'far')).toBeUndefined();
    expect(await next.get('tool', 'near')).toBe('value');
    expect(await next.method('other').get('far')).toBeUndefined();
    clock.advance(ttl + 10_000);
    expect(await next.get('tool', 'near')).toBeUndefined();
    const unbounded = new CacheManager({ clock }, [map]);
    expect(await unbounded.get('tool', 'for ever')).toBe('value');
  });
});
