import { describe, expect, it, vi } from 'vitest';
import { arena, attach } from '../../src/arena/index.js';
import { CacheManager, type CacheOptions } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { gate, settle } from '../helper/gate.js';

const maxBytes = 2 ** 22;

/** Two caches that share an arena, as two threads have them, under one clock. */
function twoCaches(options: CacheOptions = {}) {
  const clock = new FakeClock();
  const memory = arena({ maxBytes });
  const one = new CacheManager({ clock, ...options, memory });
  const two = new CacheManager({ clock, ...options, memory: attach(memory.share()) });
  return { clock, memory, one, two };
}

/** Lets a load come so far that its tool is called. */
async function called(times: () => number, wanted: number): Promise<void> {
  for (let turns = 0; times() < wanted && turns < 100; turns += 1) await settle();
  expect(times()).toBe(wanted);
}

describe('values in an arena', () => {
  const cycle: Record<string, unknown> = { name: 'cycle' };
  cycle['self'] = cycle;
  const values: readonly (readonly [string, unknown])[] = [
    ...[['null', null] as const, ['undefined', undefined] as const, ['NaN', Number.NaN] as const],
    ...[
      ['a text', 'héllo '.repeat(50)] as const,
      ['an empty text', ''] as const,
      ['a text of all scripts', '漢字 und “quotes” 🦦'.repeat(20)] as const,
      ['half a letter', 'x\ud83e'] as const,
      ['a large text', 'x'.repeat(300_000)] as const,
    ],
    ...[['a BigInt', 10n ** 30n] as const, ['a Date', new Date(5)] as const, ['a cycle', cycle] as const],
    [
      'a Map',
      new Map<unknown, unknown>([
        [1, 'a'],
        ['1', new Set([2])],
      ]),
    ],
    ['a Buffer', Buffer.from([1, 2, 3])],
    ['records', Array.from({ length: 500 }, (_, id) => ({ id, title: `title ${id}`, score: id / 7 }))],
    ['a large list', Array.from({ length: 40_000 }, (_, id) => id)],
  ];

  it.each(values)('are what was stored: %s', async (_, value) => {
    const { one, two } = twoCaches();
    await one.set('tool', 1, value);
    expect(await two.lookup('tool', 1)).toMatchObject({ outcome: 'hit', tier: 'memory' });
    expect(await two.get('tool', 1)).toEqual(value);
    expect(one.getSync('tool', 1)).toEqual(value);
    expect(await two.getOrSet('tool', 1, () => expect.fail('It was stored'))).toEqual(value);
  });

  it('are private copies', async () => {
    const { one, two } = twoCaches();
    const value = { list: [1] };
    await one.set('tool', 1, value);
    value.list.push(2);
    const found = await two.get<typeof value>('tool', 1);
    found!.list.push(3);
    expect(await one.get('tool', 1)).toEqual({ list: [1] });
  });

  it('are refused where they are too large, and the older ones are gone', async () => {
    const { one, memory } = twoCaches({ maxEntryBytes: 10_000 });
    for (const size of [20_000, maxBytes]) {
      await one.set('tool', 1, 'small');
      expect(await one.set('tool', 1, 'x'.repeat(size))).toBe(false);
      expect(await one.get('tool', 1)).toBeUndefined();
    }
    expect(one.stats()).toMatchObject({ refused: 2, entries: 0 });
    expect(memory.stats()).toMatchObject({ refused: 2, entries: 0, sets: 2 });
  });

  it('are refused above a part of the arena, too', async () => {
    const { one } = twoCaches();
    expect(await one.set('tool', 1, 'x'.repeat(maxBytes))).toBe(false);
    expect(await one.set('tool', 1, 'x'.repeat(maxBytes / 4))).toBe(true);
  });

  it('stay within the bounds, in all threads together', async () => {
    const memory = arena({ maxBytes, maxSize: 100 });
    const caches = [new CacheManager({ memory }), new CacheManager({ memory: attach(memory.share()) })];
    for (let number = 0; number < 300; number += 1) {
      await caches[number % 2]!.set('tool', number, { number });
      expect(caches[0]!.stats().entries).toBeLessThanOrEqual(100);
    }
    expect(memory.stats()).toMatchObject({ entries: 100, evicted: 200, threads: 2 });
    expect(caches[1]!.stats()).toMatchObject({ entries: 100, evicted: 200 });
  });

  it('are counted in all threads together', async () => {
    const { one, two, memory } = twoCaches();
    for (const [cache, number] of [
      [one, 1],
      [two, 2],
    ] as const) {
      await cache.set('tool', number, 'value');
      for (const asked of [1, 2, 3]) await cache.get('tool', asked);
    }
    await two.delete('tool', 1);
    expect(memory.stats()).toMatchObject({ sets: 2, hits: 3, misses: 3, deleted: 1, entries: 1, threads: 2 });
    await two.close();
    expect(memory.stats()).toMatchObject({ sets: 2, hits: 3, misses: 3, deleted: 1, threads: 1 });
  });

  it('are told of in the report as what they are', async () => {
    vi.spyOn(console, 'log').mockImplementation(() => {});
    const { one } = twoCaches();
    await one.set('tool', 1, 'a');
    expect(one.report()).toContain('CLOCK · in an arena that threads share');
    expect(one.report()).not.toContain('LRU');
    vi.restoreAllMocks();
  });

  it('are listed, each once, with what is known of them', async () => {
    const { one, two } = twoCaches({ keepParams: true });
    for (let number = 0; number < 200; number += 1)
      await one.set(number % 2 ? 'odd' : 'even', number, { number });
    const listed: number[] = [];
    for await (const { value, method, key } of two.entries('odd')) {
      expect(method).toBe('odd');
      const { number } = value as { number: number };
      expect(key).toBe(two.key('odd', number));
      listed.push(number);
    }
    expect(listed.sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, at) => 2 * at + 1));
    expect(await two.deleteWhere('odd', { params: (params) => (params as number) < 50 })).toEqual({
      deleted: 25,
      unknown: 0,
    });
    expect(await one.get('odd', 49)).toBeUndefined();
    expect(await one.get('odd', 51)).toEqual({ number: 51 });
  });
});

