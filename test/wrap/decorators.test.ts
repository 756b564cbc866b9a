/** Runs twice: compiled with standard decorators, and with `experimentalDecorators`. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CacheManager, type Wrapped } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';

const newCache = () => new CacheManager({ clock: new FakeClock() });
const warnings: string[] = [];

beforeEach(() => {
  warnings.length = 0;
  vi.spyOn(process, 'emitWarning').mockImplementation((warning) => void warnings.push(String(warning)));
});

afterEach(() => {
  vi.restoreAllMocks();
});

it('is compiled in the mode that it is meant to test', () => {
  let mode = '';
  const probe = (...args: unknown[]): void => {
    mode = args.length === 2 ? 'standard' : 'legacy';
  };
  class Probed {
    @probe
    method() {}
  }
  new Probed().method();
  expect(mode).toBe(process.env['DECORATORS']);
});

describe('a cached method', () => {
  it('calls its tool once for one set of arguments, on its own object', async () => {
    const cache = newCache();
    class Tools {
      readonly prefix = '>';
      calls = 0;
      @cache.cached
      async search(query: string, limit = 10) {
        this.calls++;
        return `${this.prefix}${query}${limit}`;
      }
    }
    const tools = new Tools();
    expect(await tools.search('mvcc')).toBe('>mvcc10');
    expect(await tools.search('mvcc')).toBe('>mvcc10');
    expect(await tools.search('mvcc', 20)).toBe('>mvcc20');
    expect(tools.calls).toBe(2);
    expect(cache.stats('Tools.search')).toMatchObject({ hits: 1, misses: 2 });
  });

  it('is called as its class and method, whether bare, called or with options', async () => {
    const cache = newCache();
    class Tools {
      @cache.cached
      async bare() {}
      @cache.cached()
      async called() {}
      @cache.cached({ ttl: '5m' })
      async withOptions() {}
      @cache.cached({ name: 'custom' })
      async named() {}
      @cache.cached
      static async ofTheClass() {}
      @cache.cachedSync
      atOnce() {}
    }
    const tools = new Tools();
    await Promise.all([tools.bare(), tools.called(), tools.withOptions(), tools.named(), Tools.ofTheClass()]);
    tools.atOnce();
    expect(cache.methods().sort()).toEqual([
      'Tools.atOnce',
      'Tools.bare',
      'Tools.called',
      'Tools.ofTheClass',
      'Tools.withOptions',
      'custom',
    ]);
  });

  it('works when the decorator has lost its cache', async () => {
    const { cached, cachedSync } = newCache();
    class Tools {
      calls = 0;
      @cached
      async search() {
        return ++this.calls;
      }
      @cached({ ttl: '5m' })
      async fetch() {
        return ++this.calls;
      }
      @cachedSync
      parse() {
        return ++this.calls;
      }
    }
    const tools = new Tools();
    expect([await tools.search(), await tools.search()]).toEqual([1, 1]);
    expect([await tools.fetch(), await tools.fetch()]).toEqual([2, 2]);
    expect([tools.parse(), tools.parse()]).toEqual([3, 3]);
  });

  it('takes all options that wrapped functions take', async () => {
    const clock = new FakeClock();
    const cache = new CacheManager({ clock });
    class Tools {
      @cache.cached({ ttl: 10, params: ['query', 'limit'], version: 2 })
      async search(query: string, _limit?: number) {
        return [query, clock.now()];
      }
      @cache.cached({ key: (_session: object, query: string) => query })
      async find(_session: object, query: string) {
        return query;
      }
    }
    const tools = new Tools();
    const first = await tools.search('mvcc', 10);
    expect(await cache.get('Tools.search', { query: 'mvcc', limit: 10 })).toBeUndefined();
    expect(await tools.search('mvcc', 10)).toEqual(first);
    clock.advance(10);
    expect(await tools.search('mvcc', 10)).not.toEqual(first);
    await tools.find({ a: () => 1 }, 'mvcc');
    expect(await cache.get('Tools.find', 'mvcc')).toBe('mvcc');
  });

  it('keeps the type parameters of its method', async () => {
    const cache = newCache();
    class Tools {
      @cache.cached
      async echo<T>(value: T): Promise<T> {
        return value;
      }
    }
    const text: string = await new Tools().echo('mvcc');
    expect(text).toBe('mvcc');
  });

  it('carries key, invalidate, refresh and original', async () => {
    const cache = newCache();
    class Tools {
      version = 0;
      @cache.cached
      async search(_query: string) {
        return ++this.version;
      }
    }
    const tools = new Tools();
    const search = tools.search as Wrapped<typeof tools.search>;
    expect(await tools.search('mvcc')).toBe(1);
    expect(search.key('mvcc')).toBe(cache.key('Tools.search', ['mvcc']));
    expect(await search.refresh('mvcc')).toBe(2);
    expect(await search.refresh.call(tools, 'mvcc')).toBe(3);
    expect(await tools.search('mvcc')).toBe(3);
    expect(await search.invalidate('mvcc')).toBe(true);
    expect(await tools.search('mvcc')).toBe(4);
    expect(await search.original.call(tools, 'mvcc')).toBe(5);
    expect(search.name).toBe('search');
    expect(search.length).toBe(1);
  });

  it('refreshes on an object only', async () => {
    const cache = newCache();
    class Tools {
      @cache.cached({ shared: true })
      async search() {
        return 1;
      }
    }
    const tools = new Tools();
    const search = tools.search as Wrapped<typeof tools.search>;
    await expect(search.refresh()).rejects.toThrow(/`\.refresh\.call\(instance, …\)`/);
    expect(await search.refresh.call(tools)).toBe(1);
  });
});

describe('instances', () => {
  it('other than the first run uncached, with one warning that names the way out', async () => {
    const cache = newCache();
    class Tools {
      calls = 0;
      @cache.cached
      async search(_query: string) {
        return ++this.calls;
      }
    }
    const [first, second] = [new Tools(), new Tools()];
    expect([await first.search('a'), await first.search('a')]).toEqual([1, 1]);
    expect([await second.search('a'), await second.search('a')]).toEqual([1, 2]);
    expect(await first.search('a')).toBe(1);
    expect(cache.stats('Tools.search')).toMatchObject({ uncached: 2, hits: 2 });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/`Tools\.search`.*`scope: \(self\) => string`.*`shared: true`/s);
  });

  it('are told apart even by methods that say nothing of `this`', async () => {
    const cache = newCache();
    let calls = 0;
    class Tools {
      @cache.cached
      async search(_query: string) {
        return ++calls;
      }
    }
    const [first, second] = [new Tools(), new Tools()];
    expect([await first.search('a'), await second.search('a'), await first.search('a')]).toEqual([1, 2, 1]);
  });

  it('share results when told so', async () => {
    const cache = newCache();
    class Tools {
      calls = 0;
      @cache.cached({ shared: true })
      async search(_query: string) {
        return ++this.calls;
      }
    }
    expect([await new Tools().search('a'), await new Tools().search('a')]).toEqual([1, 1]);
    expect(warnings).toEqual([]);
  });

  it('share results within a scope', async () => {
    const cache = newCache();
    class Tools {
      readonly tenant: string;
      constructor(tenant: string) {
        this.tenant = tenant;
      }
      @cache.cached({ scope: (self: Tools) => self.tenant })
      async search(query: string) {
        return `${this.tenant}:${query}`;
      }
    }
    const [acme, globex] = [new Tools('acme'), new Tools('globex')];
    expect(await acme.search('a')).toBe('acme:a');
    expect(await globex.search('a')).toBe('globex:a');
    expect(await new Tools('acme').search('a')).toBe('acme:a');
    expect(cache.stats('Tools.search')).toMatchObject({ hits: 1, misses: 2 });
    const search = acme.search as Wrapped<typeof acme.search>;
    expect(search.key.call(globex, 'a')).toBe(cache.key('Tools.search', ['a'], { scope: 'globex' }));
    expect(() => search.key('a')).toThrow(/`\.call\(instance, …\)`/);
    expect(await search.invalidate.call(globex, 'a')).toBe(true);
  });

  it('are needed: a method that was taken off its object runs uncached', async () => {
    const cache = newCache();
    class Tools {
      @cache.cached
      async search(query: string) {
        return query;
      }
    }
    const tools = new Tools();
    const { search } = tools;
    expect(await search('a')).toBe('a');
    await tools.search('a');
    await tools.search('a');
    expect(cache.stats('Tools.search')).toMatchObject({ uncached: 1, misses: 1, hits: 1 });
  });

  it('matter to synchronous methods as well', () => {
    const cache = newCache();
    class Tools {
      calls = 0;
      @cache.cachedSync
      parse(_text: string) {
        return ++this.calls;
      }
      @cache.cachedSync({ scope: (self: Tools) => `${self.calls}` })
      scoped() {
        return this.calls;
      }
    }
    const [first, second] = [new Tools(), new Tools()];
    expect([first.parse('a'), first.parse('a'), second.parse('a'), second.parse('a')]).toEqual([1, 1, 1, 2]);
    expect([first.scoped(), second.scoped()]).toEqual([1, 2]);
  });
});

describe('static methods', () => {
  it('are cached, and share with subclasses what does not depend on the class', async () => {
    const cache = newCache();
    let calls = 0;
    class Tools {
      static readonly prefix: string = '>';
      @cache.cached
      static async search(query: string) {
        // biome-ignore lint/complexity/noThisInStatic: which class it is called on is what the test is about
        return `${this.prefix}${query}`;
      }
      @cache.cached
      static async pure(_query: string) {
        return ++calls;
      }
      readonly isTool = true;
    }
    class MoreTools extends Tools {
      static override readonly prefix = '>>';
    }
    expect(await Tools.search('a')).toBe('>a');
    expect(await Tools.search('a')).toBe('>a');
    expect(await MoreTools.search('a')).toBe('>>a');
    expect(cache.stats('Tools.search')).toMatchObject({ hits: 1, misses: 1, uncached: 1 });
    const { pure } = Tools;
    expect([await Tools.pure('a'), await MoreTools.pure('a'), await pure('a')]).toEqual([1, 1, 1]);
  });
});

describe('the name of a cached method', () => {
  it('is that of the class which defines it', async () => {
    const cache = newCache();
    class Base {
      @cache.cached({ shared: true })
      async inherited() {
        return 'inherited';
      }
      @cache.cached({ shared: true })
      async overridden() {
        return 'base';
      }
      @cache.cached({ shared: true })
      async extended() {
        return 'base';
      }
      @cache.cached
      static async ofTheClass() {}
    }
    class Derived extends Base {
      @cache.cached({ shared: true })
      override async overridden() {
        return 'derived';
      }
      override async extended() {
        return `more than ${await super.extended()}`;
      }
    }
    const derived = new Derived();
    expect(await derived.inherited()).toBe('inherited');
    expect(await derived.overridden()).toBe('derived');
    expect(await derived.extended()).toBe('more than base');
    expect(await new Base().overridden()).toBe('base');
    await Derived.ofTheClass();
    expect(cache.methods().sort()).toEqual([
      'Base.extended',
      'Base.inherited',
      'Base.ofTheClass',
      'Base.overridden',
      'Derived.overridden',
    ]);
    expect(cache.stats('Base.inherited').loads).toBe(1);
  });

  it('has to be given where the class has none', () => {
    const cache = newCache();
    const define = () => {
      const classes = [
        (() => {
          class Tools {
            @cache.cached
            async search() {}
          }
          Object.defineProperty(Tools, 'name', { value: '' });
          return Tools;
        })(),
      ];
      // Legacy decorators have seen the class before it lost its name.
      return classes.map((Tools) => new Tools());
    };
    if (process.env['DECORATORS'] === 'standard')
      expect(define).toThrow(/class of the cached method `search`.*name: '…'/s);
    else expect(define).not.toThrow();
  });

  it('has to be given to a method whose key is a symbol', () => {
    const cache = newCache();
    const key = Symbol('search');
    expect(() => {
      class Tools {
        @cache.cached
        async [key]() {}
      }
      return Tools;
    }).toThrow(/`Symbol\(search\)` has no name.*name: '…'/);
    class Tools {
      @cache.cached({ name: 'Tools.search' })
      async [key]() {
        return 1;
      }
    }
    expect(cache.wrap(async function search() {}).key()).not.toBe('');
    return expect(new Tools()[key]()).resolves.toBe(1);
  });

  it('belongs to one class: a second one of the same name is refused, at the latest when it is used', () => {
    const cache = newCache();
    const define = () => {
      class Tools {
        @cache.cached
        async search() {}
      }
      return new Tools();
    };
    define();
    expect(define).toThrow(/`Tools\.search` already.*name: '…'/s);
  });

  it('is refused for a static and an instance method of the same name', () => {
    const cache = newCache();
    expect(() => {
      class Tools {
        @cache.cached
        static async search() {}
        @cache.cached
        async search() {}
      }
      return new Tools();
    }).toThrow(/already/);
  });
});

describe('what is no method', () => {
  it('can not be decorated', () => {
    const cached = newCache().cached as unknown as (...args: unknown[]) => (...args: unknown[]) => unknown;
    const misuse = (decorate: typeof cached) => () => {
      class Tools {
        @(decorate as (...args: unknown[]) => void)
        get field() {
          return 1;
        }
      }
      return Tools;
    };
    expect(misuse(cached)).toThrow(/`field` to be a method/);
    expect(misuse(cached({}) as typeof cached)).toThrow(/`field` to be a method/);
    expect(() => cached(async () => 1)).toThrow(/`cache\.wrap\(fn\)`/);
    expect(() => cached({})(async () => 1)).toThrow(/`cache\.wrap\(fn\)`/);
    expect(() => cached({ tttl: 1 })).toThrow(/Unknown option `tttl`/);
    expect(() => cached('search')).toThrow(/options/);
  });
});
