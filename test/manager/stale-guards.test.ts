import { describe, expect, it } from 'vitest';
import { CacheManager, type CacheOptions, type LoadOptions } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { gate, settle } from '../helper/gate.js';
import { MapTier } from '../helper/map-tier.js';

function makeCache(options: CacheOptions = {}) {
  const clock = new FakeClock();
  return { cache: new CacheManager({ clock, ...options }), clock };
}

const down = () => Promise.reject(new Error('down'));

describe('stale while revalidate', () => {
  it('begins one renewal however many ask, and ends with its window', async () => {
    const { cache, clock } = makeCache({ ttl: 1000, staleWhileRevalidate: 500 });
    await cache.set('tool', 1, 'old');
    clock.advance(1499);
    const done = gate();
    let loads = 0;
    const ask = () =>
      cache.getOrSet('tool', 1, async () => {
        loads++;
        await done.promise;
        return 'new';
      });
    expect(await Promise.all([ask(), ask(), ask()])).toEqual(['old', 'old', 'old']);
    expect(loads).toBe(1);
    clock.advance(1);
    const joined = ask();
    done.open();
    expect(await joined).toBe('new');
    expect(loads).toBe(1);
    expect(cache.stats()).toMatchObject({ refreshes: 1, staleHits: 3, staleIfErrors: 0, coalesced: 1 });
  });

  it('is decided by who reads: one call can refuse stale values, or shorten the window', async () => {
    const { cache, clock } = makeCache({ ttl: 1000, staleWhileRevalidate: 500 });
    await cache.set('tool', 1, 'old');
    clock.advance(1100);
    expect(await cache.getOrSet('tool', 1, () => 'new', { staleWhileRevalidate: 0 })).toBe('new');
  });

  it('gives up a renewal that exceeds the hard timeout, so that another can begin', async () => {
    const { cache, clock } = makeCache({ ttl: 1000, staleWhileRevalidate: '1h', hardTimeout: 200 });
    await cache.set('tool', 1, 'old');
    clock.advance(1000);
    const signals: AbortSignal[] = [];
    const hanging = ({ signal }: { signal: AbortSignal }) => {
      signals.push(signal);
      return new Promise<string>(() => {});
    };
    expect(await cache.getOrSet('tool', 1, hanging)).toBe('old');
    await clock.advanceAsync(200);
    await settle();
    expect(signals[0]?.aborted).toBe(true);
    await clock.advanceAsync(2000);
    expect(await cache.getOrSet('tool', 1, () => 'new')).toBe('old');
    await settle();
    expect(await cache.get('tool', 1)).toBe('new');
  });

  it('leaves a renewal that hangs to who waits for it, once its value answers nobody', async () => {
    const { cache, clock } = makeCache({ ttl: 1000, staleWhileRevalidate: 500 });
    await cache.set('tool', 1, 'old');
    clock.advance(1000);
    const signals: AbortSignal[] = [];
    const hanging = ({ signal }: { signal: AbortSignal }) => {
      signals.push(signal);
      return new Promise<string>(() => {});
    };
    expect(await cache.getOrSet('tool', 1, hanging)).toBe('old');
    const joinAndLeave = async (options: LoadOptions) => {
      const controller = new AbortController();
      const leaving = cache.getOrSet('tool', 1, hanging, { ...options, signal: controller.signal });
      await settle();
      controller.abort(new Error('left'));
      await expect(leaving).rejects.toThrow('left');
    };
    await joinAndLeave({ staleWhileRevalidate: 0 });
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    clock.advance(500);
    const patient = cache.getOrSet('tool', 1, hanging, { hardTimeout: 600 });
    await joinAndLeave({});
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    clock.advance(600);
    await expect(patient).rejects.toThrow('took longer than 600 ms');
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
    expect(await cache.getOrSet('tool', 1, () => 'new')).toBe('new');
  });

  it('gives up a renewal once, whether its own time or that of who joined it is over first', async () => {
    const { cache, clock } = makeCache({ ttl: 1000, staleWhileRevalidate: 100, hardTimeout: 200 });
    await cache.set('tool', 1, 'old');
    clock.advance(1000);
    const hanging = () => new Promise<string>(() => {});
    expect(await cache.getOrSet('tool', 1, hanging)).toBe('old');
    clock.advance(150);
    const joined = cache.getOrSet('tool', 1, hanging).catch((error: Error) => error.name);
    await clock.advanceAsync(50);
    await settle();
    const alsoJoined = cache.getOrSet('tool', 1, hanging).catch((error: Error) => error.name);
    await clock.advanceAsync(200);
    expect(await joined).toBe('LoaderTimeoutError');
    expect(await alsoJoined).toBe('LoaderTimeoutError');
    expect(await cache.getOrSet('tool', 1, () => 'newer')).toBe('newer');
  });
});

