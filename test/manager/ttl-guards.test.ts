import { describe, expect, it } from 'vitest';
import { BloomFilter, CacheManager, type CacheOptions } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { seededRandom } from '../guard/seeded-random.js';
import { gate, settle } from '../helper/gate.js';
import { MapTier } from '../helper/map-tier.js';

function makeCache(options: CacheOptions = {}) {
  const clock = new FakeClock();
  return { cache: new CacheManager({ clock, ...options }), clock };
}

describe('jitter', () => {
  it('only shortens: nothing is answered past its ttl, and nothing leaves before its range', async () => {
    const { cache, clock } = makeCache({ ttl: 1000, jitter: 0.5, random: seededRandom(3) });
    for (let key = 0; key < 200; key++) await cache.set('tool', key, key);
    clock.advance(500);
    for (let key = 0; key < 200; key++) expect(await cache.has('tool', key)).toBe(true);
    clock.advance(500);
    for (let key = 0; key < 200; key++) expect(await cache.has('tool', key)).toBe(false);
  });
});

describe('memoryTtl', () => {
  it('takes no stale value from those who wait for a load, though memory forgets it meanwhile', async () => {
    for (const isHeld of [false, true]) {
      const clock = new FakeClock();
      const options = { ttl: 1000, memoryTtl: 2100, staleIfError: '1h', softTimeout: 700 } as const;
      const cache = new CacheManager({ clock, maxSize: isHeld ? 10 : 1, ...options }, [new MapTier()]);
      await cache.set('tool', 1, 'old', { memoryTtl: isHeld ? 2100 : 1 });
      clock.advance(2000);
      const failing = gate<string>();
      const first = cache.getOrSet('tool', 1, () => failing.promise, { memoryTtl: 1, softTimeout: false });
      const second = cache.getOrSet('tool', 1, () => 'not called');
      await settle();
      await clock.advanceAsync(2200);
      expect(await second).toBe('old');
      failing.fail(new Error('down'));
      expect(await first).toBe('old');
      expect(cache.stats()).toMatchObject({ softTimeouts: 1, staleIfErrors: 1, loadErrors: 1 });
    }
  });

  async function tiersAfter(options: CacheOptions, ms: number) {
    const clock = new FakeClock();
    const cache = new CacheManager({ clock, ttl: 10_000, ...options }, [new MapTier()]);
    await cache.set('tool', 1, 'value');
    clock.advance(ms);
    const first = await cache.lookup('tool', 1);
    const second = await cache.lookup('tool', 1);
    return [first, second].map((each) => (each.outcome === 'hit' ? each.tier : each.outcome));
  }

  it('lets memory forget sooner than the slower tiers, which still answer', async () => {
    expect(await tiersAfter({ memoryTtl: 1000 }, 999)).toEqual(['memory', 'memory']);
    expect(await tiersAfter({ memoryTtl: 1000 }, 1000)).toEqual(['disk', 'memory']);
    expect(await tiersAfter({ memoryTtl: 1000 }, 10_000)).toEqual(['miss', 'miss']);
    // Without it a value that another process has replaced on disk stays in memory for its whole ttl.
    expect(await tiersAfter({}, 9999)).toEqual(['memory', 'memory']);
  });
});

describe('negativeTtl', () => {
  it('remembers "nothing found" for a short time, and a later set clears it', async () => {
    const { cache, clock } = makeCache({ ttl: '1h', negativeTtl: 100 });
    const rows: Record<string, string> = {};
    let loads = 0;
    const find = () => {
      loads++;
      return rows['a'];
    };
    for (let call = 0; call < 5; call++) expect(await cache.getOrSet('row', 'a', find)).toBeUndefined();
    expect(loads).toBe(1);
    expect(cache.stats()).toMatchObject({ hits: 4, negativeHits: 4 });
    rows['a'] = 'now there';
    clock.advance(100);
    expect(await cache.getOrSet('row', 'a', find)).toBe('now there');
    clock.advance(3_599_999);
    expect(await cache.getOrSet('row', 'a', find)).toBe('now there');
    await cache.getOrSet('row', 'b', () => null);
    await cache.set('row', 'b', 'set');
    expect(await cache.get('row', 'b')).toBe('set');
    // Without it "nothing found" hides for an hour what was created a moment later.
    const bare = makeCache({ ttl: '1h' });
    await bare.cache.getOrSet('row', 'a', () => undefined);
    bare.clock.advance(3_599_999);
    expect(await bare.cache.getOrSet('row', 'a', () => 'now there')).toBeUndefined();
  });

  it('gives way to what the loader decides, and takes what the caller calls nothing', async () => {
    const isNegative = (value: unknown) => Array.isArray(value) && value.length === 0;
    const { cache, clock } = makeCache({ ttl: 1000, negativeTtl: 100, isNegative });
    await cache.getOrSet('rows', 1, () => []);
    await cache.getOrSet('rows', 2, ({ setTtl }) => {
      setTtl(500);
      return [];
    });
    await cache.getOrSet('rows', 3, () => null);
    clock.advance(100);
    expect(await Promise.all([1, 2, 3].map((each) => cache.has('rows', each)))).toEqual([false, true, true]);
    await cache.getOrSet('rows', 4, () => [], { negativeTtl: 0 });
    expect(await cache.has('rows', 4)).toBe(false);
  });
});

