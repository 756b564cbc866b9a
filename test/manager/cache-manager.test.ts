import { afterEach, describe, expect, it } from 'vitest';
import {
  CacheClosedError,
  CacheManager,
  type CacheOptions,
  hashKey,
  type LoaderContext,
  type StoreFactory,
} from '../../src/index.js';
import { builtInStores, createStore } from '../../src/store/registry.js';
import { FakeClock } from '../../src/testing/fake-clock.js';

const open: CacheManager[] = [];

function makeCache(options: CacheOptions = {}) {
  const clock = new FakeClock(1_000_000);
  const cache = new CacheManager({ clock, ...options });
  open.push(cache);
  return { cache, clock };
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((cache) => cache.close()));
});

describe('a cache manager', () => {
  it('gives back what was set, told apart by method and params, whatever the order of keys', async () => {
    const { cache } = makeCache();
    expect(await cache.set('search', { query: 'mvcc', limit: 3 }, ['a', 'b'])).toBe(true);
    expect(await cache.get('search', { limit: 3, query: 'mvcc' })).toEqual(['a', 'b']);
    expect(await cache.get('search', { limit: 4, query: 'mvcc' })).toBeUndefined();
    expect(await cache.get('find', { limit: 3, query: 'mvcc' })).toBeUndefined();
    expect(cache.key('search', { query: 'mvcc', limit: 3 })).toBe(
      hashKey('search', { query: 'mvcc', limit: 3 }),
    );
  });

  it('tells a stored undefined or null from a miss by lookup', async () => {
    const { cache } = makeCache();
    await cache.set('tool', 1, undefined);
    await cache.set('tool', 2, null);
    expect(await cache.lookup('tool', 1)).toMatchObject({ outcome: 'hit', value: undefined });
    expect(await cache.lookup('tool', 2)).toMatchObject({ outcome: 'hit', value: null });
    expect(await cache.lookup('tool', 3)).toEqual({ outcome: 'miss', key: hashKey('tool', 3) });
    expect(await cache.has('tool', 1)).toBe(true);
    expect(await cache.has('tool', 3)).toBe(false);
    let loads = 0;
    expect(await cache.getOrSet('tool', 1, () => ++loads)).toBeUndefined();
    expect(loads).toBe(0);
  });

  it('hands out private copies by default and the value itself by reference', async () => {
    const rows = [{ id: 1 }];
    const copying = makeCache().cache;
    await copying.set('tool', 1, rows);
    rows[0]!.id = 99;
    const first = await copying.get<{ id: number }[]>('tool', 1);
    first![0]!.id = 77;
    expect(await copying.get('tool', 1)).toEqual([{ id: 1 }]);

    const sharing = makeCache({ values: 'reference' }).cache;
    await sharing.set('tool', 1, rows);
    expect(await sharing.get('tool', 1)).toBe(rows);
  });

  it('gives coalesced callers copies of their own', async () => {
    const { cache } = makeCache();
    const call = () => cache.getOrSet('tool', 1, async () => ({ list: [1] }));
    const [first, second] = await Promise.all([call(), call()]);
    first!.list.push(2);
    expect(second).toEqual({ list: [1] });
    expect(await cache.get('tool', 1)).toEqual({ list: [1] });
  });

  it('keeps metadata right over hits, peeks, misses and overwrites', async () => {
    const { cache, clock } = makeCache({ ttl: '10s' });
    await cache.set('tool', 1, 'first');
    clock.advance(1000);
    expect(await cache.lookup('tool', 1)).toMatchObject({
      tier: 'memory',
      ageMs: 1000,
      metadata: {
        createdAt: 1_000_000,
        staleAt: 1_010_000,
        expiresAt: 1_010_000,
        accessCount: 1,
        lastAccess: 1_001_000,
      },
    });
    cache.peek('tool', 1);
    await cache.has('tool', 1);
    await cache.get('tool', 2);
    clock.advance(500);
    expect(await cache.lookup('tool', 1)).toMatchObject({
      metadata: { accessCount: 2, lastAccess: 1_001_500 },
    });
    await cache.set('tool', 1, 'second');
    expect(await cache.lookup('tool', 1)).toMatchObject({
      value: 'second',
      metadata: { createdAt: 1_001_500, expiresAt: 1_011_500, accessCount: 1, loadMs: 0 },
    });
    await cache.getOrSet('tool', 3, async () => clock.advance(250));
    expect(await cache.lookup('tool', 3)).toMatchObject({ metadata: { loadMs: 250, accessCount: 1 } });
  });

  it('expires by the call, the method, the cache, in this order, and by a function of the value', async () => {
    const { cache, clock } = makeCache({
      ttl: 1000,
      methods: {
        slow: { ttl: '5s' },
        forever: { ttl: null },
        picky: { ttl: (value) => (value === 'keep' ? '1h' : 0) },
      },
    });
    await cache.set('plain', 1, 'v');
    await cache.set('plain', 2, 'v', { ttl: 3000 });
    await cache.set('slow', 1, 'v');
    await cache.set('forever', 1, 'v');
    expect(await cache.set('picky', 1, 'keep')).toBe(true);
    expect(await cache.set('picky', 2, 'drop')).toBe(false);
    const alive = async () => [
      await cache.has('plain', 1),
      await cache.has('plain', 2),
      await cache.has('slow', 1),
      await cache.has('forever', 1),
      await cache.has('picky', 1),
    ];
    clock.advance(999);
    expect(await alive()).toEqual([true, true, true, true, true]);
    clock.advance(1);
    expect(await alive()).toEqual([false, true, true, true, true]);
    clock.advance(2000);
    expect(await alive()).toEqual([false, false, true, true, true]);
    clock.advance(10_000_000);
    expect(await alive()).toEqual([false, false, false, true, false]);
    expect(cache.stats()).toMatchObject({ expired: 4, evicted: 0, entries: 1 });
  });

  it('answers a stale value at once and renews it once in the background', async () => {
    const { cache, clock } = makeCache({ ttl: 1000, staleWhileRevalidate: 500 });
    let loads = 0;
    const call = () => cache.getOrSet('tool', 1, async () => `v${++loads}`);
    expect(await call()).toBe('v1');
    clock.advance(1200);
    expect(await cache.lookup('tool', 1)).toMatchObject({ outcome: 'stale', value: 'v1' });
    expect(await Promise.all([call(), call(), call()])).toEqual(['v1', 'v1', 'v1']);
    await clock.flush();
    expect(loads).toBe(2);
    expect(await call()).toBe('v2');
    expect(cache.stats()).toMatchObject({ staleHits: 4, hits: 1, loads: 2 });
    clock.advance(1500);
    expect(await cache.get('tool', 1)).toBeUndefined();
  });

  it('keeps the stale value when its renewal fails, and never rejects for it', async () => {
    const { cache, clock } = makeCache({ ttl: 1000, staleWhileRevalidate: 500 });
    await cache.set('tool', 1, 'old');
    clock.advance(1100);
    const failing = () => cache.getOrSet('tool', 1, () => Promise.reject(new Error('down')));
    expect(await failing()).toBe('old');
    await clock.flush();
    expect(await failing()).toBe('old');
    await clock.flush();
    expect(cache.stats()).toMatchObject({ loadErrors: 1, staleHits: 2 });
  });

  it('lets a loader decide on its result', async () => {
    const { cache, clock } = makeCache();
    const loadOnce = ({ skip }: LoaderContext) => {
      skip();
      return 'once';
    };
    expect(await cache.getOrSet('tool', 1, loadOnce)).toBe('once');
    expect(await cache.has('tool', 1)).toBe(false);
    await cache.getOrSet('tool', 2, ({ setTtl }) => setTtl('2s'));
    clock.advance(1999);
    expect(await cache.has('tool', 2)).toBe(true);
    clock.advance(1);
    expect(await cache.has('tool', 2)).toBe(false);
    await cache.getOrSet('tool', { q: 1 }, ({ key, method }) => {
      expect({ key, method }).toEqual({ key: hashKey('tool', { q: 1 }), method: 'tool' });
    });
  });

  it('keeps versions and scopes apart and leaves out ignored params', async () => {
    const { cache } = makeCache({ methods: { tool: { version: 2, ignore: ['trace_id'] } } });
    await cache.set('tool', { q: 1, trace_id: 'a' }, 'everybody');
    await cache.set('tool', { q: 1, trace_id: 'a' }, 'mine', { scope: 'user-1' });
    expect(await cache.get('tool', { q: 1, trace_id: 'b' })).toBe('everybody');
    expect(await cache.get('tool', { q: 1 }, { scope: 'user-1' })).toBe('mine');
    expect(await cache.get('tool', { q: 1 }, { scope: 'user-2' })).toBeUndefined();
    expect(cache.key('tool', { q: 1 })).toBe(hashKey('tool', { q: 1 }, { version: 2 }));
  });

  it('deletes one, clears a method, clears all, and says what memory had', async () => {
    const { cache } = makeCache();
    for (const method of ['a', 'b']) for (const n of [1, 2]) await cache.set(method, n, n);
    expect(await cache.delete('a', 1)).toBe(true);
    expect(await cache.delete('a', 1)).toBe(false);
    await cache.clear('a');
    expect(await cache.getMany('a', [1, 2])).toEqual([undefined, undefined]);
    expect(await cache.getMany('b', [1, 2])).toEqual([1, 2]);
    await cache.clear();
    expect(cache.stats()).toMatchObject({ entries: 0, bytes: 0, deletes: 4 });
  });

  it('does many at once, in their order', async () => {
    const { cache } = makeCache({ maxEntryBytes: 2000 });
    const stored = await cache.setMany('tool', [
      [1, 'one'],
      [2, 'x'.repeat(5000)],
      [3, 'three'],
    ]);
    expect(stored).toEqual([true, false, true]);
    expect(await cache.getMany('tool', [3, 2, 1])).toEqual(['three', undefined, 'one']);
    expect(await cache.deleteMany('tool', [1, 2])).toEqual([true, false]);
  });

  it('has a synchronous form on the memory tier', () => {
    const { cache } = makeCache();
    expect(cache.getSync('tool', 1)).toBeUndefined();
    expect(cache.setSync('tool', 1, 'now')).toBe(true);
    expect(cache.getSync('tool', 1)).toBe('now');
    expect(cache.stats()).toMatchObject({ hits: 1, misses: 1, sets: 1 });
  });

  it('hands out a bound handle on a method', async () => {
    const { cache } = makeCache();
    const search = cache.method('search');
    await search.set({ q: 1 }, 'found');
    expect(await search.get({ q: 1 })).toBe('found');
    expect(await cache.get('search', { q: 1 })).toBe('found');
    expect(cache.method('search')).toBe(search);
    expect(search.stats()).toMatchObject({ hits: 2, sets: 1 });
    expect(cache.methods()).toEqual(['search']);
  });

  it('iterates over its entries without counting', async () => {
    const { cache } = makeCache();
    await cache.set('a', 1, { n: 1 });
    await cache.set('b', 2, 'two');
    const entries = [];
    for await (const entry of cache) entries.push(entry);
    expect(entries.sort((a, b) => (a.method < b.method ? -1 : 1))).toMatchObject([
      { method: 'a', key: hashKey('a', 1), value: { n: 1 }, tier: 'memory', metadata: { accessCount: 0 } },
      { method: 'b', value: 'two' },
    ]);
    const only = [];
    for await (const { method } of cache.entries('b')) only.push(method);
    expect(only).toEqual(['b']);
    expect(cache.stats().hits).toBe(0);
  });

  it('survives being changed while it is iterated over', async () => {
    const { cache } = makeCache({ maxSize: 50 });
    for (let n = 0; n < 50; n++) await cache.set('tool', n, n);
    const seen = new Set<unknown>();
    for await (const { value } of cache) {
      seen.add(value);
      await cache.delete('tool', (value as number) ^ 1);
      await cache.set('tool', `new ${value}`, 'new');
    }
    expect(seen.size).toBe(25);
  });

  it('closes once, and says so afterwards, while getOrSet goes on uncached', async () => {
    const { cache } = makeCache();
    await cache.set('tool', 1, 'cached');
    let finish!: (value: string) => void;
    const pending = cache.getOrSet('tool', 2, () => new Promise<string>((resolve) => (finish = resolve)));
    await cache.close();
    await cache.close();
    finish('late');
    expect(await pending).toBe('late');
    await expect(cache.get('tool', 1)).rejects.toMatchObject({ code: 'ERR_CACHE_CLOSED' });
    await expect(cache.set('tool', 1, 2)).rejects.toMatchObject({ code: 'ERR_CACHE_CLOSED' });
    await expect(cache.clear()).rejects.toMatchObject({ code: 'ERR_CACHE_CLOSED' });
    expect(await cache.getOrSet('tool', 1, () => 'direct')).toBe('direct');
    expect(cache.stats()).toMatchObject({ uncached: 1, entries: 0 });
  });

  it('is not opened again once it is closed', async () => {
    const cache = new CacheManager();
    await cache.open();
    await cache.close();
    await expect(cache.open()).rejects.toThrow(
      new CacheClosedError('The cache is closed: make a new CacheManager'),
    );
  });

  it('is opened by a factory and closed by await using', async () => {
    let outside: CacheManager;
    {
      await using cache = await CacheManager.open({ maxSize: 5 });
      outside = cache;
      await cache.set('tool', 1, 1);
    }
    await expect(outside.get('tool', 1)).rejects.toMatchObject({ code: 'ERR_CACHE_CLOSED' });
  });
});