describe('threads that share an arena', () => {
  it('see at once what another has set, deleted, cleared or invalidated', async () => {
    const { one, two } = twoCaches();
    const fill = async () => {
      await one.set('page', 1, 'one', { tags: ['site:a', 'all'] });
      await one.set('page', 2, 'two', { tags: ['site:b', 'all'] });
      await one.set('other', 1, 'other');
    };
    const left = async (cache: CacheManager) => [
      await cache.get('page', 1),
      await cache.get('page', 2),
      await cache.get('other', 1),
    ];
    await fill();
    expect(await left(two)).toEqual(['one', 'two', 'other']);
    expect(await two.delete('page', 1)).toBe(true);
    expect(await left(one)).toEqual([undefined, 'two', 'other']);
    await fill();
    await two.clear('page');
    expect(await left(one)).toEqual([undefined, undefined, 'other']);
    await fill();
    await two.invalidateTags(['site:a']);
    for (const cache of [one, two]) expect(await left(cache)).toEqual([undefined, 'two', 'other']);
    await two.clear();
    for (const cache of [one, two]) expect(await left(cache)).toEqual([undefined, undefined, undefined]);
    await fill();
    for (const cache of [one, two]) expect(await left(cache)).toEqual(['one', 'two', 'other']);
  });

  it('keep to what was invalidated and cleared before they came', async () => {
    const { one, memory } = twoCaches();
    await one.set('page', 1, 'old', { tags: ['a'] });
    await one.set('other', 1, 'old');
    await one.set('page', 2, 'kept', { tags: ['b'] });
    await one.invalidateTags(['a']);
    await one.clear('other');
    const late = new CacheManager({ memory: attach(memory.share()) });
    expect(await late.get('page', 1)).toBeUndefined();
    expect(await late.get('other', 1)).toBeUndefined();
    expect(await late.get('page', 2)).toBe('kept');
  });

  it('take values for fresh, stale and expired alike', async () => {
    const { one, two, clock } = twoCaches({ ttl: 1000, staleWhileRevalidate: 500, staleIfError: 2000 });
    let calls = 0;
    const load = () => `value ${++calls}`;
    expect(await one.getOrSet('tool', 1, load)).toBe('value 1');
    clock.advance(1200);
    expect(await two.lookup('tool', 1)).toMatchObject({ outcome: 'stale', value: 'value 1', ageMs: 1200 });
    expect(await two.getOrSet('tool', 1, load)).toBe('value 1');
    await called(() => calls, 2);
    await settle();
    expect(await one.get('tool', 1)).toBe('value 2');
    clock.advance(2000);
    const failing = () => Promise.reject(new Error('down'));
    expect(await one.getOrSet('tool', 1, failing)).toBe('value 2');
    clock.advance(2000);
    await expect(two.getOrSet('tool', 1, failing)).rejects.toThrow('down');
  });

  it('renew a stale value once, however many threads want it', async () => {
    const { one, two, clock } = twoCaches({ ttl: 1000, staleWhileRevalidate: 500 });
    await one.set('tool', 1, 'old');
    clock.advance(1200);
    const [renewal, calls] = [gate(), { count: 0 }];
    const load = async () => {
      calls.count += 1;
      await renewal.promise;
      return 'new';
    };
    for (const cache of [one, two]) expect(await cache.getOrSet('tool', 1, load)).toBe('old');
    await called(() => calls.count, 1);
    renewal.open();
    await expect.poll(() => two.getSync('tool', 1)).toBe('new');
    await settle();
    expect(calls.count).toBe(1);
  });

  it('keep "nothing found" for its own time', async () => {
    const { one, two, clock } = twoCaches({ ttl: 10_000, negativeTtl: 1000 });
    await one.getOrSet('tool', 1, () => null);
    clock.advance(999);
    expect(await two.lookup('tool', 1)).toMatchObject({
      outcome: 'hit',
      value: null,
      metadata: { isNegative: true },
    });
    expect(two.stats().negativeHits).toBe(1);
    clock.advance(1);
    expect(await two.lookup('tool', 1)).toMatchObject({ outcome: 'miss' });
  });

  it('let what slides live on by reads of any of them', async () => {
    const { one, two, clock } = twoCaches({ ttl: 1000, sliding: true, maxAge: 5000 });
    await one.set('tool', 1, 'value');
    for (const cache of [two, one, two]) {
      clock.advance(900);
      expect(await cache.get('tool', 1)).toBe('value');
    }
    expect(two.peek('tool', 1)).toBe('value');
    clock.advance(1000);
    expect(await one.get('tool', 1)).toBeUndefined();
    await one.set('tool', 1, 'value');
    for (let reads = 0; reads < 5; reads += 1) {
      clock.advance(999);
      expect(await two.get('tool', 1)).toBe('value');
    }
    clock.advance(5);
    expect(await two.get('tool', 1)).toBeUndefined();
  });

  it('expire a value for all', async () => {
    const { one, two } = twoCaches({ staleWhileRevalidate: 1000 });
    await one.set('tool', 1, 'value');
    expect(await two.expire('tool', 1)).toBe(true);
    expect(await one.lookup('tool', 1)).toMatchObject({ outcome: 'stale' });
    expect(await two.expire('tool', 2)).toBe(false);
  });

  it('serve functions that return at once', async () => {
    const { one, two } = twoCaches();
    let calls = 0;
    const add = (a: number, b: number) => {
      calls += 1;
      return a + b;
    };
    expect(one.wrapSync(add)(1, 2)).toBe(3);
    expect(two.wrapSync(add)(1, 2)).toBe(3);
    expect(calls).toBe(1);
  });
});