describe('knownKeys', () => {
  it('spares the source calls for keys that do not exist; without it each of them gets through', async () => {
    const flood = async (options: CacheOptions) => {
      const { cache } = makeCache({ negativeTtl: 0, ...options });
      let loads = 0;
      for (let id = 0; id < 500; id++)
        expect(await cache.getOrSet('user', id, () => void loads++)).toBeUndefined();
      return { ...cache.stats(), loads };
    };
    const known = new BloomFilter({ capacity: 1000 });
    const { cache } = makeCache();
    for (let id = 0; id < 10; id++) known.add(cache.key('user', id));
    const guarded = await flood({ knownKeys: known });
    expect(guarded.loads).toBeLessThan(30);
    expect(guarded).toMatchObject({ unknownKeys: 500 - guarded.loads, misses: 500, sets: 0 });
    expect((await flood({})).loads).toBe(500);
  });

  it('learns the keys that are set and loaded, and lets a refresh through', async () => {
    const { cache } = makeCache({ knownKeys: new BloomFilter({ capacity: 100 }), maxSize: 1 });
    await cache.set('user', 1, 'set');
    expect(await cache.refresh('user', 2, () => 'loaded')).toBe('loaded');
    expect(await cache.getOrSet('user', 1, () => 'again')).toBe('again');
    expect(await cache.getOrSet('user', 2, () => 'again')).toBe('again');
    expect(await cache.getOrSet('user', 3, () => 'never')).toBeUndefined();
  });

  it('runs the tool when the filter fails', async () => {
    const knownKeys = {
      size: 0,
      capacity: 1,
      add() {},
      mayHave(): boolean {
        throw new Error('broken filter');
      },
    };
    const { cache } = makeCache({ knownKeys });
    expect(await cache.getOrSet('user', 1, () => 'there')).toBe('there');
    expect(cache.stats().cacheErrors).toBe(1);
  });
});

