/** Large values are decoded in slices: others run meanwhile, and what they do counts. */

import { describe, expect, it, vi } from 'vitest';
import { CacheManager, type CacheOptions } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import type { readMsgpack } from '../../src/value/msgpack/reader.js';
import { seededRandom } from '../guard/seeded-random.js';
import { MapTier } from '../helper/map-tier.js';
import { turnsDuring } from '../helper/turns.js';

/** What is decoded at once, and not in slices. */
const atOnce = vi.hoisted(() => ({ bytes: 0 }));
vi.mock('../../src/value/msgpack/reader.js', async (actual) => {
  const module = (await actual()) as typeof import('../../src/value/msgpack/reader.js');
  return {
    ...module,
    readMsgpack: (...given: Parameters<typeof readMsgpack>) => {
      atOnce.bytes = Math.max(atOnce.bytes, given[0].length);
      return module.readMsgpack(...given);
    },
  };
});

type Rows = { id: number; version: number }[];

const large = (version = 1): Rows => Array.from({ length: 10_000 }, (_, id) => ({ id, version }));
const versionOf = (rows: unknown) => (rows as Rows | undefined)?.[9999]?.version;

/** A cache whose memory or slower tier, alone, holds a large value of `tool` under 1. */
async function holding(where: 'memory' | 'below', options: CacheOptions = {}) {
  const clock = new FakeClock();
  const below = new MapTier();
  const tiers = where === 'memory' ? [] : [below];
  if (where === 'below') {
    const before = new CacheManager({ clock, ...options }, tiers);
    await before.set('tool', 1, large());
    clock.advance(1);
  }
  const cache = new CacheManager({ clock, ...options }, tiers);
  if (where === 'memory') await cache.set('tool', 1, large());
  atOnce.bytes = 0;
  return { cache, clock, below };
}

/** Each road to a value. */
const roads: Readonly<Record<string, (cache: CacheManager, load: () => Promise<Rows>) => Promise<unknown>>> =
  {
    get: (cache) => cache.get('tool', 1),
    lookup: async (cache) => {
      const found = await cache.lookup('tool', 1);
      return 'value' in found ? found.value : undefined;
    },
    getMany: async (cache) => (await cache.method('tool').getMany([1]))[0],
    getOrSet: (cache, load) => cache.getOrSet('tool', 1, load),
    'a wrapped function': (cache, load) =>
      cache.wrap(async (_id: number) => load(), { name: 'tool', key: (id) => id })(1),
    'a call with a hard timeout': (cache, load) => cache.getOrSet('tool', 1, load, { hardTimeout: 60_000 }),
    entries: async (cache) => {
      for await (const { value } of cache.entries()) return value;
      return undefined;
    },
  };

const mustNotLoad = () => Promise.reject(new Error('the tool was called'));

describe.each(['memory', 'below'] as const)('a large value in %s', (where) => {
  it.each(Object.entries(roads))('lets others run while it is decoded for %s', async (_road, ask) => {
    const { cache } = await holding(where);
    let value: unknown;
    const turns = await turnsDuring(async () => {
      value = await ask(cache, mustNotLoad);
    });
    expect(value).toEqual(large());
    expect(turns).toBeGreaterThan(0);
    expect(atOnce.bytes).toBe(0);
  });

  it('is each caller’s own, who waits for his copy alone', async () => {
    const { cache } = await holding(where);
    const asking = Object.entries(roads).flatMap(([, ask]) => [
      ask(cache, mustNotLoad),
      ask(cache, mustNotLoad),
    ]);
    const values = (await Promise.all(asking)) as Rows[];
    expect(new Set(values).size).toBe(values.length);
    for (const rows of values) expect(rows).toEqual(large());
    for (const rows of values) rows[0]!.version = 9;
    expect(await cache.get('tool', 1)).toEqual(large());
    expect(atOnce.bytes).toBe(0);
  });

  it('is counted as one hit and one use for each who is answered', async () => {
    const { cache } = await holding(where);
    await cache.getOrSet('tool', 1, mustNotLoad);
    await cache.get('tool', 1);
    const found = await cache.lookup('tool', 1);
    expect(found).toMatchObject({ outcome: 'hit', metadata: { accessCount: 3 } });
    expect(cache.stats()).toMatchObject({ hits: 3, misses: 0, loads: 0, cacheErrors: 0 });
  });

  it('is had at once by who can not wait', async () => {
    const { cache } = await holding(where);
    await cache.get('tool', 1);
    expect(cache.getSync('tool', 1)).toEqual(large());
    expect(cache.peek('tool', 1)).toEqual(large());
    const tool = cache.wrapSync((_id: number) => large(2), { name: 'tool', key: (id) => id });
    expect(tool(1)).toEqual(large());
    expect(atOnce.bytes).toBeGreaterThan(100_000);
  });
});

