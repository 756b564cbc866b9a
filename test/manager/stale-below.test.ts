/** Stale values that lie in a slower tier only: memory has evicted them, had no room for them, or is a new process's. */

import { describe, expect, it } from 'vitest';
import { CacheManager, type CacheOptions } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { gate, settle } from '../helper/gate.js';
import { MapTier } from '../helper/map-tier.js';

/** Too large for the memory of these caches, so that each call has to look below. */
const old = 'old '.repeat(500);
const small = { maxEntryBytes: 1000, ttl: 1000 } as const;

async function makeCache(options: CacheOptions) {
  const clock = new FakeClock();
  const disk = new MapTier();
  const cache = new CacheManager({ clock, ...small, ...options }, [disk]);
  await cache.set('tool', 1, old);
  return { cache, clock, disk };
}

const down = () => Promise.reject(new Error('down'));

describe('stale while revalidate, below memory', () => {
  it.each([
    ['after memory has evicted it', { maxSize: 1, maxEntryBytes: 100_000 }],
    ['where memory has no room for it', {}],
  ])('answers at once and begins one renewal however many ask, %s', async (_, options) => {
    const { cache, clock, disk } = await makeCache({ staleWhileRevalidate: 500, ...options });
    await cache.set('tool', 2, 'other');
    clock.advance(1499);
    const lookups = disk.lookups;
    const done = gate();
    let loads = 0;
    const ask = () =>
      cache.getOrSet('tool', 1, async () => {
        loads++;
        await done.promise;
        return 'new';
      });
    expect(await Promise.all([ask(), ask(), ask()])).toEqual([old, old, old]);
    expect(loads).toBe(1);
    expect(disk.lookups).toBe(lookups + 1);
    expect(await ask()).toBe(old);
    expect(cache.stats()).toMatchObject({ staleHits: 4, refreshes: 1, misses: 0 });
    await cache.getOrSet('tool', 3, () => 'not there before');
    expect(cache.stats().hitRate).toBe(4 / 5);
    clock.advance(1);
    const joined = ask();
    done.open();
    expect(await joined).toBe('new');
    expect(loads).toBe(1);
    expect(await cache.get('tool', 1)).toBe('new');
  });

  it('is told from a hit, with its tier', async () => {
    const { cache, clock } = await makeCache({ staleWhileRevalidate: 500 });
    const heard: unknown[] = [];
    cache.on('staleHit', ({ tier, reason }) => heard.push([tier, reason]));
    cache.on('refresh', ({ reason }) => heard.push(['refresh', reason]));
    clock.advance(1100);
    await cache.getOrSet('tool', 1, () => 'new');
    expect(heard).toEqual([
      ['disk', 'revalidate'],
      ['refresh', 'stale'],
    ]);
  });

  it('answers whatever the next process finds', async () => {
    const { clock, disk } = await makeCache({});
    clock.advance(1100);
    const next = new CacheManager({ clock, ttl: 1000, staleWhileRevalidate: 500 }, [disk]);
    await next.set('tool', 2, 'other');
    const before = disk.records.get(next.key('tool', 1));
    // Its writer gave it no time to be stale in.
    expect(await next.getOrSet('tool', 1, () => 'new')).toBe('new');
    disk.write({ ...before!, metadata: { ...before!.metadata, expiresAt: clock.now() + 400 } });
    const later = new CacheManager({ clock, ttl: 1000, staleWhileRevalidate: 500 }, [disk]);
    expect(await later.getOrSet('tool', 1, () => 'newer')).toBe(old);
    await settle();
    expect(await later.get('tool', 1)).toBe('newer');
  });

  it('leaves a value alone for longer after each failed renewal, though memory forgets it each time', async () => {
    const { cache, clock } = await makeCache({ staleWhileRevalidate: '1h', random: () => 0.999 });
    clock.advance(1000);
    let loads = 0;
    const failing = () => {
      loads++;
      return down();
    };
    for (let second = 0; second < 600; second++) {
      expect(await cache.getOrSet('tool', 1, failing)).toBe(old);
      await clock.advanceAsync(1000);
    }
    // 1 + 2 + 4 + … + 32 s, then once a minute; without the pauses it would be 600.
    expect(loads).toBeGreaterThan(10);
    expect(loads).toBeLessThan(17);
  });

  it('owes nothing to failed renewals of a value that was replaced', async () => {
    const { cache, clock } = await makeCache({ staleWhileRevalidate: '1h' });
    clock.advance(1000);
    for (const pause of [1000, 2000]) {
      await cache.getOrSet('tool', 1, down);
      await clock.advanceAsync(pause);
    }
    await cache.getOrSet('tool', 1, down);
    await settle();
    // 2 to 4 s from now the old value would be renewed again.
    await cache.set('tool', 1, `${old}!`);
    clock.advance(1000);
    expect(await cache.getOrSet('tool', 1, () => 'new')).toBe(`${old}!`);
    await settle();
    expect(await cache.get('tool', 1)).toBe('new');
  });

  it.each(['the one who begins', 'the one who joins'])(
    'is decided by who reads: %s can refuse stale values',
    async (who) => {
      const { cache, clock, disk } = await makeCache({ staleWhileRevalidate: 500 });
      clock.advance(1100);
      const read = gate();
      const done = gate();
      disk.beforeAnswer = () => read.promise;
      let loads = 0;
      const ask = (staleWhileRevalidate: number) =>
        cache.getOrSet(
          'tool',
          1,
          async () => {
            loads++;
            await done.promise;
            return 'new';
          },
          { staleWhileRevalidate },
        );
      const windows = who === 'the one who begins' ? [0, 500] : [500, 0];
      const answers: string[] = [];
      const asking = windows.map((window) => ask(window).then((value) => answers.push(value)));
      disk.beforeAnswer = async () => {};
      read.open();
      await settle();
      expect(answers).toEqual([old]);
      done.open();
      await Promise.all(asking);
      expect(answers).toEqual([old, 'new']);
      expect(loads).toBe(1);
      await cache.getOrSet('tool', 3, () => 'not there before');
      expect(cache.stats().hitRate).toBe(who === 'the one who begins' ? 1 / 3 : 2 / 3);
    },
  );

  it('finds a fresh value below while a renewal runs, as it would in memory', async () => {
    const { cache } = await makeCache({});
    const done = gate<string>();
    const renewing = cache.refresh('tool', 1, () => done.promise);
    expect(await cache.getOrSet('tool', 1, () => 'other')).toBe(old);
    await cache.getOrSet('tool', 3, () => 'not there before');
    expect(cache.stats()).toMatchObject({ hits: 1, coalesced: 1, hitRate: 1 / 2 });
    done.open('new');
    expect(await renewing).toBe('new');
  });

  it('does not answer what was deleted while it was looked for', async () => {
    const { cache, clock, disk } = await makeCache({ staleWhileRevalidate: 500, staleIfError: 500 });
    clock.advance(1100);
    const read = gate();
    disk.beforeAnswer = () => read.promise;
    const asking = cache.getOrSet('tool', 1, down);
    await cache.delete('tool', 1);
    disk.beforeAnswer = async () => {};
    read.open();
    await expect(asking).rejects.toThrow('down');
    expect(cache.stats()).toMatchObject({ staleHits: 0, refreshes: 0 });
  });

  it('runs the renewal outside of the load that found the value: it takes a turn like any other', async () => {
    const { cache, clock } = await makeCache({ staleWhileRevalidate: 500, concurrency: 1 });
    clock.advance(1100);
    const first = gate();
    const busy = cache.getOrSet('tool', 2, () => first.promise);
    let loads = 0;
    expect(await cache.getOrSet('tool', 1, () => ++loads)).toBe(old);
    await settle();
    expect([loads, cache.stats().queued]).toEqual([0, 1]);
    first.open();
    await busy;
    await settle();
    expect(loads).toBe(1);
  });
});

