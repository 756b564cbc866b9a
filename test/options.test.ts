import { describe, expect, it } from 'vitest';
import { guardOptionNames } from '../src/guard/resolved-guard-options.js';
import { BloomFilter, CacheManager, type CacheOptions } from '../src/index.js';
import { defaultOptions, resolveOptions } from '../src/options.js';

describe('the options', () => {
  it('have the documented defaults', () => {
    expect(resolveOptions({})).toMatchObject({
      eviction: 'lru',
      maxSize: 1000,
      maxBytes: 268_435_456,
      maxEntryBytes: 268_435_456,
      values: 'copy',
      codecs: [],
      defaults: { ttl: null, staleWhileRevalidate: 0, scope: undefined, version: undefined, ignore: [] },
    });
    expect(defaultOptions.maxBytes).toBe(256 * 1024 * 1024);
  });

  it('leave every guard off by default, and let `false` switch off what is inherited', () => {
    const off = {
      ...{ staleWhileRevalidate: 0, staleIfError: 0, refreshAhead: 0, jitter: { fraction: 0 }, tags: [] },
      ...{ memoryTtl: undefined, negativeTtl: undefined, knownKeys: undefined, cacheErrors: undefined },
      ...{ isError: undefined, softTimeout: undefined, hardTimeout: undefined, concurrency: undefined },
      ...{
        circuitBreaker: undefined,
        sliding: false,
        maxAge: undefined,
        cost: undefined,
        coherence: 'bounded',
      },
    };
    expect(resolveOptions({}).defaults).toMatchObject(off);
    const on = { hardTimeout: '1s', concurrency: 2, circuitBreaker: true, negativeTtl: 5 } as const;
    const allOn: CacheOptions = {
      ...{ staleWhileRevalidate: 1, staleIfError: 1, refreshAhead: true, jitter: 0.5, tags: ['a'] },
      ...{ memoryTtl: 1, negativeTtl: 1, knownKeys: new BloomFilter({ capacity: 1 }), cacheErrors: () => 1 },
      ...{ isError: () => true, softTimeout: 1, hardTimeout: 1, concurrency: 1, circuitBreaker: true },
      ...{ sliding: true, ttl: 1, maxAge: 1, cost: () => 1, isNegative: () => true },
      coherence: 'available',
      remote: { connect: () => expect.unreachable() },
    };
    const allOff = Object.fromEntries(guardOptionNames.map((name) => [name, false]));
    expect(resolveOptions({ ...allOn, methods: { tool: allOff } }).methods.get('tool')).toMatchObject({
      ...off,
      isNegative: resolveOptions({}).defaults.isNegative,
    });
    const tool = {
      hardTimeout: false,
      concurrency: false,
      circuitBreaker: false,
      negativeTtl: false,
    } as const;
    const { defaults, methods } = resolveOptions({ ...on, methods: { tool } });
    expect(defaults).toMatchObject({
      hardTimeout: 1000,
      concurrency: { limit: 2, queueLimit: 1000 },
      circuitBreaker: { threshold: { failures: 5 }, openForMs: 30_000 },
      negativeTtl: 5,
    });
    expect(methods.get('tool')).toMatchObject(off);
  });

  it('have their defaults in a rule that leaves them `undefined`', () => {
    const concurrency = { limit: 2, queueLimit: undefined };
    const { defaults } = resolveOptions({ concurrency });
    expect(defaults.concurrency).toEqual({ limit: 2, queueLimit: 1000 });
  });

  it('inherit from the cache what a method does not set', () => {
    const resolved = resolveOptions({ ttl: '1h', scope: 'a', methods: { tool: { ttl: 5, version: 'v2' } } });
    expect(resolved.methods.get('tool')).toMatchObject({ ttl: 5, scope: 'a', version: 'v2' });
    expect(resolved.defaults.ttl).toBe(3_600_000);
  });

  it.each([
    [{ maxSize: -1 }, 'Expected `maxSize` to be a positive integer, got `-1`'],
    [{ maxSize: 1.5 }, 'Expected `maxSize` to be a positive integer, got `1.5`'],
    [{ maxSize: '10' }, "Expected `maxSize` to be a positive integer, got `'10'`"],
    [{ maxSize: null }, 'Expected `maxSize` to be a positive integer, got `null`'],
    [{ version: Number.NaN }, 'Expected `version` to be a string or finite number, got `NaN`'],
    [{ codecs: null }, 'codecs'],
    [{ methods: null }, 'methods'],
    [{ eviction: null }, 'null'],
    [{ maxSize: 2 ** 24 + 1 }, '16777216'],
    [{ maxBytes: 0 }, 'Expected `maxBytes` to be a positive integer, got `0`'],
    [{ maxEntryBytes: Number.NaN }, 'Expected `maxEntryBytes` to be a positive integer, got `NaN`'],
    [{ eviction: 'mru' }, 'mru'],
    [{ values: 'clone' }, "Expected `values` to be 'copy' or 'reference', got `'clone'`"],
    [{ ttl: 'soon' }, '`ttl`'],
    [{ ttl: -1 }, '`ttl`'],
    [{ methods: { tool: { ttl: '5 parsecs' } } }, '`methods.tool.ttl`'],
    [{ methods: { tool: { tll: 5 } } }, 'Unknown option `tll` of methods.tool: did you mean `ttl`?'],
    [{ staleWhileRevalidate: 'x' }, '`staleWhileRevalidate`'],
    [{ maxsize: 10 }, 'Unknown option `maxsize` of CacheManager: did you mean `maxSize`?'],
    [{ clock: { now: Date.now } }, 'Expected `clock` to be an object with a method `elapsed()`'],
    [{ random: 4 }, 'Expected `random` to be a function, got `4`'],
    [{ scope: 7 }, 'Expected `scope` to be a string, got `7`'],
    [{ version: {} }, 'Expected `version` to be a string or finite number, got `{}`'],
    [{ ignore: 'trace_id' }, 'ignore'],
    [null, 'Expected `CacheManager` to be an object of options, got `null`'],
    [{ staleIfError: -5 }, 'Expected `staleIfError` to be a duration'],
    [{ refreshAhead: { beta: -1 } }, 'Expected `refreshAhead` to be true, false or `{ beta }`'],
    [{ jitter: Number.NaN }, 'Expected `jitter` to be a fraction from 0 to 1 such as 0.1 or a duration'],
    [{ jitter: '10%' }, "a fraction from 0 to 1 such as 0.1 or a duration such as '30s', got `'10%'`"],
    [{ memoryTtl: 0 }, 'Expected `memoryTtl` to be a duration above 0, or `false` for none, got `0`'],
    [{ negativeTtl: 'brief' }, '`negativeTtl`'],
    [{ isNegative: null }, 'Expected `isNegative` to be a function, got `null`'],
    [{ knownKeys: new Set() }, 'Expected `knownKeys` to be a BloomFilter, or an object with `mayHave(key)`'],
    [{ cacheErrors: '5m' }, "Expected `cacheErrors` to be a function, got `'5m'`"],
    [{ isError: true }, 'Expected `isError` to be a function, got `true`'],
    [{ softTimeout: 0 }, 'Expected `softTimeout` to be a duration above 0'],
    [{ hardTimeout: 'x' }, '`hardTimeout`'],
    [{ concurrency: 0 }, 'Expected `concurrency.limit` to be a positive integer, got `0`'],
    [{ concurrency: { limit: 1, queueLimit: -1 } }, '`concurrency.queueLimit`'],
    [{ concurrency: 'many' }, 'Expected `concurrency` to be a number, `{ limit }` or false'],
    [
      { circuitBreaker: { failures: 0 } },
      'Expected `circuitBreaker.failures` to be a positive integer, got `0`',
    ],
    [{ circuitBreaker: { failures: 1, failureRate: 0.5 } }, '`circuitBreaker.failureRate`, got both'],
    [{ circuitBreaker: { openFor: 0 } }, '`circuitBreaker.openFor`'],
    [{ circuitBreaker: { openFor: null } }, 'Expected `circuitBreaker.openFor` to be a value, or left out'],
    [
      { circuitBreaker: { failure: 3 } },
      'Unknown field `failure` of `circuitBreaker`: did you mean `failures`?',
    ],
    [{ circuitBreaker: { within: '1m' } }, '`circuitBreaker.failureRate` with `circuitBreaker.within`'],
    [
      { concurrency: { limit: 1, queue: 5 } },
      'Unknown field `queue` of `concurrency`: here it is called `queueLimit`',
    ],
    [{ refreshAhead: { beta: 1, alpha: 1 } }, 'Unknown field `alpha` of `refreshAhead`. Known: beta'],
    [{ circuitBreaker: 5 }, 'Expected `circuitBreaker` to be true, false or a rule, got `5`'],
    [
      { tags: 'all' },
      "Expected `tags` to be a list of non-empty strings, or a function that returns one, got `'all'`",
    ],
    [{ sliding: 'yes' }, 'Expected `sliding` to be true or false'],
    [{ sliding: true, ttl: 5 }, 'Expected `maxAge` with `sliding: true`, got none'],
    [{ sliding: true, maxAge: '1h' }, 'Expected `ttl` with `sliding: true`, got none'],
    [{ methods: { tool: { maxAge: 'x' } } }, '`methods.tool.maxAge`'],
    [{ coherence: 'bounded' }, 'Expected `remote` with `coherence`, got none'],
    [{ methods: { tool: { coherence: 'available' } } }, '`remote` with `methods.tool.coherence`, got none'],
    [{ coherence: 'none' }, "Expected `coherence` to be 'bounded' or 'available', got `'none'`"],
    [{ remote: {} }, 'Expected `remote` to be an object with a method `connect()`, as `redis({ url })`'],
    [{ cost: 5 }, 'Expected `cost` to be a function, got `5`'],
  ])('refuse %o with the value and the fix', (options, message) => {
    expect(() => new CacheManager(options as never)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_OPTION', message: expect.stringContaining(message) }),
    );
  });
});