describe('stale if error', () => {
  it('answers the last good value while the tool fails, for as long as it says; without it callers get the error', async () => {
    const { cache, clock } = makeCache({ ttl: 1000, methods: { safe: { staleIfError: 5000 } } });
    for (const method of ['safe', 'bare']) await cache.set(method, 1, 'good');
    clock.advance(1000);
    await expect(cache.getOrSet('bare', 1, down)).rejects.toThrow('down');
    const reasons: string[] = [];
    cache.on('staleHit', ({ reason }) => reasons.push(reason));
    expect(await cache.getOrSet('safe', 1, down)).toBe('good');
    expect(await Promise.all([1, 2].map(() => cache.getOrSet('safe', 1, down)))).toEqual(['good', 'good']);
    clock.advance(4999);
    expect(await cache.getOrSet('safe', 1, down)).toBe('good');
    clock.advance(1);
    await expect(cache.getOrSet('safe', 1, down)).rejects.toThrow('down');
    expect(reasons).toEqual(['error', 'error', 'error', 'error']);
    expect(cache.stats('safe')).toMatchObject({
      staleHits: 4,
      staleIfErrors: 4,
      misses: 4,
      coalesced: 1,
      hits: 0,
    });
    expect(cache.stats('safe').hitRate).toBe(1 / 5);
  });

  it('keeps such values from those who have no loader', async () => {
    const { cache, clock } = makeCache({ ttl: 1000, staleIfError: 5000 });
    await cache.set('tool', 1, 'good');
    clock.advance(1000);
    expect(await cache.lookup('tool', 1)).toMatchObject({ outcome: 'miss' });
    expect(cache.peek('tool', 1)).toBeUndefined();
    expect(await cache.has('tool', 1)).toBe(false);
  });

  it('does not answer what was deleted, cleared, or invalidated while the tool was failing', async () => {
    for (const write of ['delete', 'clear', 'invalidate'] as const) {
      const { cache, clock } = makeCache({ ttl: 1000, staleIfError: 5000, tags: ['all'] });
      await cache.set('tool', 1, 'good');
      clock.advance(1000);
      const held = gate();
      const asking = cache.getOrSet('tool', 1, () => held.promise);
      if (write === 'delete') await cache.delete('tool', 1);
      else if (write === 'clear') await cache.clear();
      else await cache.invalidateTags(['all']);
      held.fail(new Error('down'));
      await expect(asking, write).rejects.toThrow('down');
    }
  });

  it('leaves the abort of a caller and a refresh asked for alone', async () => {
    const { cache, clock } = makeCache({ ttl: 1000, staleIfError: 5000 });
    await cache.set('tool', 1, 'good');
    clock.advance(1000);
    const controller = new AbortController();
    const asking = cache.getOrSet('tool', 1, () => new Promise(() => {}), { signal: controller.signal });
    controller.abort('gone');
    await expect(asking).rejects.toBe('gone');
    await expect(cache.refresh('tool', 1, down)).rejects.toThrow('down');
  });

  it('finds the last good value in a slower tier', async () => {
    const clock = new FakeClock();
    const disk = new MapTier();
    const options = { clock, ttl: 1000, staleIfError: 5000 };
    await new CacheManager(options, [disk]).set('tool', 1, 'good');
    clock.advance(2000);
    expect(await new CacheManager(options, [disk]).getOrSet('tool', 1, down)).toBe('good');
  });

  it('stands in for results that are errors, which are never stored', async () => {
    const isError = (value: unknown) => (value as { isError?: boolean }).isError === true;
    const { cache, clock } = makeCache({ ttl: 1000, isError, methods: { safe: { staleIfError: 5000 } } });
    const failure = { isError: true };
    expect(await cache.getOrSet('safe', 1, () => failure)).toEqual(failure);
    expect(await cache.getOrSet('safe', 1, () => ({ n: 1 }))).toEqual({ n: 1 });
    clock.advance(1000);
    const answers = await Promise.all([1, 2].map(() => cache.getOrSet('safe', 1, async () => failure)));
    expect(answers).toEqual([{ n: 1 }, { n: 1 }]);
    expect(cache.stats()).toMatchObject({ loads: 1, loadErrors: 2, staleIfErrors: 2, sets: 1 });
    // Without the test an error is pinned as if it were the answer.
    const bare = makeCache().cache;
    await bare.getOrSet('tool', 1, () => failure);
    expect(await bare.getOrSet('tool', 1, () => ({ n: 1 }))).toEqual(failure);
  });

  it('runs the tool and stores nothing when the test for errors fails itself', async () => {
    const { cache } = makeCache({
      isError: () => {
        throw new Error('broken test');
      },
    });
    expect(await cache.getOrSet('tool', 1, () => 'a')).toBe('a');
    expect(await cache.getOrSet('tool', 1, () => 'b')).toBe('b');
    expect(cache.stats()).toMatchObject({ loads: 2, cacheErrors: 2, sets: 0, loadErrors: 0 });
  });
});

describe('refresh ahead', () => {
  it('can be switched on and off for one call', async () => {
    const { cache, clock } = makeCache({ ttl: 1000, random: () => 0.999_999 });
    await cache.getOrSet('tool', 1, () => clock.advance(100));
    clock.advance(500);
    await cache.getOrSet('tool', 1, () => 'new');
    expect(cache.stats().refreshes).toBe(0);
    await cache.getOrSet('tool', 1, () => 'new', { refreshAhead: true });
    expect(cache.stats().refreshes).toBe(1);
  });
});
