/** What people are told who write an option wrong, or by the name that another cache has for it. */

import { describe, expect, it } from 'vitest';
import { responseCache } from '../src/http/index.js';
import { BloomFilter, CacheManager } from '../src/index.js';
import { prometheusMetrics } from '../src/metrics/index.js';
import { redis } from '../src/redis/index.js';
import { polledSource } from '../src/source/index.js';

const cache = new CacheManager({ keepParams: true });
const search = async () => 'found';

/** Where options are given, and how to give them there. */
const places: Readonly<Record<string, (options: never) => unknown>> = {
  cache: (options) => new CacheManager(options),
  method: (tool) => new CacheManager({ methods: { tool } }),
  wrap: (options) => cache.wrap(search, options),
  get: (options) => cache.get('tool', 1, options),
  set: (options) => cache.set('tool', 1, 1, options),
  getOrSet: (options) => cache.getOrSet('tool', 1, search, options),
  deleteWhere: (options) => cache.deleteWhere('tool', options),
  BloomFilter: (options) => new BloomFilter(options),
  concurrency: (concurrency) => new CacheManager({ concurrency }),
  circuitBreaker: (circuitBreaker) => new CacheManager({ circuitBreaker }),
  redis: (options) => redis(options),
  responseCache: (options) => responseCache(options),
  polledSource: (options) => polledSource(options),
  prometheusMetrics: (options) => prometheusMetrics(cache, options),
};