describe('loads of threads that share an arena', () => {
  function loader(value: unknown = 'loaded') {
    const done = gate();
    const state = { calls: 0 };
    const load = async () => {
      state.calls += 1;
      await done.promise;
      if (value instanceof Error) throw value;
      return value;
    };
    return { load, done, state };
  }

  it('are one for all who want a key', async () => {
    const { one, two, memory } = twoCaches();
    const { load, done, state } = loader({ id: 1 });
    const first = one.getOrSet('tool', 1, load);
    await called(() => state.calls, 1);
    const second = two.getOrSet('tool', 1, load);
    const third = two.getOrSet('tool', 1, load);
    await settle();
    done.open();
    expect(await Promise.all([first, second, third])).toEqual([{ id: 1 }, { id: 1 }, { id: 1 }]);
    expect(state.calls).toBe(1);
    expect(memory.stats().coalesced).toBe(1);
    expect(two.stats()).toMatchObject({ hits: 1, misses: 0, coalesced: 1 });
  });

  it('are begun by the next where one fails', async () => {
    const { one, two } = twoCaches();
    const failing = loader(new Error('down'));
    const first = one.getOrSet('tool', 1, failing.load);
    await called(() => failing.state.calls, 1);
    const second = two.getOrSet('tool', 1, () => 'own');
    await settle();
    failing.done.open();
    await expect(first).rejects.toThrow('down');
    expect(await second).toBe('own');
  });

  it('are begun by the next where one is aborted, or its cache closed', async () => {
    for (const end of ['abort', 'close'] as const) {
      const { one, two } = twoCaches();
      const { load, state } = loader();
      const controller = new AbortController();
      const first = one.getOrSet('tool', 1, load, { signal: controller.signal });
      first.catch(() => undefined);
      await called(() => state.calls, 1);
      const second = two.getOrSet('tool', 1, () => 'own');
      await settle();
      if (end === 'abort') controller.abort();
      else await one.close();
      expect(await second).toBe('own');
    }
  });

  const changes: readonly (readonly [string, (cache: CacheManager) => unknown, unknown])[] = [
    ['a set', (cache) => cache.set('tool', 1, 'newer'), 'newer'],
    ['a delete', (cache) => cache.delete('tool', 1), undefined],
    ['a clear of the method', (cache) => cache.clear('tool'), undefined],
    ['a clear', (cache) => cache.clear(), undefined],
    ['the invalidation of its tag', (cache) => cache.invalidateTags(['t']), undefined],
  ];

  it.each(changes)('do not undo what another thread has done meanwhile: %s', async (_, change, left) => {
    const { one, two } = twoCaches({ tags: ['t'] });
    const { load, done, state } = loader('outdated');
    const first = one.getOrSet('tool', 1, load);
    await called(() => state.calls, 1);
    await change(two);
    // Who comes afterwards never joins the old load.
    const later = one.getOrSet('tool', 1, () => 'later');
    expect(await later).toBe(left ?? 'later');
    done.open();
    expect(await first).toBe('outdated');
    for (const cache of [one, two]) expect(await cache.get('tool', 1)).toBe(left ?? 'later');
  });

  it.each(changes)('do not bring back what another thread has taken away: %s', async (_, change, left) => {
    const { one, two } = twoCaches({ tags: ['t'] });
    const { load, done, state } = loader('outdated');
    const first = one.getOrSet('tool', 1, load);
    await called(() => state.calls, 1);
    await change(two);
    done.open();
    await first;
    for (const cache of [one, two]) expect(await cache.get('tool', 1)).toBe(left);
  });

  it('do not wait for each other in a circle', async () => {
    const { one, two } = twoCaches();
    const ready = gate();
    const outer = (own: CacheManager, mine: number, other: number) =>
      own.getOrSet('tool', mine, async () => {
        await ready.promise;
        return own.getOrSet('tool', other, () => `inner ${other}`);
      });
    const both = [outer(one, 1, 2), outer(two, 2, 1)];
    await settle();
    ready.open();
    await expect
      .poll(() => Promise.race([Promise.all(both), settle()]).then((done) => done !== undefined))
      .toBe(true);
  });

  it('are refreshed by who asks for it, whoever loads', async () => {
    const { one, two } = twoCaches();
    const { load, done, state } = loader('first');
    const first = one.getOrSet('tool', 1, load);
    await called(() => state.calls, 1);
    expect(await two.refresh('tool', 1, () => 'refreshed')).toBe('refreshed');
    done.open();
    await first;
    expect(await one.get('tool', 1)).toBe('refreshed');
  });

  it('remember errors, until another thread deletes the key', async () => {
    const { one, two } = twoCaches({ cacheErrors: () => 10_000 });
    let calls = 0;
    const fail = () => {
      calls += 1;
      throw new Error('down');
    };
    for (let times = 0; times < 2; times += 1)
      await expect(one.getOrSet('tool', 1, fail)).rejects.toThrow('down');
    expect(calls).toBe(1);
    await two.delete('tool', 1);
    expect(await one.getOrSet('tool', 1, () => 'up')).toBe('up');
  });
});

