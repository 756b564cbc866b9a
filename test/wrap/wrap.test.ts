import { describe, expect, it, vi } from 'vitest';
import { CacheManager } from '../../src/manager/cache-manager.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { gate, settle } from '../helper/gate.js';
import { MapTier } from '../helper/map-tier.js';

const newCache = () => new CacheManager({ clock: new FakeClock() });

describe('a wrapped function', () => {
  it('calls the tool once for one set of arguments', async () => {
    const search = vi.fn(async (query: string, limit: number) => ({ query, limit }));
    const wrapped = newCache().wrap(search, { name: 'search' });
    expect(await wrapped('mvcc', 10)).toEqual({ query: 'mvcc', limit: 10 });
    expect(await wrapped('mvcc', 10)).toEqual({ query: 'mvcc', limit: 10 });
    expect(await wrapped('mvcc', 20)).toEqual({ query: 'mvcc', limit: 20 });
    expect(search.mock.calls).toEqual([
      ['mvcc', 10],
      ['mvcc', 20],
    ]);
  });

  it('shares one load among concurrent callers, who get values of their own', async () => {
    const answers = gate<{ rows: number[] }>();
    const search = vi.fn((_query: string) => answers.promise);
    const wrapped = newCache().wrap(search, { name: 'search' });
    const callers = Array.from({ length: 64 }, () => wrapped('mvcc'));
    answers.open({ rows: [1] });
    const [first, second] = await Promise.all(callers);
    first?.rows.push(2);
    expect(second).toEqual({ rows: [1] });
    expect(search).toHaveBeenCalledTimes(1);
  });

  it('makes a promise of what a synchronous function returns or throws', async () => {
    const cache = newCache();
    expect(await cache.wrap((x: number) => x + 1, { name: 'next' })(1)).toBe(2);
    const failing = cache.wrap(
      (): number => {
        throw new Error('tool failed');
      },
      { name: 'failing' },
    );
    await expect(failing()).rejects.toThrow('tool failed');
  });

  it('keeps the name and the length of the function, and gives the function back', () => {
    async function search(query: string, limit: number) {
      return `${query}${limit}`;
    }
    const wrapped = newCache().wrap(search, { name: 'web.search' });
    expect(wrapped.name).toBe('search');
    expect(wrapped.length).toBe(2);
    expect(wrapped.original).toBe(search);
  });

  it('carries what the function carries, such as a description', () => {
    const schema = { query: 'string' };
    const search = Object.assign(async (query: string) => query, { description: 'Searches.', schema });
    Object.defineProperty(search, 'key', { value: 'not ours' });
    const wrapped = newCache().wrap(search, { name: 'search' });
    expect(wrapped.description).toBe('Searches.');
    expect(wrapped.schema).toBe(schema);
    expect(wrapped.key('mvcc')).toHaveLength(32);
    expect(Object.keys(wrapped)).toEqual(['description', 'schema']);
    const parse = Object.assign((text: string) => text.length, { description: 'Parses.' });
    expect(newCache().wrapSync(parse, { name: 'parse' }).description).toBe('Parses.');
    expect(newCache().wrap(parse, { name: 'parse' }).description).toBe('Parses.');
  });

  it('passes its receiver on', async () => {
    const tools = {
      prefix: '>',
      search: newCache().wrap(async function search(this: { prefix: string }, query: string) {
        return `${this.prefix}${query}`;
      }),
    };
    expect(await tools.search('mvcc')).toBe('>mvcc');
  });

  it('lays its own options over those of its method and of the cache', async () => {
    const clock = new FakeClock();
    const cache = new CacheManager({ clock, ttl: 1000, methods: { search: { version: 1 } } });
    const search = vi.fn(async (query: string) => query);
    const brief = cache.wrap(search, { name: 'search', ttl: 10 });
    const lasting = cache.wrap(search, { name: 'search' });
    expect(brief.key('mvcc')).toBe(cache.key('search', ['mvcc']));
    expect(cache.wrap(search, { name: 'search', version: 2 }).key('mvcc')).not.toBe(brief.key('mvcc'));
    await brief('a');
    await lasting('b');
    clock.advance(10);
    await brief('a');
    await lasting('b');
    expect(search.mock.calls.flat()).toEqual(['a', 'b', 'a']);
  });

  it('counts as its method', async () => {
    const cache = newCache();
    const wrapped = cache.wrap(async (query: string) => query, { name: 'search', ttl: '5m' });
    await wrapped('mvcc');
    await wrapped('mvcc');
    expect(cache.stats('search')).toMatchObject({ hits: 1, misses: 1, loads: 1, entries: 1 });
    expect(cache.methods()).toEqual(['search']);
    expect(await cache.get('search', ['mvcc'])).toBe('mvcc');
  });

  it('runs the tool after the cache was closed', async () => {
    const cache = newCache();
    const wrapped = cache.wrap(async (query: string) => query, { name: 'search' });
    await cache.close();
    expect(await wrapped('mvcc')).toBe('mvcc');
    expect(await wrapped.refresh('mvcc')).toBe('mvcc');
    await expect(wrapped.invalidate('mvcc')).rejects.toMatchObject({ code: 'ERR_CACHE_CLOSED' });
  });
});

