/** Tool sets that are odd, and what `cache.tools` makes of them: no wrong answer, no tool that fails because it is cached. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { CacheManager } from '../../src/manager/cache-manager.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import type { ToolRules } from '../../src/tools/tool-rules.js';

const newCache = () => new CacheManager({ clock: new FakeClock() });
const one: ToolRules = { search: {} };

/** Counts its runs. */
function counting() {
  let runs = 0;
  return async (_input?: object) => ++runs;
}

describe('tools that share a function', () => {
  async function ofTenant(this: { tenant: string }, _input: object) {
    return this.tenant;
  }

  it('are others where it reads what it is called on, so the second is refused', async () => {
    const cache = newCache();
    const made = (tenant: string) => ({ search: { tenant, execute: ofTenant } });
    const acme = made('acme');
    const cached = cache.tools(acme, one);
    expect(await cached.search.execute({})).toBe('acme');
    expect(() => cache.tools(made('globex'), one)).toThrow(/`search` already.*`scope: '…'`/);
    // The very same tool, as a server takes it for each request.
    expect(await cache.tools(acme, one).search.execute({})).toBe('acme');
    const scoped = cache.tools(made('globex'), { search: { scope: 'globex' } });
    expect(await scoped.search.execute({})).toBe('globex');
  });

  it('are others also where it is the method of a class', () => {
    class Search {
      readonly id = 'search';
      readonly execute = Search.prototype.run;
      constructor(readonly tenant: string) {}
      async run(_input: object) {
        return this.tenant;
      }
    }
    const cache = newCache();
    cache.tools([new Search('acme')], one);
    expect(() => cache.tools([new Search('globex')], one)).toThrow('`search` already');
  });

  it('are alike where it reads nothing of them', async () => {
    const cache = newCache();
    const execute = counting();
    for (const _ of [1, 2])
      expect(await cache.tools({ search: { execute } }, one).search.execute({})).toBe(1);
  });

  it('keep to their names in one set', async () => {
    const execute = counting();
    const { a, b } = newCache().tools({ a: { execute }, b: { execute } }, { '*': {} });
    expect([await a.execute({}), await b.execute({}), await a.execute({})]).toEqual([1, 2, 1]);
  });
});

describe('two tools of one name', () => {
  const named = (name: string) => ({ name, execute: counting() });

  it('are refused where they would be cached', () => {
    expect(() => newCache().tools([named('search'), named('search')], one)).toThrow(
      /Two tools are called `search`/,
    );
  });

  it('are left alone where they are not, or run elsewhere', () => {
    const hosted = [1, 2].map((providerData) => ({ type: 'hosted_tool', name: 'hosted_mcp', providerData }));
    const set = [...hosted, named('book'), named('book'), named('search')];
    const cached = newCache().tools(set, { book: 'write', 'h*': {}, search: {} });
    expect(cached.slice(0, 4)).toEqual(set.slice(0, 4));
  });
});

describe('patterns', () => {
  const tool = () => [{ name: 'book_list', execute: counting() }];

  it.each<[string, ToolRules]>([
    ['one forbids', { 'book_*': 'write', '*_list': {} }],
    ['one forbids, told last', { '*_list': {}, 'book_*': 'write' }],
    ['stars make one longer', { 'book*': 'write', '*book*': {} }],
    ['they have other options', { 'book_*': { ttl: '1m' }, '*_list': { ttl: '1h' } }],
  ])('that are as long and disagree are refused: %s', (_, rules) => {
    expect(() => newCache().tools(tool(), rules)).toThrow(
      /The rules `.*` and `.*` say different things of the tool `book_list`.*under its own name/,
    );
    const [cached] = newCache().tools(tool(), { ...rules, book_list: 'opaque' });
    expect(cached).toBeDefined();
  });

  it('that are as long may agree, and the one that fixes more goes before', async () => {
    const [agreed] = newCache().tools(tool(), { 'book_*': { ttl: '1m' }, '*_list': { ttl: '1m' } });
    expect([await agreed!.execute(), await agreed!.execute()]).toEqual([1, 1]);
    const [longer] = newCache().tools(tool(), { 'book_l*': {}, '*_list': 'write', '**': 'opaque' });
    expect([await longer!.execute(), await longer!.execute()]).toEqual([1, 1]);
    const [shorter] = newCache().tools(tool(), { '*****': {}, b: {}, '*o*': 'write' });
    expect([await shorter!.execute(), await shorter!.execute()]).toEqual([1, 2]);
  });
});