describe('the options of an arena', () => {
  it('are refused where they can not work, with the fix', () => {
    const memory = arena({ maxBytes });
    expect(() => arena({ maxBytes: 1000 })).toThrow('Expected `maxBytes` to be at least 65536, got `1000`');
    expect(() => arena({ maxBytes, maxSize: 0 })).toThrow('`maxSize`');
    expect(() => arena({ maxBytes, size: 1 } as never)).toThrow('`size`');
    expect(() => attach({} as never)).toThrow('the handle that `share()` made');
    const wrong: CacheOptions[] = [
      ...[
        { eviction: 'lfu' as const },
        { maxSize: 5 },
        { maxBytes: 5_000 },
        { values: 'reference' as const },
      ],
      ...[{ persist: true }, { remote: { connect: () => expect.fail() } }],
    ];
    for (const options of wrong) {
      const [name] = Object.keys(options);
      expect(() => new CacheManager({ ...options, memory })).toThrow(
        `Expected no \`${name}\` beside \`memory: arena(…)\``,
      );
    }
    const cache = new CacheManager({ memory, persist: false, tiers: [], values: 'copy' });
    expect(() => new CacheManager({ memory })).toThrow('attach(arena.share())');
    cache.setSync('tool', 1, 'value');
    expect(cache.getSync('tool', 1)).toBe('value');
  });

  it('leave what a closed cache has to the others', async () => {
    const { one, two, memory } = twoCaches();
    await one.set('tool', 1, 'value');
    await one.close();
    expect(one.stats().entries).toBe(0);
    expect(await two.get('tool', 1)).toBe('value');
    await two.close();
    expect(memory.stats().threads).toBe(0);
  });
});