describe('the members of a wrapped function', () => {
  it('tell the key of a call', () => {
    const cache = newCache();
    const wrapped = cache.wrap(async (query: { text: string }) => query, { name: 'search' });
    expect(wrapped.key({ text: 'mvcc' })).toBe(cache.key('search', { text: 'mvcc' }));
    expect(() => wrapped.key({ text: (() => 0) as unknown as string })).toThrow(/params\.text/);
  });

  it('delete one result, and keep a load under way from being stored', async () => {
    const cache = newCache();
    const answers = gate<string>();
    const wrapped = cache.wrap(() => answers.promise, { name: 'search' });
    const loading = wrapped();
    expect(await wrapped.invalidate()).toBe(false);
    answers.open('old');
    expect(await loading).toBe('old');
    expect(await cache.has('search', [])).toBe(false);
    await wrapped();
    expect(await wrapped.invalidate()).toBe(true);
    expect(await wrapped.invalidate()).toBe(false);
  });

  it('load anew and store', async () => {
    let version = 0;
    const wrapped = newCache().wrap(async (_query: string) => ++version, { name: 'search' });
    expect(await wrapped('mvcc')).toBe(1);
    expect(await wrapped.refresh('mvcc')).toBe(2);
    expect(await wrapped('mvcc')).toBe(2);
  });

  it('call the tool on the object that it was first called on, unless told another', async () => {
    const cache = newCache();
    const tools = {
      prefix: '>',
      search: cache.wrap(async function search(this: { prefix: string }, query: string) {
        return `${this.prefix}${query}`;
      }),
    };
    await tools.search('mvcc');
    tools.prefix = '>>';
    expect(await tools.search.refresh('mvcc')).toBe('>>mvcc');
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    expect(await tools.search.refresh.call({ prefix: '?' }, 'mvcc')).toBe('?mvcc');
    warn.mockRestore();
    expect(await tools.search('mvcc')).toBe('>>mvcc');
  });
});

