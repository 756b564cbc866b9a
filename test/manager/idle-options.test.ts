/** Options that do nothing by themselves are refused, or told as a process warning. */

import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CacheManager, type CacheOptions } from '../../src/index.js';

let warnings: string[];
beforeEach(() => {
  warnings = [];
  vi.spyOn(process, 'emitWarning').mockImplementation((warning) => void warnings.push(String(warning)));
});
afterEach(() => vi.restoreAllMocks());

describe('options of methods that are never used', () => {
  const ran = async (methods: readonly string[], used: readonly string[]) => {
    const cache = new CacheManager({
      methods: Object.fromEntries(methods.map((name) => [name, { ttl: 1 }])),
    });
    for (const name of used) await cache.get(name, 1);
    await cache.close();
    await cache.close();
  };

  it('are told at the end, once, where all of them were idle', async () => {
    await ran(['web', 'db'], ['search_web', 'calculator']);
    expect(warnings).toEqual([
      'The options in `methods` for `web`, `db` did nothing: the methods that were used are `search_web`, `calculator`. ' +
        "Use a method's exact name",
    ]);
  });

  it.each([
    ['nothing was used', ['web'], []],
    ['there are none', [], ['search']],
    ['one of them was used', ['web', 'db'], ['web', 'search']],
  ])('are not told where %s', async (_case, methods, used) => {
    await ran(methods, used);
    expect(warnings).toEqual([]);
  });

  it('are not told again where their name was nearly right', async () => {
    await ran(['searchWeb'], ['search_web']);
    expect(warnings).toHaveLength(1);
  });
});

const needsPersist = (name: string) =>
  `Expected \`persist: true\` with \`${name}\`, got none: without it nothing is written`;

describe('options of the disk', () => {
  it.each<[string, CacheOptions]>([
    ['persistDir', { persistDir: './entries' }],
    ['mode', { mode: 'multi' }],
    ['flushInterval', { flushInterval: 10 }],
    ['maxDiskBytes', { maxDiskBytes: 10 }],
    ['consolidateInterval', { consolidateInterval: null, loadCache: tmpdir() }],
    ['durability', { durability: 'disk' }],
  ])('`%s` alone is refused', (name, options) => {
    expect(() => new CacheManager(options)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_OPTION', message: needsPersist(name) }),
    );
  });

  it('may stand beside a `persist` that is off, as it is switched on elsewhere', () => {
    new CacheManager({ persist: false, persistDir: './entries', mode: 'multi' });
  });

  it('for reading do something with `loadCache` too', async () => {
    await using _ = new CacheManager({ loadCache: tmpdir(), maxMemberBytes: 2_000, openTimeout: 10 });
    expect(() => new CacheManager({ openTimeout: 10 })).toThrow(
      'Expected `persist: true` or `loadCache` with `openTimeout`, got none: without them nothing is read',
    );
  });

  it('`syncInterval` is refused without a mode', () => {
    expect(() => new CacheManager({ persist: true, syncInterval: 10 })).toThrow(
      "Expected `mode: 'multi'` with `syncInterval`, got none: a folder that is not shared has nothing to pull in",
    );
  });

  it.each<CacheOptions>([{ shareLoads: true }, { shareLoads: false }, { shareLoadsTimeout: '5s' }])(
    '%o is refused without a mode, and not beside one',
    (options) => {
      const [name] = Object.keys(options);
      expect(() => new CacheManager({ persist: true, ...options })).toThrow(
        `Expected \`mode: 'multi'\` with \`${name}\`, got none: a folder that is not shared has nobody to share loads with`,
      );
      new CacheManager({ persist: false, mode: 'multi', ...options });
    },
  );

  it.each<[CacheOptions, string]>([
    [{ shareLoads: 1 as never }, 'Expected `shareLoads` to be true or false, got `1`'],
    [{ shareLoadsTimeout: 0 }, 'Expected `shareLoadsTimeout` to be a duration above 0'],
  ])('%o is refused', (options, message) => {
    expect(() => new CacheManager({ persist: false, mode: 'multi', ...options })).toThrow(message);
  });
});

describe('`softTimeout` without a stale value to answer with', () => {
  const message = (path: string) =>
    `Expected \`${path}staleIfError\` with \`${path}softTimeout\`, got none: say how long a stale value may stand in`;

  it('is refused of a method, a wrapped function and a call', async () => {
    expect(() => new CacheManager({ methods: { tool: { softTimeout: 5 } } })).toThrow(
      message('methods.tool.'),
    );
    const cache = new CacheManager();
    const tool = async (id: number) => id;
    expect(() => cache.wrap(tool, { name: 'tool', softTimeout: 5 })).toThrow(message(''));
    await expect(cache.getOrSet('tool', 1, () => 1, { softTimeout: 5 })).rejects.toThrow(message(''));
  });

  it('is told once where it is the cache that has it, and not where the method sees to it', async () => {
    const cache = new CacheManager({ softTimeout: 5, methods: { seen: { staleIfError: '1m' } } });
    await cache.getOrSet('seen', 1, () => 1);
    await cache.wrap(async (id: number) => id, { name: 'wrapped', staleIfError: '1m' })(1);
    expect(warnings).toEqual([]);
    for (const name of ['bare', 'other']) await cache.getOrSet(name, 1, () => 1);
    expect(warnings).toEqual([
      expect.stringContaining('`softTimeout` does nothing for `bare`: give it `staleIfError`'),
    ]);
  });
});

describe('`maxAge` without `sliding`', () => {
  it('is refused of a method, a wrapped function and a call', async () => {
    const message = 'got none: `ttl` bounds the age of what does not slide';
    expect(() => new CacheManager({ methods: { tool: { maxAge: 5 } } })).toThrow(message);
    await expect(new CacheManager().set('tool', 1, 1, { maxAge: 5 })).rejects.toThrow(message);
  });

  it('may wait at the cache for methods that slide', () => {
    new CacheManager({ maxAge: '1h', methods: { tool: { sliding: true, ttl: '1m' } } });
  });
});

describe('`methods` with a name that nobody uses', () => {
  it.each([
    ['serach', 'search'],
    ['seach', 'search'],
    ['Search', 'search'],
    ['get-user', 'get_user'],
    ['search', 'Tools.search'],
    ['searchh', 'search'],
  ])('`%s` is told where `%s` is used', (configured, used) => {
    const cache = new CacheManager({ methods: { [configured]: { ttl: '5m' } } });
    cache.setSync(used, 1, 1);
    cache.setSync(used, 2, 2);
    expect(warnings).toEqual([
      `The options in \`methods\` for \`${configured}\` do nothing for \`${used}\`: use the method's exact name`,
    ]);
  });

  it.each([
    ['search2', 'search1'],
    ['search', 'fetch'],
    ['get', 'set'],
  ])('`%s` is not taken for `%s`', (configured, used) => {
    new CacheManager({ methods: { [configured]: { ttl: '5m' } } }).setSync(used, 1, 1);
    expect(warnings).toEqual([]);
  });

  it('is not told where it is used as well', () => {
    const cache = new CacheManager({ methods: { search: { ttl: '5m' } } });
    cache.setSync('search', 1, 1);
    cache.setSync('searchs', 1, 1);
    expect(warnings).toEqual([]);
  });
});
