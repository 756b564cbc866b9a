import { describe, expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { gate } from '../helper/gate.js';

describe('the statistics', () => {
  it('start at nothing', () => {
    expect(new CacheManager().stats()).toEqual({
      hits: 0,
      negativeHits: 0,
      staleHits: 0,
      staleIfErrors: 0,
      softTimeouts: 0,
      misses: 0,
      coalesced: 0,
      loads: 0,
      loadErrors: 0,
      refreshes: 0,
      errorHits: 0,
      unknownKeys: 0,
      hardTimeouts: 0,
      circuitRejections: 0,
      queueRejections: 0,
      cacheErrors: 0,
      sets: 0,
      deletes: 0,
      evicted: 0,
      expired: 0,
      replaced: 0,
      invalidated: 0,
      refused: 0,
      uncached: 0,
      entries: 0,
      bytes: 0,
      indexBytes: 0,
      hitRate: 0,
      savedMs: 0,
      loadTime: { count: 0, mean: 0, p50: 0, p95: 0, p99: 0, max: 0 },
      circuit: undefined,
      running: 0,
      queued: 0,
    });
  });

  it('add up over methods', async () => {
    const cache = new CacheManager({ maxSize: 3 });
    await cache.set('a', 1, 'x');
    await cache.set('a', 1, 'y');
    await cache.set('b', 1, 'x');
    await cache.set('b', 2, 'x');
    await cache.set('b', 3, 'x');
    await cache.get('b', 3);
    await cache.get('b', 9);
    expect(cache.stats('a')).toMatchObject({
      sets: 2,
      replaced: 1,
      evicted: 1,
      entries: 0,
      bytes: 0,
      hits: 0,
    });
    expect(cache.stats('b')).toMatchObject({ sets: 3, entries: 3, hits: 1, misses: 1, hitRate: 0.5 });
    expect(cache.stats()).toMatchObject({ sets: 5, replaced: 1, evicted: 1, entries: 3, hits: 1, misses: 1 });
    expect(cache.stats().bytes).toBe(cache.stats('b').bytes);
    expect(cache.stats('never used')).toMatchObject({ sets: 0 });
    expect(cache.methods()).toEqual(['a', 'b']);
  });

  it('measure loads and what hits and joined calls saved', async () => {
    const clock = new FakeClock();
    const cache = new CacheManager({ clock });
    for (const ms of [10, 20, 30, 1000]) {
      await cache.getOrSet('tool', ms, () => {
        clock.advance(ms);
        return ms;
      });
    }
    const { loadTime } = cache.stats();
    expect(loadTime).toMatchObject({ count: 4, mean: 265 });
    // Two significant figures: within one percent.
    expect(loadTime.p50 / 20).toBeCloseTo(1, 1);
    expect(loadTime.p99 / 1000).toBeCloseTo(1, 1);
    expect(loadTime.max / 1000).toBeCloseTo(1, 1);
    await cache.get('tool', 30);
    await cache.get('tool', 1000);
    expect(cache.stats().savedMs).toBe(1030);
    const joined = () =>
      cache.getOrSet('tool', 'joined', async () => {
        await null;
        clock.advance(100);
      });
    await Promise.all([joined(), joined(), joined()]);
    expect(cache.stats().savedMs).toBe(1230);
    expect(cache.stats('tool')).toMatchObject({ coalesced: 2, hits: 2, misses: 5, hitRate: 4 / 9 });
  });

  it('count joined calls that had no answer as not answered', async () => {
    const cache = new CacheManager();
    const fail = () => cache.getOrSet('tool', 1, () => Promise.reject(new Error('down')));
    await Promise.allSettled(Array.from({ length: 10 }, fail));
    const unshareable = () => cache.getOrSet('tool', 2, async () => () => 'function');
    await Promise.all(Array.from({ length: 10 }, unshareable));
    expect(cache.stats()).toMatchObject({ misses: 2, coalesced: 18, hitRate: 0 });
  });

  it('count a call once that is answered with what was set while it waited', async () => {
    const cache = new CacheManager({ staleIfError: '1h', ttl: '1h' });
    const failing = gate<string>();
    const calls = [1, 2].map(() => cache.getOrSet('tool', 1, () => failing.promise));
    await cache.set('tool', 1, 'set meanwhile');
    failing.fail(new Error('down'));
    expect(await Promise.all(calls)).toEqual(['set meanwhile', 'set meanwhile']);
    expect(cache.stats()).toMatchObject({ hits: 2, misses: 1, coalesced: 1, hitRate: 0.5 });
  });

  it('count a joined call as not answered once, though its own call of the tool fails too', async () => {
    const cache = new CacheManager();
    const done = gate<unknown>();
    const first = cache.getOrSet('tool', 1, () => done.promise);
    const joined = cache.getOrSet('tool', 1, () => Promise.reject(new Error('down')));
    done.open(() => 'not to be shared');
    await first;
    await expect(joined).rejects.toThrow('down');
    expect(cache.stats()).toMatchObject({ misses: 1, coalesced: 1, hitRate: 0 });
  });

  it('do not take the closing of the cache for deletions', async () => {
    const cache = new CacheManager();
    await cache.set('tool', 1, 'x');
    await cache.close();
    expect(cache.stats()).toMatchObject({ deletes: 0, entries: 0, bytes: 0 });
  });

  it('take the mean load for what a hit on a value that was set has saved', async () => {
    const clock = new FakeClock();
    const cache = new CacheManager({ clock });
    await cache.set('tool', 1, 'set by hand');
    await cache.get('tool', 1);
    expect(cache.stats().savedMs).toBe(0);
    await cache.getOrSet('tool', 2, () => clock.advance(40));
    await cache.get('tool', 1);
    expect(cache.stats().savedMs).toBe(40);
  });

  it('record loads from under a microsecond to over an hour', async () => {
    const clock = new FakeClock();
    const cache = new CacheManager({ clock });
    await cache.getOrSet('tool', 1, () => 'instant');
    await cache.getOrSet('tool', 2, () => clock.advance(5 * 3_600_000));
    expect(cache.stats().loadTime.max / 3_600_000).toBeCloseTo(1, 1);
    expect(cache.stats().loadTime.mean).toBe(2.5 * 3_600_000);
  });
});
