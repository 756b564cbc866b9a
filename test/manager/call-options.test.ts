/** The options of a single call are checked before the lookup, on a hit as on a miss. */

import { beforeEach, describe, expect, it, vi } from 'vitest';
import { CacheManager, type LoadOptions, type LookupOptions, type SetOptions } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';

let cache: CacheManager;
const loader = vi.fn(() => 'loaded');

beforeEach(() => {
  cache = new CacheManager({ clock: new FakeClock() });
  cache.setSync('search', 'known', 'stored');
  loader.mockClear();
});

type Options = LoadOptions & SetOptions;

const loads: [string, (params: string, options: Options) => Promise<unknown>][] = [
  ['getOrSet', (params, options) => cache.getOrSet('search', params, loader, options)],
  ['refresh', (params, options) => cache.refresh('search', params, loader, options)],
  ['getOrSet of a method', (params, options) => cache.method('search').getOrSet(params, loader, options)],
];
const sets: typeof loads = [
  ['set', (params, options) => cache.set('search', params, 1, options)],
  ['setMany', (params, options) => cache.setMany('search', [[params, 1]], options)],
];
const lookups: typeof loads = [
  ['get', (params, options) => cache.get('search', params, options)],
  ['lookup', (params, options) => cache.lookup('search', params, options)],
  ['has', (params, options) => cache.has('search', params, options)],
  ['delete', (params, options) => cache.delete('search', params, options)],
  ['getMany', (params, options) => cache.getMany('search', [params], options)],
  ['getSync', async (params, options) => cache.getSync('search', params, options)],
  ['peek', async (params, options) => cache.peek('search', params, options)],
  ['key', async (params, options) => cache.key('search', params, options)],
];
const all = [...loads, ...sets, ...lookups];

const refused = (call: Promise<unknown>, message: RegExp) =>
  expect(call).rejects.toMatchObject({
    code: 'ERR_INVALID_OPTION',
    message: expect.stringMatching(message),
  });

describe.each(['known', 'unknown'])('a call for something %s', (params) => {
  it.each(all)('refuses an option that there is not: %s', async (_, call) => {
    await refused(
      call(params, { tttl: 5 } as object),
      /^Unknown option `tttl` of (`getOrSet`|`set`|a lookup)(: did you mean `ttl`\?$|\. Known: scope)/,
    );
    expect(loader).not.toHaveBeenCalled();
    expect(cache.getSync('search', 'known')).toBe('stored');
    expect(cache.getSync('search', 'unknown')).toBeUndefined();
  });

  it.each([...loads, ...sets])('refuses a malformed one: %s', async (_, call) => {
    await refused(call(params, { ttl: '5 parsecs' } as object), /`ttl` to be a duration .*`'5 parsecs'`/);
    await refused(call(params, { jitter: -1 }), /`jitter`/);
    await refused(call(params, { sliding: true, ttl: 5 }), /`maxAge` with `sliding: true`/);
    expect(loader).not.toHaveBeenCalled();
    expect(cache.getSync('search', 'known')).toBe('stored');
  });

  it.each(all)('refuses what is no object, and a scope that is no text: %s', async (_, call) => {
    for (const options of [null, '5m', 5]) {
      await refused(
        call(params, options as unknown as Options),
        /options of .* to be an object, as `\{ (?:ttl: 60_000|scope: 'task-1') \}`, got/,
      );
    }
    await refused(call(params, { scope: null } as unknown as LookupOptions), /`scope` to be a string/);
    expect(loader).not.toHaveBeenCalled();
  });

  it.each(loads)('refuses a signal that is none: %s', async (_, call) => {
    const controller = new AbortController();
    await refused(
      call(params, { signal: controller as unknown as AbortSignal }),
      /`signal` to be an AbortSignal, got `AbortController .*`: pass its `signal`$/,
    );
    await refused(call(params, { signal: null as unknown as AbortSignal }), /AbortSignal, got `null`$/);
    expect(loader).not.toHaveBeenCalled();
  });

  it.each(['concurrency', 'circuitBreaker', 'knownKeys', 'version', 'ignore'])(
    'tells where `%s` belongs, which is no option of one call',
    async (name) => {
      for (const [, call] of all) {
        await refused(
          call(params, { [name]: 1 }),
          new RegExp(`^\`${name}\` is no option of .*\`methods: \\{ <name>: \\{ ${name}: … \\} \\}\``),
        );
      }
    },
  );
});

it('takes every option of each kind of call, and those left undefined', async () => {
  const set: Required<SetOptions> = {
    ...{ scope: 'a', ttl: '1m', staleWhileRevalidate: 1, staleIfError: 1, jitter: 0.1, memoryTtl: 5 },
    ...{ negativeTtl: 1, isNegative: () => false, tags: ['a'], sliding: true, maxAge: '1h', cost: () => 1 },
  };
  const load: Required<LoadOptions> = {
    ...set,
    ...{ signal: new AbortController().signal, refreshAhead: true, cacheErrors: () => 5 },
    ...{ isError: () => false, softTimeout: 5, hardTimeout: 5 },
  };
  expect(await cache.set('search', 1, 'set', set)).toBe(true);
  expect(await cache.getOrSet('search', 2, loader, load)).toBe('loaded');
  const nothing = Object.fromEntries(Object.keys(load).map((name) => [name, undefined])) as object;
  expect(await cache.getOrSet('search', 'known', loader, nothing)).toBe('stored');
  const lasting = { addEventListener() {}, removeEventListener() {}, aborted: false };
  expect(await cache.getOrSet('search', 'known', loader, { signal: lasting as never })).toBe('stored');
});