describe('a stale value below memory in place of a load', () => {
  it('stands in for a load that fails, and for a remembered error', async () => {
    const { cache, clock } = await makeCache({ staleIfError: 5000, cacheErrors: () => 10_000 });
    clock.advance(1000);
    let loads = 0;
    const failing = () => {
      loads++;
      return down();
    };
    const ask = () => cache.getOrSet('tool', 1, failing);
    expect(await Promise.all([ask(), ask()])).toEqual([old, old]);
    expect(await ask()).toBe(old);
    expect(loads).toBe(1);
    expect(cache.stats()).toMatchObject({ staleHits: 3, staleIfErrors: 3, errorHits: 1 });
    clock.advance(5000);
    await expect(ask()).rejects.toThrow('down');
  });

  it('stands in while the circuit is open', async () => {
    const { cache, clock } = await makeCache({
      staleIfError: '1h',
      circuitBreaker: { failures: 1, openFor: '1m' },
    });
    clock.advance(1000);
    await expect(cache.getOrSet('tool', 2, down)).rejects.toThrow('down');
    let loads = 0;
    expect(await cache.getOrSet('tool', 1, () => ++loads)).toBe(old);
    expect(loads).toBe(0);
    expect(cache.stats()).toMatchObject({ circuitRejections: 1, staleIfErrors: 1 });
  });

  it('stands in for a tool that takes longer than the soft timeout, or the hard one', async () => {
    const { cache, clock } = await makeCache({ staleIfError: '1h' });
    clock.advance(1000);
    const done = gate<string>();
    for (const timeout of ['hardTimeout', 'softTimeout']) {
      const asking = cache.getOrSet('tool', 1, () => done.promise, { [timeout]: 200 });
      await settle();
      await clock.advanceAsync(200);
      expect(await asking, timeout).toBe(old);
    }
    expect(cache.stats()).toMatchObject({ softTimeouts: 1, hardTimeouts: 1, staleHits: 2 });
    done.open('new');
    await settle();
    expect(await cache.get('tool', 1)).toBe('new');
  });

  it('stands in as soon as it is found where the slower tier is slower than the soft timeout', async () => {
    const { cache, clock, disk } = await makeCache({ staleIfError: '1h', softTimeout: 200 });
    clock.advance(1000);
    const read = gate();
    disk.beforeAnswer = () => read.promise;
    const asking = cache.getOrSet('tool', 1, () => new Promise(() => {}));
    await clock.advanceAsync(200);
    read.open();
    expect(await asking).toBe(old);
    expect(cache.stats()).toMatchObject({ softTimeouts: 1, staleHits: 1 });
  });

  it.each(['delete', 'clear', 'invalidate'] as const)(
    'does not after a %s that came while the tool was slow',
    async (write) => {
      const { cache, clock } = await makeCache({ staleIfError: '1h', softTimeout: 200, hardTimeout: 400 });
      await cache.set('tool', 1, old, { tags: ['all'] });
      clock.advance(1000);
      const asking = cache.getOrSet('tool', 1, () => new Promise(() => {})).catch((error) => error.code);
      await settle();
      if (write === 'delete') await cache.delete('tool', 1);
      else if (write === 'clear') await cache.clear();
      else await cache.invalidateTags(['all']);
      await clock.advanceAsync(400);
      expect(await asking).toBe('ERR_LOADER_TIMEOUT');
      expect(cache.stats().staleHits).toBe(0);
    },
  );

  it('does not hold up a remembered error beyond the hard timeout when the slower tier hangs', async () => {
    const options = { staleIfError: '1h', cacheErrors: () => 10_000, hardTimeout: 200 } as const;
    const { cache, clock, disk } = await makeCache(options);
    await expect(cache.getOrSet('tool', 2, down)).rejects.toThrow('down');
    disk.beforeAnswer = () => new Promise(() => {});
    const asking = cache.getOrSet('tool', 2, () => 'answer').catch((error) => error.message);
    await clock.advanceAsync(200);
    expect(await asking).toBe('down');
  });
});
