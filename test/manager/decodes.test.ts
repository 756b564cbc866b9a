/** How often a value is decoded: a large one stalls the event loop each time. */

import { describe, expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { MapTier } from '../helper/map-tier.js';

class Counted {
  constructor(readonly list: number[]) {}
}

/** A cache of one entry in memory and all in a slower tier, whose value of `1` is below, and the decodes so far. */
async function makeCache(options = {}) {
  let decodes = 0;
  const clock = new FakeClock();
  const disk = new MapTier();
  const codec = {
    test: (value: unknown): value is Counted => value instanceof Counted,
    tag: 'counted',
    encode: (value: unknown) => (value as Counted).list,
    decode: (list: unknown) => {
      decodes++;
      return new Counted(list as number[]);
    },
  };
  const cache = new CacheManager({ clock, maxSize: 1, codecs: [codec], ...options }, [disk]);
  await cache.set('tool', 1, new Counted([1]));
  await cache.set('tool', 2, 'other');
  return { cache, clock, disk, decodes: () => decodes };
}

const load = () => new Counted([9]);

describe('a value from a slower tier is decoded once', () => {
  it.each([
    ['get', (cache: CacheManager) => cache.get('tool', 1)],
    ['getOrSet', (cache: CacheManager) => cache.getOrSet('tool', 1, load)],
    [
      'lookup',
      async (cache: CacheManager) => {
        const found = await cache.lookup('tool', 1);
        return found.outcome === 'hit' ? found.value : found;
      },
    ],
  ])('for a caller of %s, and once for each hit in memory after that', async (_name, ask) => {
    const { cache, decodes } = await makeCache();
    expect(await ask(cache)).toEqual(new Counted([1]));
    expect(decodes()).toBe(1);
    expect(await ask(cache)).toEqual(new Counted([1]));
    expect(decodes()).toBe(2);
  });

  it('for a caller who takes it stale', async () => {
    const { cache, clock, decodes } = await makeCache({ ttl: 1000, staleWhileRevalidate: 10_000 });
    clock.advance(2000);
    expect(await cache.getOrSet('tool', 1, load)).toEqual(new Counted([1]));
    expect(decodes()).toBe(1);
  });

  it('and once more for each who shares the read, with a copy of its own', async () => {
    const { cache, decodes } = await makeCache();
    const answers = await Promise.all([1, 2, 3].map(() => cache.get<Counted>('tool', 1)));
    expect(decodes()).toBe(3);
    answers[0]!.list.push(2);
    expect(answers.slice(1)).toEqual([new Counted([1]), new Counted([1])]);
    expect(await cache.get('tool', 1)).toEqual(new Counted([1]));
  });

  it('where all are listed', async () => {
    const { cache, decodes } = await makeCache();
    const values: unknown[] = [];
    for await (const { value } of cache) values.push(value);
    expect(values).toEqual(['other', new Counted([1])]);
    expect(decodes()).toBe(1);
  });
});

describe('a value from a slower tier that can not be read', () => {
  it('is told once and never kept in memory', async () => {
    const { cache, disk } = await makeCache();
    for (const [key, record] of disk.records)
      disk.records.set(key, { ...record, encoded: record.encoded.subarray(0, -1) });
    expect(await cache.getOrSet('tool', 1, load)).toEqual(new Counted([9]));
    expect(cache.stats()).toMatchObject({ cacheErrors: 1, loads: 1 });
  });
});
