/** Wrong values of options don't compile. */

import { expectTypeOf } from 'vitest';
import {
  CacheManager,
  type CacheOptions,
  type Clock,
  type Duration,
  registerStore,
  type StoreFactory,
} from '../../src/index.js';
import { FakeClock, storeContract } from '../../src/testing/index.js';

declare module '../../src/index.js' {
  interface StoreNames {
    random: true;
  }
}

// durations are numbers and text as it is read
{
  const right: Duration[] = [
    0,
    250,
    '250ms',
    '30s',
    '5m',
    '1.5h',
    '0.05s',
    '7d',
    '1h30m',
    '1d12h',
    '2m30s',
    '90m',
  ];
  // @ts-expect-error no space
  const spaced: Duration = '5 m';
  // @ts-expect-error no unit
  const bare: Duration = '5';
  // @ts-expect-error no such unit
  const unknown: Duration = '5min';
  // @ts-expect-error no digits after the point
  const cut: Duration = '5.m';
  // @ts-expect-error smallest unit first
  const reversed: Duration = '30m1h';
  expectTypeOf([...right, spaced, bare, unknown, cut, reversed]).toMatchTypeOf<Duration[]>();

  new CacheManager({ ttl: '5m', methods: { search: { ttl: '1h', staleIfError: '1d' } } });
  // @ts-expect-error no space
  new CacheManager({ ttl: '5 m' });
  // @ts-expect-error no such unit
  new CacheManager({ methods: { search: { ttl: '5min' } } });
}

// stores are those that there are, those that were registered, and factories
{
  const factory: StoreFactory = () => {
    throw new Error('never made');
  };
  registerStore('random', factory);
  for (const eviction of ['lru', 'lfu', 'fifo', 'gdsf', 's3-fifo', 'random', factory] as const) {
    expectTypeOf(eviction).toMatchTypeOf<NonNullable<CacheOptions['eviction']>>();
  }
  // @ts-expect-error no such store
  new CacheManager({ eviction: 'mru' });
}

// options are those that there are, with the values they take
{
  // @ts-expect-error `maxSize`
  new CacheManager({ max: 5 });
  // @ts-expect-error `copy` or `reference`
  new CacheManager({ values: 'clone' });
  // @ts-expect-error `single` or `multi`
  new CacheManager({ persist: true, mode: 'shared' });
  // @ts-expect-error `os` or `disk`
  new CacheManager({ persist: true, durability: 'fsync' });
  // @ts-expect-error no option of one call
  new CacheManager().set('search', 1, 1, { version: 2 });
  const cache = new CacheManager();
  // @ts-expect-error no such event
  cache.on('eviction', () => {});
}

// what is for tests has a path of its own
{
  const clock = new FakeClock();
  expectTypeOf(clock).toMatchTypeOf<Clock>();
  new CacheManager({ clock });
  expectTypeOf(storeContract).parameter(0).toEqualTypeOf<string | StoreFactory>();
}

// `undefined` is what is not given, as programs have it that read their environment
{
  const scope: string | undefined = process.env['TENANT'];
  const signal = undefined as AbortSignal | undefined;
  const ttl = undefined as '5m' | undefined;
  const cache = new CacheManager({
    scope,
    ttl,
    persistDir: scope,
    methods: { search: { ttl, tags: undefined } },
  });
  expectTypeOf(cache.getOrSet('search', {}, () => 1, { signal, scope })).resolves.toEqualTypeOf<number>();
  expectTypeOf(cache.get('search', {}, { scope })).resolves.toBeUnknown();
  cache.wrap(async (query: string) => query, { scope, ttl, circuitBreaker: { openFor: ttl } });
}