describe('cacheErrors', () => {
  class NotFoundError extends Error {
    override readonly name = 'NotFoundError';
    readonly code = 404;
  }
  const cacheErrors = (error: unknown) => error instanceof NotFoundError && 1000;

  it('throws an equal error again without calling the tool, for as long as it says', async () => {
    const ask = async (options: CacheOptions, error: Error) => {
      const { cache, clock } = makeCache(options);
      const thrown: unknown[] = [];
      let loads = 0;
      for (const wait of [0, 999, 1]) {
        clock.advance(wait);
        const failing = async () => {
          loads++;
          throw error;
        };
        await cache.getOrSet('page', 1, failing).catch((caught: unknown) => thrown.push(caught));
      }
      return { ...cache.stats(), thrown, loads };
    };
    const stored = await ask({ cacheErrors }, new NotFoundError('gone'));
    expect(stored).toMatchObject({ loads: 2, errorHits: 1, loadErrors: 2, misses: 2 });
    expect(stored.thrown).toEqual(
      Array.from({ length: 3 }, () => expect.objectContaining({ message: 'gone', code: 404 })),
    );
    expect(stored.thrown[1]).toBeInstanceOf(NotFoundError);
    expect(stored.thrown[1]).not.toBe(stored.thrown[0]);
    // Other errors, and without the option all errors, call the tool each time.
    expect((await ask({ cacheErrors }, new Error('down'))).loads).toBe(3);
    expect((await ask({}, new NotFoundError('gone'))).loads).toBe(3);
  });

  it.each(['set', 'delete', 'clear', 'refresh', 'invalidate'] as const)(
    'forgets an error at a %s, before its load ends or after',
    async (write) => {
      for (const isLate of [false, true]) {
        const { cache, clock } = makeCache({ cacheErrors, tags: () => ['pages'] });
        const held = gate<string>();
        const failing = cache.getOrSet('page', 1, () => held.promise).catch((error: unknown) => error);
        const fail = async () => {
          held.fail(new NotFoundError('gone'));
          await failing;
        };
        if (isLate) await fail();
        if (write === 'set') await cache.set('page', 1, 'there', { ttl: 1 });
        else if (write === 'delete') await cache.delete('page', 1);
        else if (write === 'clear') await cache.clear('page');
        else if (write === 'invalidate') await cache.invalidateTags(['pages']);
        else await cache.refresh('page', 1, () => 'there');
        if (!isLate) await fail();
        clock.advance(1);
        expect(await cache.getOrSet('page', 1, () => 'there'), `${write}, late: ${isLate}`).toBe('there');
      }
    },
  );

  it('does not remember what a policy that fails can not judge', async () => {
    const { cache } = makeCache({
      cacheErrors: () => {
        throw new Error('broken policy');
      },
    });
    await expect(cache.getOrSet('page', 1, () => Promise.reject(new Error('down')))).rejects.toThrow('down');
    expect(await cache.getOrSet('page', 1, () => 'there')).toBe('there');
    expect(cache.stats().cacheErrors).toBe(1);
  });

  it('throws the error of the tool even where it can not be copied', async () => {
    const { cache } = makeCache({ cacheErrors: () => '1h' });
    const odd = Object.defineProperty(new Error('down'), 'stack', {
      get() {
        throw new Error('no stack');
      },
    });
    await expect(cache.getOrSet('page', 1, () => Promise.reject(odd))).rejects.toBe(odd);
    const tool = cache.wrapSync(
      () => {
        throw odd;
      },
      { name: 'page' },
    );
    expect(tool).toThrow(odd);
    expect(await cache.getOrSet('page', 1, () => 'there')).toBe('there');
    expect(cache.stats()).toMatchObject({ cacheErrors: 2, errorHits: 0 });
  });

  it('is for those who want it: `false` calls the tool', async () => {
    const { cache } = makeCache({ cacheErrors: () => '1h', methods: { bare: { cacheErrors: false } } });
    const down = () => Promise.reject(new Error('down'));
    await expect(cache.getOrSet('page', 1, down)).rejects.toThrow('down');
    expect(await cache.getOrSet('page', 1, () => 'there', { cacheErrors: false })).toBe('there');
    await expect(cache.getOrSet('bare', 1, down)).rejects.toThrow('down');
    expect(await cache.getOrSet('bare', 1, () => 'there')).toBe('there');
  });

  it('remembers a bounded number', async () => {
    const { cache } = makeCache({ cacheErrors: () => '1h' });
    const fail = (id: number) =>
      cache.getOrSet('page', id, () => Promise.reject(new Error('x'))).catch(() => 'failed');
    for (let id = 0; id < 1500; id++) await fail(id);
    for (let id = 0; id < 1500; id++) await fail(id);
    // Each that is asked for again takes the place of another, so the second round finds none.
    expect(cache.stats()).toMatchObject({ errorHits: 0 });
    for (let id = 500; id < 1500; id++) await fail(id);
    expect(cache.stats()).toMatchObject({ errorHits: 1000 });
  });
});

describe('sliding expiry', () => {
  it('does not take a peek for a use, and tells when the entry will leave', async () => {
    const { cache, clock } = makeCache({ ttl: 1000, sliding: true, maxAge: 1500 });
    await cache.set('session', 1, 'data');
    clock.advance(600);
    expect(cache.peek('session', 1)).toBe('data');
    const found = await cache.lookup('session', 1);
    const start = clock.now() - 600;
    expect(found).toMatchObject({ metadata: { expiresAt: start + 1500 } });
    clock.advance(899);
    expect(cache.peek('session', 1)).toBe('data');
    clock.advance(1);
    expect(cache.peek('session', 1)).toBeUndefined();
  });

  it('is not outlived by a copy in a slower tier, which hears of no hits', async () => {
    const clock = new FakeClock();
    const options = { clock, ttl: 1000, sliding: true, maxAge: 5000, maxSize: 1 } as const;
    const cache = new CacheManager(options, [new MapTier()]);
    await cache.set('session', 1, 'data');
    await cache.set('session', 2, 'other');
    clock.advance(1000);
    expect(await cache.get('session', 1)).toBeUndefined();
  });
});