describe('a set', () => {
  it('keeps symbols, hidden fields and its prototype, frozen or not', () => {
    const mark = Symbol('mark');
    const tools = Object.create(null, {
      search: { value: Object.freeze({ execute: counting() }), enumerable: true },
      hidden: { value: 1 },
      [mark]: { value: 2, enumerable: true },
    }) as { search: { execute(): unknown } };
    const cached = newCache().tools(Object.freeze(tools), Object.freeze({ search: {} }));
    expect(Reflect.ownKeys(cached)).toEqual(['hidden', 'search', mark].sort(byKind(Reflect.ownKeys(tools))));
    expect(Object.getPrototypeOf(cached)).toBe(null);
    expect(cached.search).not.toBe(tools.search);
  });

  it('may have getters, holes, and names that objects have', async () => {
    const execute = counting();
    const lazy = newCache().tools(
      {
        get search() {
          return { execute };
        },
      },
      one,
    );
    expect([await lazy.search.execute(), await lazy.search.execute()]).toEqual([1, 1]);
    const holes = newCache().tools(new Array(2).concat({ name: 'search', execute: counting() }), one);
    expect(holes).toHaveLength(3);
    const odd = JSON.parse('{ "__proto__": 0, "constructor": 0, "toString": 0 }') as Record<string, unknown>;
    for (const name of Object.keys(odd))
      Object.defineProperty(odd, name, { value: { execute: counting() }, enumerable: true });
    const cached = newCache().tools(odd, { '*': {} });
    for (const name of ['__proto__', 'constructor', 'toString']) {
      const tool = Object.getOwnPropertyDescriptor(cached, name)?.value as { execute(): unknown };
      expect([await tool.execute(), await tool.execute()]).toEqual([1, 1]);
    }
  });

  it('of functions in a list takes no name that a minifier may have given, for entries that outlive the process', async () => {
    const f = async (_input: object) => 1;
    const persistDir = await mkdtemp(join(tmpdir(), 'toolstash-tools-'));
    await using cache = new CacheManager({ persist: true, persistDir });
    expect(() => cache.tools([f], { f: {} })).toThrow(
      'The name `f` is too short for entries that outlive the process',
    );
    expect(await cache.tools({ search: f }, one).search({})).toBe(1);
    expect(await newCache().tools([f], { f: {} })[0]!({})).toBe(1);
    await cache.close();
    await rm(persistDir, { recursive: true });
  });

  it('that came from `cache.tools` is refused by that cache, and taken by another', async () => {
    const cache = newCache();
    const cached = cache.tools({ search: { execute: counting() } }, one);
    expect(() => cache.tools(cached, one)).toThrow(
      /comes from `cache.tools` of this very cache: give the tool/,
    );
    const twice = newCache().tools(cached, one);
    expect([await twice.search.execute(), await twice.search.execute()]).toEqual([1, 1]);
  });
});

const byKind = (order: readonly PropertyKey[]) => (a: PropertyKey, b: PropertyKey) =>
  order.indexOf(a) - order.indexOf(b);

describe('a tool', () => {
  it.each<[string, () => object]>([
    ['with default parameters', () => ({ execute: async ({ a = 1 }: { a?: number } = {}, _more = {}) => a })],
    [
      'that throws at once',
      () => ({
        execute: () => {
          throw new Error('no');
        },
      }),
    ],
    ['behind a proxy', () => new Proxy({ execute: counting() }, {})],
    [
      'made anew by a getter',
      () => ({
        get execute() {
          return counting();
        },
      }),
    ],
    ['that is no async function', () => ({ execute: (_input: object) => 7 })],
    ['bound to something', () => ({ execute: counting().bind({}) })],
  ])('%s answers as it does uncached', async (_, made) => {
    const outcome = async (tool: object) => {
      const run = Reflect.get(tool, 'execute') as (input: object) => unknown;
      return (async () => run.call(tool, {}))().catch(String);
    };
    const expected = await outcome(made());
    const { search } = newCache().tools({ search: made() }, one);
    expect(await outcome(search!)).toEqual(expected);
    expect(await outcome(search!)).toEqual(expected);
  });

  it.each(['contextSchema', 'requestContextSchema'])(
    'that declares what it reads of its context needs it in the key: `%s`',
    async (declared) => {
      const execute = async (_input: object, { tenant }: { tenant: string }) => tenant;
      const tools = { search: { execute, [declared]: {} } };
      expect(() => newCache().tools(tools, one)).toThrow(
        /`search` can't be cached.*Schema`\) that is no part of its key.*`key: \(input, context\)/,
      );
      const key = (input: unknown, context: { tenant: string }) => [input, context.tenant];
      const { search } = newCache().tools(tools, { search: { key } } as ToolRules);
      expect(await search.execute({}, { tenant: 'acme' })).toBe('acme');
      expect(await search.execute({}, { tenant: 'globex' })).toBe('globex');
      expect(newCache().tools(tools, { search: { scope: 'acme' } }).search).not.toBe(tools.search);
      expect(newCache().tools(tools, { search: 'opaque' }).search).toBe(tools.search);
    },
  );

  it('whose input has no key runs each time', async () => {
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const { search } = newCache().tools({ search: { execute: counting() } }, one);
    const ask = () => search.execute({ at: new URL('http://localhost') });
    expect([await ask(), await ask()]).toEqual([1, 2]);
    vi.restoreAllMocks();
  });

  it.each<[string, () => object]>([
    [
      'LangChain',
      () => {
        class Own {
          readonly #prefix = 'found';
          readonly name = 'search';
          readonly func = async (_input: object) => 1;
          async invoke(input: object) {
            return `${this.#prefix} ${await this.func(input)}`;
          }
        }
        return new Own();
      },
    ],
    [
      'Mastra',
      () => {
        class Own {
          readonly #prefix = 'found';
          readonly id = 'search';
          readonly execute = async (_input: object) => 1;
          get description() {
            return this.#prefix;
          }
        }
        return new Own();
      },
    ],
  ])('whose class reads private fields is refused, as a copy has none: like those of %s', (_, made) => {
    expect(() => newCache().tools([made()], one)).toThrow(/`(?:invoke|description)` reads private fields/);
    expect(newCache().tools([made()], { search: 'opaque' })).toHaveLength(1);
  });

  it('may read private fields in a function of its own', async () => {
    class Own {
      readonly #prefix = 'found';
      readonly name = 'search';
      readonly func = async (_input: object) => this.#prefix;
      invoke(input: object) {
        return this.func(input);
      }
    }
    const [tool] = newCache().tools([new Own()], one);
    expect(await tool!.invoke({})).toBe('found');
  });
});
