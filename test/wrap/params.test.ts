import { runInNewContext } from 'node:vm';
import { describe, expect, it, vi } from 'vitest';
import { CacheManager } from '../../src/manager/cache-manager.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { gate, settle } from '../helper/gate.js';
import { MapTier } from '../helper/map-tier.js';

const newCache = () => new CacheManager({ clock: new FakeClock() });
const anything = async (...args: unknown[]) => args.length;

describe('the params of a call', () => {
  it.each<[string, unknown[], unknown]>([
    ['a single plain object', [{ query: 'mvcc' }], { query: 'mvcc' }],
    ['a single object without a prototype', [Object.assign(Object.create(null), { a: 1 })], { a: 1 }],
    ['a list of one text', ['mvcc'], ['mvcc']],
    ['a list of one list', [['mvcc']], [['mvcc']]],
    ['a list of one Date', [new Date(0)], [new Date(0)]],
    ['a list of several', [{ query: 'mvcc' }, 10], [{ query: 'mvcc' }, 10]],
    ['an empty list', [], []],
    ['a list with undefined at its end', ['mvcc', undefined], ['mvcc', undefined]],
    ['a single undefined', [undefined], [undefined]],
  ])('are %s', (_, args, params) => {
    const cache = newCache();
    expect(cache.wrap(anything, { name: 'tool' }).key(...args)).toBe(cache.key('tool', params));
  });

  it('are an object of named arguments, without those not given', async () => {
    const cache = newCache();
    const wrapped = cache.wrap(anything, { name: 'search', params: ['query', 'limit', '__proto__'] });
    const key = (params: unknown) => cache.key('search', params);
    expect(wrapped.key('mvcc', 10)).toBe(key({ query: 'mvcc', limit: 10 }));
    expect(wrapped.key('mvcc')).toBe(key({ query: 'mvcc' }));
    expect(wrapped.key('mvcc', undefined)).toBe(key({ query: 'mvcc' }));
    expect(wrapped.key(undefined, 10, undefined, undefined)).toBe(key({ limit: 10 }));
    expect(wrapped.key({ text: 'mvcc' })).toBe(key({ query: { text: 'mvcc' } }));
    expect(wrapped.key('mvcc', null)).toBe(key({ query: 'mvcc', limit: null }));
    expect(wrapped.key('mvcc', 1, 2)).toBe(key(JSON.parse('{"query": "mvcc", "limit": 1, "__proto__": 2}')));
  });

  it('can not be told from more arguments than have names: such calls run uncached', async () => {
    const cache = newCache();
    const tool = vi.fn(anything);
    const wrapped = cache.wrap(tool, { name: 'search', params: ['query'] });
    expect(await wrapped('mvcc', 1)).toBe(2);
    expect(await wrapped('mvcc', 2)).toBe(2);
    expect(tool).toHaveBeenCalledTimes(2);
    expect(cache.stats('search')).toMatchObject({ uncached: 2, misses: 0, cacheErrors: 2, entries: 0 });
    expect(() => wrapped.key('mvcc', 1)).toThrow(/at most 1 argument.*name them all/);
  });

  it('are what the key function says', async () => {
    const cache = newCache();
    const session = { open: () => true };
    const tool = vi.fn(async (given: typeof session, query: string) => `${given.open()} ${query}`);
    const wrapped = cache.wrap(tool, { name: 'search', key: (_session, query) => ({ query }) });
    expect(await wrapped(session, 'mvcc')).toBe('true mvcc');
    expect(await wrapped({ open: () => false }, 'mvcc')).toBe('true mvcc');
    expect(wrapped.key(session, 'mvcc')).toBe(cache.key('search', { query: 'mvcc' }));
    expect(tool.mock.calls[0]?.[0]).toBe(session);
  });

  it('are unknown when the key function throws: the call runs uncached', async () => {
    const cache = newCache();
    const errors: unknown[] = [];
    cache.on('error', ({ error }) => errors.push(error.cause));
    const cause = new Error('no key');
    const key = () => {
      throw cause;
    };
    const wrapped = cache.wrap(anything, { name: 'search', key });
    expect(await wrapped(1)).toBe(1);
    expect(cache.stats('search')).toMatchObject({ uncached: 1, cacheErrors: 1 });
    expect(errors).toEqual([cause]);
    expect(() => wrapped.key(1)).toThrow(cause);
    await expect(wrapped.invalidate(1)).rejects.toBe(cause);
  });

  it('are unknown when the key function returns nothing of an argument: one warning, and no shared answer', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const cache = newCache();
    // A field that is called otherwise, and a `return` that is missing.
    const key = ({ id }: { id?: string; user_id?: string }) => id;
    const orders = async ({ user_id }: Parameters<typeof key>[0]) => user_id;
    const wrapped = cache.wrap(orders, { name: 'orders', key });
    expect([await wrapped({ user_id: 'a' }), await wrapped({ user_id: 'b' })]).toEqual(['a', 'b']);
    expect(cache.stats('orders')).toMatchObject({ uncached: 2, cacheErrors: 2, entries: 0 });
    expect(() => wrapped.key({ user_id: 'a' })).toThrow(/`key` function.*got `undefined`.*`return` missing/);
    expect(warn.mock.calls).toMatchObject([
      [expect.stringMatching(/got `undefined`.*return `null`.*run uncached$/), { code: 'TOOLSTASH_NO_KEY' }],
    ]);
    expect(await wrapped({ id: '1', user_id: 'c' })).toBe('c');
    expect(await wrapped({ id: '1', user_id: 'd' })).toBe('c');
    vi.restoreAllMocks();
  });

  it('are `undefined` where that is the input which the key function hands on', async () => {
    const cache = newCache();
    const tool = vi.fn(async (_input: unknown, _context: object) => 1);
    const wrapped = cache.wrap(tool, { name: 'now', key: (input) => input });
    await wrapped(undefined, { id: 1 });
    await wrapped(undefined, { id: 2 });
    expect(tool).toHaveBeenCalledTimes(1);
  });

  it('that have no key make the call run uncached, with its own arguments', async () => {
    const cache = newCache();
    const tool = vi.fn(anything);
    const wrapped = cache.wrap(tool, { name: 'search' });
    const callback = { onPage: () => 0 };
    await wrapped(callback);
    await wrapped(callback);
    expect(tool.mock.calls[1]?.[0]).toBe(callback);
    expect(cache.stats('search')).toMatchObject({ uncached: 2, misses: 0 });
  });

  it('leave out the ignored paths', async () => {
    const cache = newCache();
    const wrapped = cache.wrap(anything, { name: 'search', ignore: ['traceId'] });
    expect(wrapped.key({ query: 'mvcc', traceId: 1 })).toBe(cache.key('search', { query: 'mvcc' }));
  });

  it('may be read by getters, each time anew', async () => {
    const cache = newCache();
    let reads = 0;
    const tool = vi.fn(async (query: { page: number }) => query.page);
    const wrapped = cache.wrap(tool, { name: 'search' });
    const steady = {
      get page() {
        return 7;
      },
    };
    expect(await wrapped(steady)).toBe(7);
    expect(await wrapped({ page: 7 })).toBe(7);
    expect(tool).toHaveBeenCalledTimes(1);
    const unsteady = {
      get page() {
        return ++reads * 100;
      },
    };
    // The key is that of what the tool was given.
    const page = await wrapped(unsteady);
    expect(await wrapped({ page })).toBe(page);
    expect(cache.stats('search')).toMatchObject({ uncached: 0, entries: 2, loads: 2 });
  });
});