async function refusal(place: string, name: string): Promise<unknown> {
  try {
    await (places[place] as (options: unknown) => unknown)({ [name]: 5 });
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('an unknown option', () => {
  it.each([
    ['cache', 'maxsize', 'did you mean `maxSize`?'],
    ['cache', 'evicton', 'did you mean `eviction`?'],
    ['cache', 'persistDirectory', 'did you mean `persistDir`?'],
    ['cache', 'flushIntervall', 'did you mean `flushInterval`?'],
    ['method', 'tll', 'did you mean `ttl`?'],
    ['method', 'staleIfErorr', 'did you mean `staleIfError`?'],
    ['wrap', 'parms', 'did you mean `params`?'],
    ['get', 'scopes', 'did you mean `scope`?'],
    ['set', 'tag', 'did you mean `tags`?'],
    ['getOrSet', 'singal', 'did you mean `signal`?'],
    ['deleteWhere', 'param', 'did you mean `params`?'],
    ['BloomFilter', 'falsePositivRate', 'did you mean `falsePositiveRate`?'],
  ])('of %s, `%s`, is told the nearest name', async (place, name, advice) => {
    expect(await refusal(place, name)).toMatchObject({
      code: expect.stringMatching(/^ERR_INVALID_(OPTION|ARGUMENT)$/),
      message: expect.stringContaining(advice),
    });
  });

  it.each([
    ['cache', 'max', 'here it is called `maxSize`'],
    ['cache', 'stdTTL', 'here it is called `ttl`'],
    ['cache', 'namespace', 'here it is called `scope`'],
    ['cache', 'grace', 'here it is called `staleIfError`'],
    ['cache', 'allowStale', 'here it is called `staleWhileRevalidate`'],
    ['cache', 'allowStaleOnFetchRejection', 'here it is called `staleIfError`'],
    ['cache', 'refreshThreshold', 'here it is called `refreshAhead`'],
    ['cache', 'l2Layer', 'here it is called `persist` or `remote`'],
    ['cache', 'stores', 'here it is called `persist` or `remote`'],
    ['cache', 'maxItems', 'here it is called `maxSize`'],
    ['cache', 'persistPath', 'here it is called `persistDir`'],
    ['cache', 'updateAgeOnGet', 'here it is called `sliding`'],
    ['cache', 'cacheDir', 'here it is called `persistDir`'],
    ['cache', 'checkperiod', 'what has expired leaves by itself'],
    ['cache', 'dispose', "`cache.on('remove', …)`"],
    ['cache', 'onEvict', "`cache.on('remove', …)`"],
    ['method', 'swr', 'here it is called `staleWhileRevalidate`'],
    ['method', 'stale', 'here it is called `staleIfError` or `staleWhileRevalidate`'],
    ['method', 'timeout', 'here it is called `hardTimeout` or `softTimeout`'],
    ['wrap', 'cacheKey', 'here it is called `key`'],
    ['wrap', 'staleTtl', 'here it is called `staleIfError` or `staleWhileRevalidate`'],
    ['get', 'namespace', 'here it is called `scope`'],
    ['get', 'maxAge', '`maxAge` is no option of a lookup'],
    ['set', 'expiresIn', 'here it is called `ttl`'],
    ['getOrSet', 'timeout', 'here it is called `hardTimeout` or `softTimeout`'],
    ['getOrSet', 'abortSignal', 'here it is called `signal`'],
    ['getOrSet', 'forceFresh', 'call `refresh`'],
    ['concurrency', 'max', 'here it is called `limit`'],
    ['circuitBreaker', 'timeout', 'here it is called `openFor`'],
    ['redis', 'timeout', 'here it is called `remoteTimeout`'],
    ['redis', 'namespace', 'here it is called `prefix`'],
    ['polledSource', 'limit', 'here it is called `maxRows`'],
    ['BloomFilter', 'errorRate', 'here it is called `falsePositiveRate`'],
  ])('of %s that other caches call `%s` is told our name', async (place, name, advice) => {
    expect(await refusal(place, name)).toMatchObject({ message: expect.stringContaining(advice) });
  });

  it('is told what to do instead, without all that is known', async () => {
    expect(await refusal('cache', 'dispose')).not.toMatchObject({
      message: expect.stringContaining('Known:'),
    });
  });

  it.each([
    ['method', 'maxSize', '`maxSize` is an option of the whole cache'],
    ['wrap', 'persistDir', '`persistDir` is an option of the whole cache'],
    ['getOrSet', 'eviction', '`eviction` is an option of the whole cache'],
    ['set', 'version', 'give it to the method, `methods: { <name>: { version: … } }`'],
    ['set', 'max', 'here it is called `maxSize`. `maxSize` is an option of the whole cache'],
  ])('of %s that belongs elsewhere, `%s`, is told where', async (place, name, advice) => {
    expect(await refusal(place, name)).toMatchObject({ message: expect.stringContaining(advice) });
  });

  it.each([
    ['responseCache', 'timeout'],
    ['prometheusMetrics', 'prefix'],
    ['polledSource', 'loader'],
    ['redis', 'retries'],
  ])('of %s, `%s`, is told no name that there is not', async (place, name) => {
    const { message } = (await refusal(place, name)) as Error;
    expect(message).toMatch(/^Unknown option `\w+` of [^:]*\. Known: /);
  });

  it('that has a hint is told that alone', async () => {
    for (const name of ['maxsize', 'max']) {
      const found = await refusal('cache', name);
      expect(found).toMatchObject({ message: expect.stringContaining('`maxSize`') });
      expect(found).not.toMatchObject({ message: expect.stringContaining('Known') });
    }
  });

  it('that is like none is told all that there are', async () => {
    const message = 'Unknown option `qqq` of a lookup. Known: scope';
    expect(await refusal('get', 'qqq')).toMatchObject({ message });
  });
});

describe('`maxAge` of a cache on which nothing slides', () => {
  it('is refused, because elsewhere it is the ttl', () => {
    const message = 'Expected `sliding: true` with `maxAge`, got none: `ttl` bounds the age';
    expect(() => new CacheManager({ maxAge: 60_000 })).toThrow(message);
  });

  it('is taken where a method slides, or single calls may', () => {
    const sliding = { sliding: true, ttl: '1m' } as const;
    expect(() => new CacheManager({ maxAge: '1h', methods: { tool: sliding } })).not.toThrow();
    expect(() => new CacheManager({ maxAge: '1h', sliding: false })).not.toThrow();
  });
});