describe('the name of a wrapped function', () => {
  const cacheOnDisk = () => new CacheManager({ clock: new FakeClock() }, [new MapTier()]);

  it('is its own', async () => {
    const cache = newCache();
    async function search() {
      return 1;
    }
    const fetchPage = async () => 2;
    await cache.wrap(search)();
    await cache.wrap(fetchPage)();
    expect(cache.methods()).toEqual(['search', 'fetchPage']);
  });

  it.each([
    ['an anonymous one', () => [async () => 1][0]],
    ['one that was made from text', () => new Function()],
    ['a default export', () => ({ default: async () => 1 }).default],
    ['a bound one', () => async function search() {}.bind(null)],
    [
      'one with a symbol for a name',
      () => ({ [Symbol('search')]: async () => 1 })[Symbol.for('') as never] ?? named('[search]'),
    ],
    ['a private method', () => named('#search')],
    ['one whose name is no text', () => Object.defineProperty(async () => 1, 'name', { value: 7 })],
  ])('has to be given to %s', async (_, make) => {
    const cache = newCache();
    const fn = make() as () => Promise<number>;
    expect(() => cache.wrap(fn)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION' }));
    expect(() => cache.wrap(fn)).toThrow(/\{ name: '…' \}/);
    expect(() => cache.wrap(fn, { name: 'search' })).not.toThrow();
  });

  it('belongs to one function, unless it is given to several', async () => {
    const cache = newCache();
    const first = named('search');
    cache.wrap(first);
    cache.wrap(first, { ttl: '5m' });
    expect(() => cache.wrap(named('search'))).toThrow(/`search` already.*name: '…'/s);
    expect(() => cache.wrap(named('search'), { name: 'search' })).not.toThrow();
    cache.wrap(named('lookup'), { name: 'fetchPage' });
    expect(() => cache.wrap(named('fetchPage'))).toThrow(/already/);
  });

  it('given to a second function is one warning, unless it is told who shares', () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const cache = newCache();
    const get = (options: object = {}) => cache.wrap(async () => 1, { name: 'get', ...options });
    get();
    get({ scope: 'acme' });
    get({ shared: true });
    get({ key: () => ['acme'] });
    get({ version: 2 });
    const once = named('once');
    for (const _ of [1, 2]) cache.wrap(once, { name: 'once' });
    expect(warn).not.toHaveBeenCalled();
    get();
    get();
    cache.wrap(named('fetchPage'), { name: 'once' });
    expect(warn.mock.calls.map(([text]) => String(text))).toEqual([
      expect.stringMatching(/`get`.*each gets the other's results.*`scope`.*`shared: true`/),
      expect.stringMatching(/`once`/),
    ]);
    vi.restoreAllMocks();
  });

  it('is to come with a scope for a function that is bound to an object', () => {
    const wrap = (fn: () => Promise<number>) => () => newCache().wrap(fn);
    expect(wrap(named('search').bind({}))).toThrow(/a name of its own.*`scope`.*bound to$/);
    expect(wrap(named('anonymous'))).toThrow(/a name of its own: `\{ name: '…' \}`$/);
  });

  it('is not taken by a function that was refused', () => {
    const cache = newCache();
    expect(() => cache.wrap(named('search'), { ttl: -1 })).toThrow(/ttl/);
    expect(() => cache.wrap(named('search'))).not.toThrow();
  });

  it('must be longer than a minifier makes them where entries outlive the process', () => {
    expect(() => cacheOnDisk().wrap(named('ab'))).toThrow(/minifiers.*name: '…'/s);
    expect(() => cacheOnDisk().wrap(named('abc'))).not.toThrow();
    expect(() => cacheOnDisk().wrap(named('ab'), { name: 'ab' })).not.toThrow();
    expect(() => newCache().wrap(named('ab'))).not.toThrow();
  });

  function named(name: string): () => Promise<number> {
    return Object.defineProperty(async () => 1, 'name', { value: name });
  }
});

describe('the options of a wrapped function', () => {
  it.each([
    [{ tttl: 1 }, /Unknown option `tttl` of a wrapped function: did you mean `ttl`\?$/s],
    [{ name: '' }, /`name`.*non-empty string/],
    [{ name: 'a\ud800' }, /surrogate/],
    [{ params: ['a', 'a'] }, /`params`.*different names/],
    [{ params: 'a' }, /`params`/],
    [{ key: 'a' }, /`key`.*function/],
    [{ scope: 1 }, /`scope`/],
    [{ shared: 'yes' }, /`shared`/],
    [{ ttl: '1 parsec' }, /`ttl`/],
    [{ params: ['a'], key: () => 1 }, /`params` or `key`/],
    [{ shared: true, scope: () => 'a' }, /`shared: true` or a `scope` function/],
    [null, /options/],
  ])('are checked: %j', (options, message) => {
    const wrap = () => newCache().wrap(async function search() {}, options as object);
    expect(wrap).toThrow(message);
  });

  it('are refused with what is no function', () => {
    expect(() => newCache().wrap('search' as never)).toThrow(
      /Expected a function to wrap, as in `wrap\(fn, \{ name, ttl \}\)`, got `'search'`/,
    );
  });
});

describe('an abort signal', () => {
  it.each([
    ['the last argument', (signal: AbortSignal) => ['mvcc', signal], ['mvcc']],
    [
      'an own field of a single object',
      (signal: AbortSignal) => [{ query: 'mvcc', signal }],
      { query: 'mvcc' },
    ],
    [
      'the argument after a single object',
      (signal: AbortSignal) => [{ query: 'mvcc' }, signal],
      { query: 'mvcc' },
    ],
    ['the only argument', (signal: AbortSignal) => [signal], []],
  ])('that is %s is no part of the key and ends its caller’s wait', async (_, argumentsWith, params) => {
    const cache = newCache();
    const tool = vi.fn((..._args: unknown[]) => new Promise<void>(() => {}));
    const wrapped = cache.wrap(tool, { name: 'search' });
    const controller = new AbortController();
    const args = argumentsWith(controller.signal);
    expect(wrapped.key(...args)).toBe(cache.key('search', params));
    const call = wrapped(...args);
    const seen = signalsIn(tool.mock.calls[0]);
    expect(seen.map((signal) => signal.aborted)).toEqual([false]);
    controller.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
    expect(seen.map((signal) => signal.aborted)).toEqual([true]);
  });

  it('of one caller does not end the load that others wait for', async () => {
    const answers = gate<string>();
    const tool = vi.fn((_query: string, _signal?: AbortSignal) => answers.promise);
    const wrapped = newCache().wrap(tool, { name: 'search' });
    const controller = new AbortController();
    const leaving = wrapped('mvcc', controller.signal);
    const staying = wrapped('mvcc', new AbortController().signal);
    controller.abort(new Error('enough'));
    await expect(leaving).rejects.toThrow('enough');
    expect(tool.mock.calls[0]?.[1]?.aborted).toBe(false);
    answers.open('found');
    expect(await staying).toBe('found');
    expect(tool).toHaveBeenCalledTimes(1);
  });

  it('may be given twice: either ends the wait', async () => {
    const tool = vi.fn((_query: object, _signal: AbortSignal) => new Promise<void>(() => {}));
    const wrapped = newCache().wrap(tool, { name: 'search' });
    for (const which of [0, 1]) {
      const controllers = [new AbortController(), new AbortController()] as const;
      const call = wrapped({ query: which, signal: controllers[0].signal }, controllers[1].signal);
      controllers[which]?.abort(new Error('enough'));
      await expect(call).rejects.toThrow('enough');
      expect(signalsIn(tool.mock.calls[which]).map((signal) => signal.aborted)).toEqual([true, true]);
    }
  });

  it('that is aborted already rejects without a call', async () => {
    const tool = vi.fn(async (_signal: AbortSignal) => 1);
    const wrapped = newCache().wrap(tool, { name: 'search' });
    await expect(wrapped(AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
    expect(tool).not.toHaveBeenCalled();
  });

  it('leaves no trace where there is none', async () => {
    const tool = vi.fn(async (...args: unknown[]) => args.length);
    const wrapped = newCache().wrap(tool, { name: 'search' });
    expect(await wrapped('mvcc')).toBe(1);
    expect(await wrapped('mvcc', undefined)).toBe(2);
  });

  it('leaves the caller’s own object as it was', async () => {
    const { signal } = new AbortController();
    const query = Object.freeze({ query: 'mvcc', signal });
    const tool = vi.fn(async (given: { query: string; signal: AbortSignal }) => given.query);
    await newCache().wrap(tool, { name: 'search' })(query);
    await settle();
    expect(query.signal).toBe(signal);
    expect(Object.keys(tool.mock.calls[0]?.[0] ?? {})).toEqual(['query', 'signal']);
    expect(tool.mock.calls[0]?.[0].signal).not.toBe(signal);
  });

  function signalsIn(args: readonly unknown[] = []): AbortSignal[] {
    const values = args.flatMap((each) =>
      each instanceof AbortSignal ? [each] : Object.values(each as object),
    );
    return values.filter((each) => each instanceof AbortSignal);
  }
});