describe('arguments that are changed during a call', () => {
  const inMemory = () => newCache();
  const withDisk = () => new CacheManager({ clock: new FakeClock() }, [new MapTier()]);

  it.each([
    ['in memory', inMemory],
    ['with a slower tier', withDisk],
  ])('do no harm: the tool has a copy, and its answer stays with the old ones, %s', async (_, make) => {
    const cache = make();
    const wrapped = cache.wrap(
      async (query: { page: number; filters: string[]; bytes: Buffer; since: Date; ids: Set<object> }) => {
        await settle();
        return [query.page, query.filters[0], query.bytes[0], query.since.getTime(), [...query.ids][0]];
      },
      { name: 'search' },
    );
    const member = { id: 1 };
    const query = {
      page: 1,
      filters: ['new'],
      bytes: Buffer.from([1]),
      since: new Date(1),
      ids: new Set([member]),
    };
    const original = structuredClone(query);
    original.bytes = Buffer.from([1]);
    const first = wrapped(query);
    query.page = 2;
    query.filters[0] = 'old';
    query.bytes[0] = 2;
    query.since.setTime(2);
    member.id = 2;
    const second = wrapped(query);
    expect(await first).toEqual([1, 'new', 1, 1, { id: 1 }]);
    expect(await second).toEqual([2, 'old', 2, 2, { id: 2 }]);
    expect(await wrapped(original)).toEqual([1, 'new', 1, 1, { id: 1 }]);
    expect(cache.stats('search')).toMatchObject({ hits: 1, loads: 2, uncached: 0 });
  });

  it.each<[string, () => unknown, (value: never) => void, (value: never) => unknown]>([
    [
      'an ArrayBuffer',
      () => new Uint8Array([1]).buffer,
      (buffer: ArrayBuffer) => new Uint8Array(buffer).set([2]),
      (buffer: ArrayBuffer) => new Uint8Array(buffer)[0],
    ],
    [
      'a DataView of a part',
      () => new DataView(new Uint8Array([9, 1, 9]).buffer, 1, 1),
      (view: DataView) => view.setUint8(0, 2),
      (view: DataView) => view.getUint8(0),
    ],
    [
      'an error',
      () => Object.assign(new TypeError('1', { cause: { depth: 1 } }), { code: 'E1' }),
      (error: Error & { code: string }) => {
        error.message = '2';
        error.code = 'E2';
        (error.cause as { depth: number }).depth = 2;
      },
      (error: Error & { code: string }) =>
        `${error.name} ${error.message} ${error.code} ${JSON.stringify(error.cause)}`,
    ],
    [
      'a list from another realm',
      () => runInNewContext('[[1]]'),
      (list: number[][]) => void list[0]!.splice(0, 1, 2),
      (list: number[][]) => list[0]![0],
    ],
    [
      'a map from another realm',
      () => runInNewContext('new Map([[1, new Set([new Date(1)])]])'),
      (map: Map<number, Set<Date>>) => void [...map.get(1)!][0]!.setTime(2),
      (map: Map<number, Set<Date>>) => [...map.get(1)!][0]!.getTime(),
    ],
  ])('do no harm in %s', async (_, make, change, read) => {
    const cache = newCache();
    const wrapped = cache.wrap(
      async (value: unknown) => {
        await settle();
        return read(value as never);
      },
      { name: 'tool' },
    );
    const value = make();
    const call = wrapped(value);
    change(value as never);
    const expected = read(make() as never);
    expect(await call).toEqual(expected);
    expect(await wrapped(make())).toEqual(expected);
    expect(cache.stats('tool')).toMatchObject({ hits: 1, uncached: 0 });
  });

  it('tell calls apart by the place from which a regular expression searches on', async () => {
    const wrapped = newCache().wrap(async (pattern: RegExp) => pattern.exec('aab')?.index, { name: 'find' });
    const from = (lastIndex: number, flags: string) => Object.assign(new RegExp('a', flags), { lastIndex });
    expect(await wrapped(from(0, 'g'))).toBe(0);
    expect(await wrapped(from(1, 'g'))).toBe(1);
    expect(await wrapped(from(1, 'y'))).toBe(1);
    expect(wrapped.key(from(1, ''))).toBe(wrapped.key(/a/));
    expect(wrapped.key(from(0, 'g'))).toBe(wrapped.key(/a/g));
  });

  it('keep the place of a regular expression in the tool’s copy, and the caller’s where it was', async () => {
    const tool = async (pattern: RegExp) => pattern.exec('aab')?.index;
    const pattern = /a/g;
    pattern.lastIndex = 1;
    expect(await newCache().wrap(tool, { name: 'find' })(pattern)).toBe(1);
    expect(pattern.lastIndex).toBe(1);
  });

  it('by the tool itself do no harm either', async () => {
    const tool = vi.fn(async (query: { text: string; limit?: number }) => {
      query.limit ??= 10;
      return query.limit;
    });
    const wrapped = newCache().wrap(tool, { name: 'search' });
    const query = { text: 'mvcc' };
    await wrapped(query);
    await wrapped(query);
    expect(query).toEqual({ text: 'mvcc' });
    expect(tool).toHaveBeenCalledTimes(1);
  });

  it('are noticed before the tool starts where a key function picks from them', async () => {
    const cache = withDisk();
    const wrapped = cache.wrap(async (query: { page: number }) => query.page, {
      name: 'search',
      key: ({ page }) => page,
    });
    const query = { page: 1 };
    const call = wrapped(query);
    query.page = 2;
    await call;
    expect(cache.stats('search')).toMatchObject({ uncached: 1, entries: 0 });
    expect(await wrapped({ page: 1 })).toBe(1);
    expect(await wrapped({ page: 2 })).toBe(2);
  });

  it('are the tool’s as they are where the cache ignores parts of them', async () => {
    const cache = new CacheManager({ clock: new FakeClock(), ignore: ['usage'] });
    const wrapped = cache.wrap(
      async (query: { text: string; usage: { tokens: number } }) => {
        query.usage.tokens += 5;
        return query.text;
      },
      { name: 'search' },
    );
    const usage = { tokens: 0 };
    await wrapped({ text: 'mvcc', usage });
    await wrapped({ text: 'mvcc', usage });
    expect(usage.tokens).toBe(5);
  });

  it('keep their hidden fields, symbols, prototypes and shapes in the tool’s copy', async () => {
    const hidden = Symbol('hidden');
    const nothing = Object.create(null);
    nothing.a = 1;
    const query = Object.defineProperties(
      { list: [1, [2]], nothing, map: new Map([[{ k: 1 }, { v: 1 }]]), ['__proto__']: 3 } as Record<
        PropertyKey,
        unknown
      >,
      { secret: { value: 2 }, [hidden]: { value: 1 } },
    );
    const tool = vi.fn(async (_query: unknown) => 1);
    await newCache().wrap(tool, { name: 'search' })(query);
    const copy = tool.mock.calls[0]?.[0] as typeof query;
    expect(copy).not.toBe(query);
    expect(copy).toStrictEqual(query);
    expect(copy['secret']).toBe(2);
    expect(copy[hidden]).toBe(1);
    expect(Object.getPrototypeOf(copy['nothing'])).toBeNull();
    expect(Object.getOwnPropertyDescriptor(copy, '__proto__')?.value).toBe(3);
    expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
  });

  it('never stop a call: nested too deeply to copy, they are the tool’s as they are', async () => {
    const cache = newCache();
    let deep: unknown[] = [];
    for (let level = 0; level < 20_000; level++) deep = [deep];
    expect(await cache.wrap(anything, { name: 'tool' })(deep, 1)).toBe(2);
    expect(cache.stats('tool').uncached).toBe(1);
  });

  it('are the caller’s business in a load that is shared by many callers', async () => {
    const answers = gate<number>();
    const tool = vi.fn((_query: { page: number }) => answers.promise);
    const wrapped = newCache().wrap(tool, { name: 'search' });
    const query = { page: 1 };
    const callers = [wrapped(query), wrapped({ page: 1 })];
    query.page = 2;
    answers.open(1);
    expect(await Promise.all(callers)).toEqual([1, 1]);
    expect(tool.mock.calls).toEqual([[{ page: 1 }]]);
  });
});
