/** What only standard decorators can do, or only they find hard. */

import { describe, expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { MapTier } from '../helper/map-tier.js';

const newCache = () => new CacheManager({ clock: new FakeClock() });

type Method = (this: unknown, ...args: unknown[]) => unknown;

/** Another decorator on top of ours: the class then has its function and not ours. */
function traced<F extends (this: never, ...args: never[]) => unknown>(
  value: F,
  _context: ClassMethodDecoratorContext,
): F {
  return function (this: unknown, ...args: unknown[]) {
    return (value as unknown as Method).apply(this, args);
  } as unknown as F;
}

describe('a cached private method', () => {
  it('has to be given a name', async () => {
    const cache = newCache();
    expect(() => {
      class Tools {
        @cache.cached
        async #search() {}
        search = () => this.#search();
      }
      return Tools;
    }).toThrow(/private method `#search`.*name: '…'/s);
    class Tools {
      calls = 0;
      @cache.cached({ name: 'Tools.search' })
      async #search() {
        return ++this.calls;
      }
      search() {
        return this.#search();
      }
    }
    const tools = new Tools();
    expect([await tools.search(), await tools.search()]).toEqual([1, 1]);
  });
});

describe('the class that defines a cached method', () => {
  it('is found below another decorator', async () => {
    const cache = newCache();
    class Tools {
      @traced
      @cache.cached
      async search() {}
    }
    class MoreTools extends Tools {}
    await new MoreTools().search();
    expect(cache.methods()).toEqual(['Tools.search']);
  });

  it('is refused where another decorator hides which of two classes it is', () => {
    const cache = newCache();
    class Tools {
      @traced
      @cache.cached
      async search() {}
    }
    class MoreTools extends Tools {
      override async search() {}
    }
    expect(() => new MoreTools()).toThrow(/cached method `search`.*name: '…'/s);
  });

  it('is found at the first call of an object that no constructor made', async () => {
    const cache = newCache();
    class Tools {
      @cache.cached
      async search() {
        return 1;
      }
    }
    const search = Tools.prototype.search as unknown as { key: () => string };
    expect(() => search.key()).toThrow(/make one, or give the method a `name`/);
    const tools: Tools = Object.create(Tools.prototype);
    expect(await tools.search()).toBe(1);
    expect(search.key()).toBe(cache.key('Tools.search', []));
  });

  it('may be unknown: the call runs all the same, and the cache’s failure is reported', async () => {
    const cache = newCache();
    const Tools = {
      anonymous: class {
        @cache.cached
        async search() {
          return 1;
        }
      },
    }.anonymous;
    Object.defineProperty(Tools, 'name', { value: '' });
    const tools: InstanceType<typeof Tools> = Object.create(Tools.prototype);
    expect(await tools.search()).toBe(1);
    expect(cache.stats().cacheErrors).toBe(1);
  });

  it('needs a name that minifiers do not make where entries outlive the process', () => {
    const cache = new CacheManager({ clock: new FakeClock() }, [new MapTier()]);
    class DB {
      @cache.cached
      async query() {}
    }
    expect(() => new DB()).toThrow(/`DB\.query` is too short.*minifiers/s);
  });
});