describe('what goes wrong at run time', () => {
  it('runs the tool uncached for params that can not be hashed, and throws where no tool is at hand', async () => {
    const { cache } = makeCache();
    const params = { callback: () => 1 };
    expect(await cache.getOrSet('tool', params, () => 'direct')).toBe('direct');
    expect(cache.stats()).toMatchObject({ uncached: 1, entries: 0 });
    await expect(cache.get('tool', params)).rejects.toMatchObject({ code: 'ERR_UNHASHABLE_PARAMS' });
    await expect(cache.set('tool', params, 1)).rejects.toMatchObject({ code: 'ERR_UNHASHABLE_PARAMS' });
  });

  it('returns a result that can not be stored, uncached, to each caller from a load of its own', async () => {
    const { cache } = makeCache();
    let loads = 0;
    const call = () =>
      cache.getOrSet('tool', 1, async () => {
        await null;
        return { call: ++loads, close: () => 'closed' };
      });
    const results = await Promise.all([call(), call(), call()]);
    expect(results.map((result) => result.call).sort()).toEqual([1, 2, 3]);
    expect(cache.stats()).toMatchObject({ uncached: 3, entries: 0, cacheErrors: 0 });
  });

  it('forgets the old value when its overwrite can not be stored', async () => {
    const { cache } = makeCache({ maxEntryBytes: 2000 });
    await cache.set('tool', 1, 'old');
    await expect(cache.set('tool', 1, () => 1)).rejects.toMatchObject({ code: 'ERR_UNSTORABLE_VALUE' });
    expect(await cache.get('tool', 1)).toBeUndefined();
    await cache.set('tool', 2, 'old');
    expect(await cache.set('tool', 2, 'x'.repeat(5000))).toBe(false);
    expect(await cache.get('tool', 2)).toBeUndefined();
    expect(cache.stats().refused).toBe(2);
  });

  it('gives a too large result to every waiting caller from one load', async () => {
    const { cache } = makeCache({ maxEntryBytes: 2000 });
    let loads = 0;
    const call = () =>
      cache.getOrSet('tool', 1, async () => {
        loads++;
        return { text: 'x'.repeat(5000) };
      });
    const [first, second] = await Promise.all([call(), call()]);
    expect(first).toEqual(second);
    expect(loads).toBe(1);
    expect(cache.stats()).toMatchObject({ refused: 1, entries: 0, sets: 0 });
  });

  it('does not let a store of the user that throws reach the tool call', async () => {
    const faulty = () => {
      const fail = () => {
        throw new Error('store is broken');
      };
      return {
        size: 0,
        bytes: 0,
        get: fail,
        peek: fail,
        has: fail,
        set: fail,
        delete: fail,
        clear: fail,
        entries: fail,
      };
    };
    const { cache } = makeCache({ eviction: faulty as never });
    const errors: string[] = [];
    cache.on('error', ({ error }) => errors.push(error.code));
    expect(await cache.getOrSet('tool', 1, () => 'answer')).toBe('answer');
    expect(errors.length).toBeGreaterThan(0);
    expect(cache.stats().cacheErrors).toBe(errors.length);
  });

  it.each(['get', 'peek', 'set', 'delete'] as const)(
    'does not let a store of the user whose %s throws reach the tool call, storable result or not',
    async (faulty) => {
      const eviction: StoreFactory = (options) => {
        const store = createStore('fifo', options);
        const broken = () => {
          throw new Error(`${faulty} is broken`);
        };
        return new Proxy(store, {
          get: (target, name) => {
            if (name === faulty) return broken;
            const member = Reflect.get(target, name, target);
            return typeof member === 'function' ? member.bind(target) : member;
          },
        });
      };
      const { cache } = makeCache({ eviction });
      expect(await cache.getOrSet('tool', 1, () => 'answer')).toBe('answer');
      const unstorable = () => 'function';
      expect(await cache.getOrSet('tool', 2, () => unstorable)).toBe(unstorable);
      expect(await cache.refresh('tool', 1, () => 'again')).toBe('again');
      expect(cache.stats().loads).toBe(3);
    },
  );

  it('answers an error, not a miss, when the memory store fails', async () => {
    const eviction: StoreFactory = (options) => {
      const store = createStore('fifo', options);
      store.get = () => {
        throw new Error('broken');
      };
      return store;
    };
    const { cache } = makeCache({ eviction });
    expect(await cache.lookup('tool', 1)).toMatchObject({ outcome: 'error', error: { code: 'ERR_STORAGE' } });
    expect(cache.stats()).toMatchObject({ misses: 0, cacheErrors: 1 });
  });

  it('does not answer the older value when the newer one could not be stored', async () => {
    const { cache } = makeCache({
      ttl: (value) => {
        if (value === 'v2') throw new Error('no ttl');
        return 1000;
      },
    });
    await cache.getOrSet('tool', 1, () => 'v1');
    expect(await cache.refresh('tool', 1, () => 'v2')).toBe('v2');
    expect(await cache.get('tool', 1)).toBeUndefined();
  });

  it('keeps its books when a listener writes to it', async () => {
    for (const eviction of builtInStores) {
      const { cache } = makeCache({ eviction, maxSize: 3 });
      let depth = 0;
      cache.on('remove', ({ reason }) => {
        if (depth > 0) return;
        depth++;
        cache.setSync('tool', `left by ${reason}`, reason);
        depth--;
      });
      for (let n = 0; n < 20; n++) cache.setSync('tool', n % 5, n);
      let listed = 0;
      for await (const { key } of cache) if (key.length === 32) listed++;
      expect(cache.stats()).toMatchObject({ entries: listed });
      expect(listed).toBeLessThanOrEqual(3);
    }
  });

  it('stores nothing, and says so, for a ttl that a loader gets wrong', async () => {
    const { cache } = makeCache();
    expect(
      await cache.getOrSet('tool', 1, ({ setTtl }) => {
        setTtl(Number.NaN);
        return 'answer';
      }),
    ).toBe('answer');
    expect(cache.stats()).toMatchObject({ cacheErrors: 1, entries: 0 });
  });

  it('refuses a scope that is no string, because null would be everybody’s', async () => {
    const { cache } = makeCache({ scope: 'everybody' });
    await cache.set('tool', 1, 'shared');
    const options = { scope: null as never };
    const refused = { code: 'ERR_INVALID_OPTION' };
    await expect(cache.get('tool', 1, options)).rejects.toMatchObject(refused);
    await expect(cache.getOrSet('tool', 1, () => 'x', options)).rejects.toMatchObject(refused);
  });

  it('calls no tool for a caller who has aborted already', async () => {
    const { cache } = makeCache();
    const signal = AbortSignal.abort('gone');
    let calls = 0;
    const loader = () => ++calls;
    await expect(cache.refresh('tool', 1, loader, { signal })).rejects.toBe('gone');
    await expect(cache.getOrSet('tool', { f() {} }, loader, { signal })).rejects.toBe('gone');
    expect(calls).toBe(0);
  });

  it('answers what was set while a load waited for its turn, without calling the tool', async () => {
    const { cache } = makeCache({ concurrency: 1 });
    let release!: (value: string) => void;
    const first = cache.getOrSet('tool', 'a', () => new Promise<string>((resolve) => (release = resolve)));
    let calls = 0;
    const queued = cache.getOrSet('tool', 'b', () => ++calls);
    await cache.set('tool', 'b', 'written');
    release('a');
    await first;
    expect(await queued).toBe('written');
    expect(calls).toBe(0);
    expect(await cache.get('tool', 'b')).toBe('written');
  });

  it('does not let a ttl function that fails reach the tool call', async () => {
    const { cache } = makeCache({
      ttl: () => {
        throw new Error('no ttl');
      },
    });
    expect(await cache.getOrSet('tool', 1, () => 'answer')).toBe('answer');
    expect(cache.stats()).toMatchObject({ cacheErrors: 1, entries: 0 });
  });

  it('refuses malformed calls with a sentence', async () => {
    const { cache } = makeCache();
    expect(() => cache.method('')).toThrow(/method/i);
    await expect(cache.getOrSet('', 1, () => 1)).rejects.toThrow(/method/i);
    await expect(cache.get('', 1)).rejects.toThrow(/method/i);
    await expect(cache.getOrSet('tool', 1, 'no function' as never)).rejects.toThrow(/loader/);
    await expect(cache.set('tool', 1, 1, { ttl: -5 })).rejects.toThrow('`ttl`');
    await expect(cache.getOrSet('tool', 1, () => 1, { ttl: 'soon' as never })).rejects.toThrow('soon');
    expect(() => cache.on('hits' as never, () => {})).toThrow('Unknown event `hits`');
  });
});