/** What others may do while it is decoded, and which version answers then; `undefined`: none. */
const changes: Readonly<Record<string, readonly [(cache: CacheManager) => unknown, number | undefined]>> = {
  set: [(cache) => cache.set('tool', 1, large(2)), 2],
  'set of a small value': [(cache) => cache.set('tool', 1, large(2).slice(9999)), undefined],
  delete: [(cache) => cache.delete('tool', 1), undefined],
  clear: [(cache) => cache.clear('tool'), undefined],
  'invalidation of its tag': [(cache) => cache.invalidateTags(['all']), undefined],
  close: [(cache) => cache.close(), undefined],
};

describe.each(['memory', 'below'] as const)('while a large value in %s is decoded', (where) => {
  const looks = ['get', 'lookup', 'getMany'];
  it.each(
    looks.flatMap((road) =>
      Object.entries(changes).map(([name, [change, then]]) => [road, name, change, then] as const),
    ),
  )('for %s, a %s counts', async (road, _name, change, then) => {
    const { cache } = await holding(where, { tags: ['all'] });
    // Before the first slice: others' turn comes first.
    setImmediate(() => void change(cache));
    expect(versionOf(await roads[road]!(cache, mustNotLoad))).toBe(then);
    if (cache.stats().hits > 0) expect(cache.stats().misses).toBe(0);
  });

  it.each(
    ['getOrSet', 'a wrapped function'].flatMap((road) =>
      Object.entries(changes).map(([name, [change, then]]) => [road, name, change, then ?? 3] as const),
    ),
  )('for %s, a %s counts', async (road, name, change, then) => {
    const { cache } = await holding(where, { tags: ['all'] });
    setImmediate(() => void change(cache));
    const value = await roads[road]!(cache, async () => large(3));
    if (name === 'set of a small value') expect(value).toEqual([{ id: 9999, version: 2 }]);
    else expect(versionOf(value)).toBe(then);
  });

  it('an abort ends the wait', async () => {
    const { cache } = await holding(where);
    const controller = new AbortController();
    setImmediate(() => controller.abort(new Error('changed my mind')));
    const asked = cache.getOrSet('tool', 1, mustNotLoad, { signal: controller.signal });
    await expect(asked).rejects.toThrow('changed my mind');
    expect(await cache.getOrSet('tool', 1, mustNotLoad)).toEqual(large());
  });

  it('its time may be over', async () => {
    const { cache, clock } = await holding(where, { ttl: 1000 });
    clock.advance(500);
    setImmediate(() => clock.advance(600));
    expect(await cache.get('tool', 1)).toBeUndefined();
    expect(versionOf(await cache.getOrSet('tool', 1, async () => large(3)))).toBe(3);
  });

  it('an iteration passes over what was deleted', async () => {
    const { cache } = await holding(where);
    setImmediate(() => void cache.delete('tool', 1));
    expect(await roads['entries']!(cache, mustNotLoad)).toBeUndefined();
  });

  it('an iteration ends with the cache', async () => {
    const { cache } = await holding(where);
    setImmediate(() => void cache.close());
    await expect(roads['entries']!(cache, mustNotLoad)).rejects.toThrow('closed');
  });
});

it('a large value that is evicted while it is decoded answers all the same', async () => {
  const { cache } = await holding('memory', { maxSize: 1 });
  setImmediate(() => void cache.set('tool', 2, 'other'));
  expect(await cache.getOrSet('tool', 1, mustNotLoad)).toEqual(large());
  expect(await cache.get('tool', 1)).toBeUndefined();
});

it('a load that shares the read of a large value has its own copy, unless that is deleted first', async () => {
  for (const isDeleted of [false, true]) {
    const { cache } = await holding('below');
    const looked = cache.get('tool', 1);
    const asked = cache.getOrSet('tool', 1, async () => large(3));
    // While both are decoded.
    if (isDeleted) setImmediate(() => void cache.delete('tool', 1));
    expect(versionOf(await asked)).toBe(isDeleted ? 3 : 1);
    expect((await looked) === undefined).toBe(isDeleted);
    expect(await asked).not.toBe(await looked);
    expect(atOnce.bytes).toBe(0);
  }
});

it('a large value that is written again and again while it is decoded answers in the end', async () => {
  const { cache } = await holding('memory');
  let version = 1;
  let isOver = false;
  const write = () => {
    version += 1;
    cache.setSync('tool', 1, large(version));
    if (!isOver) setImmediate(write);
  };
  setImmediate(write);
  expect(versionOf(await cache.get('tool', 1))).toBeGreaterThan(1);
  expect(versionOf(await cache.getOrSet('tool', 1, mustNotLoad))).toBeGreaterThan(2);
  isOver = true;
});

describe('callers who join a load of a large value', () => {
  it('get copies of their own, which are decoded in slices', async () => {
    const { cache } = await holding('memory');
    const asking = Array.from({ length: 8 }, () => cache.getOrSet('tool', 2, async () => large(2)));
    let values: Rows[] = [];
    const turns = await turnsDuring(async () => {
      values = await Promise.all(asking);
    });
    expect(turns).toBeGreaterThanOrEqual(7);
    expect(new Set(values).size).toBe(8);
    for (const rows of values) expect(rows).toEqual(large(2));
    expect(atOnce.bytes).toBe(0);
    expect(cache.stats()).toMatchObject({ loads: 1, coalesced: 7, uncached: 0 });
  });

  it('can leave meanwhile', async () => {
    const { cache } = await holding('memory');
    const controller = new AbortController();
    const load = async () => {
      setImmediate(() => controller.abort(new Error('gone')));
      return large(2);
    };
    const first = cache.getOrSet('tool', 2, load);
    const joined = cache.getOrSet('tool', 2, load, { signal: controller.signal });
    await expect(joined).rejects.toThrow('gone');
    expect(await first).toEqual(large(2));
  });
});

describe.each(['memory', 'below'] as const)('a large stale value in %s', (where) => {
  it('is decoded in slices for each while it is renewed', async () => {
    const { cache, clock } = await holding(where, { ttl: 1000, staleWhileRevalidate: 5000 });
    clock.advance(2000);
    const load = vi.fn(() => new Promise<Rows>(() => {}));
    const asking = () => [1, 2, 3].map(() => cache.getOrSet('tool', 1, load));
    let values: Rows[] = [];
    const turns = await turnsDuring(async () => {
      values = await Promise.all(asking());
    });
    for (const rows of values) expect(rows).toEqual(large());
    expect(new Set(values).size).toBe(3);
    expect(turns).toBeGreaterThan(0);
    expect(atOnce.bytes).toBe(0);
    expect(load).toHaveBeenCalledTimes(1);
    expect(cache.stats()).toMatchObject({ staleHits: 3, refreshes: 1 });
    await cache.close();
  });

  it('is counted once for each, however long its slices are', async () => {
    // On a busy machine one ends after any step.
    const random = seededRandom(1);
    for (let draw = 0; draw < 30; draw += 1) {
      const { cache, clock } = await holding(where, { ttl: 1000, staleWhileRevalidate: 5000 });
      clock.advance(2000);
      let now = performance.now();
      const spy = vi.spyOn(performance, 'now').mockImplementation(() => {
        now += random() ** 3 * 30;
        return now;
      });
      try {
        await Promise.all([1, 2, 3].map(() => cache.getOrSet('tool', 1, () => new Promise<Rows>(() => {}))));
      } finally {
        spy.mockRestore();
      }
      expect(cache.stats(), `draw ${draw}`).toMatchObject({ staleHits: 3, refreshes: 1 });
      await cache.close();
    }
  });

  it('is decoded in slices in place of an error', async () => {
    const { cache, clock } = await holding(where, { ttl: 1000, staleIfError: 5000 });
    clock.advance(2000);
    const fail = () => Promise.reject(new Error('down'));
    const values = await Promise.all([1, 2].map(() => cache.getOrSet('tool', 1, fail)));
    for (const rows of values) expect(rows).toEqual(large());
    expect(values[0]).not.toBe(values[1]);
    expect(atOnce.bytes).toBe(0);
    expect(cache.stats()).toMatchObject({ staleIfErrors: 2, loadErrors: 1 });
  });

  it('that is deleted while it is decoded stands in for nothing', async () => {
    const { cache, clock } = await holding(where, { ttl: 1000, staleIfError: 5000 });
    clock.advance(2000);
    const fail = async () => {
      setImmediate(() => void cache.delete('tool', 1));
      throw new Error('down');
    };
    // One of them may have the copy that was decoded when it was found.
    const [, second] = await Promise.allSettled([1, 2].map(() => cache.getOrSet('tool', 1, fail)));
    expect(second).toMatchObject({ status: 'rejected', reason: { message: 'down' } });
  });

  it('is decoded in slices for who runs out of time', async () => {
    const { cache, clock } = await holding(where, { ttl: 1000, staleIfError: 5000, softTimeout: 100 });
    clock.advance(2000);
    const asked = cache.getOrSet('tool', 1, () => new Promise<Rows>(() => {}));
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(200);
    expect(await asked).toEqual(large());
    expect(atOnce.bytes).toBe(0);
    await cache.close();
  });
});

it('a large value that lies on disk is held by reference once it was decoded in slices', async () => {
  const { cache } = await holding('below', { values: 'reference' });
  const turns = await turnsDuring(async () => expect(await cache.get('tool', 1)).toEqual(large()));
  expect(turns).toBeGreaterThan(0);
  expect(atOnce.bytes).toBe(0);
  expect(await cache.get('tool', 1)).toBe(await cache.get('tool', 1));
});
