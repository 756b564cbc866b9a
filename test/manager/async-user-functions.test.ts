/** Functions of the user's that turn out to be async, and reject: they cost a count, never the process. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CacheManager } from '../../src/manager/cache-manager.js';
import type { CacheOptions } from '../../src/options.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { settle } from '../helper/gate.js';

const rejecting = (async () => {
  throw new Error('from an async function');
}) as never;

let unhandled: unknown[] = [];
const note = (error: unknown) => unhandled.push(error);
beforeEach(() => {
  unhandled = [];
  process.on('unhandledRejection', note);
});
afterEach(() => {
  process.off('unhandledRejection', note);
});

async function expectNoneUnhandled(): Promise<void> {
  await settle();
  await new Promise((resolve) => setImmediate(resolve));
  expect(unhandled).toEqual([]);
}

const filled = { size: 0, capacity: 1 };

class Money {
  readonly amount = 1;
}
const codec = { tag: 'money', test: (value: unknown): value is Money => value instanceof Money };

describe('an async function in the place of one that answers at once', () => {
  it.each<[string, Partial<CacheOptions>, { readonly isStored: boolean }]>([
    ['tags', { tags: rejecting }, { isStored: false }],
    ['ttl', { ttl: rejecting }, { isStored: false }],
    ['isError', { isError: rejecting }, { isStored: false }],
    ['isNegative', { isNegative: rejecting, negativeTtl: 10 }, { isStored: false }],
    ['cost', { cost: rejecting }, { isStored: false }],
    [
      'knownKeys.mayHave',
      { knownKeys: { mayHave: rejecting, add: () => undefined, ...filled } },
      { isStored: true },
    ],
    ['knownKeys.add', { knownKeys: { mayHave: () => true, add: rejecting, ...filled } }, { isStored: true }],
    [
      'codecs.test',
      { codecs: [{ ...codec, test: rejecting, encode: () => 1, decode: () => 1 }] },
      { isStored: false },
    ],
    ['codecs.encode', { codecs: [{ ...codec, encode: rejecting, decode: () => 1 }] }, { isStored: false }],
  ])('is counted as `%s`, and the tool’s answer is handed out', async (name, options, { isStored }) => {
    for (const isSync of [false, true]) {
      const cache = new CacheManager({ clock: new FakeClock(), ...options });
      const errors: string[] = [];
      cache.on('error', ({ error }) => errors.push(error.message));
      cache.on('uncached', ({ cause }) => errors.push(String((cause as Error).message)));
      const answer = name.startsWith('codecs') ? new Money() : { found: 1 };
      const answering = (_: string) => answer;
      const named = { name: 'tool' };
      const tool: (query: string) => unknown = isSync
        ? cache.wrapSync(answering, named)
        : cache.wrap(answering, named);
      expect(await tool('a')).toEqual(answer);
      expect(await cache.has('tool', ['a'])).toBe(isStored);
      expect(errors.length).toBeGreaterThan(0);
      if (!name.startsWith('codecs')) expect(cache.stats().cacheErrors).toBeGreaterThan(0);
      await expectNoneUnhandled();
    }
  });

  it.each<[string, object]>([
    ['key', { key: rejecting }],
    ['scope', { scope: rejecting }],
  ])('is counted as `%s`, and the call runs uncached', async (_, options) => {
    const cache = new CacheManager({ clock: new FakeClock() });
    const tool = cache.wrap(async (query: string) => query, { name: 'tool', ...options });
    expect(await tool('a')).toBe('a');
    const sync = cache.wrapSync((query: string) => query, { name: 'tool', ...options });
    expect(sync('a')).toBe('a');
    expect(cache.stats()).toMatchObject({ cacheErrors: 2, uncached: 2, entries: 0 });
    await expectNoneUnhandled();
  });

  it.each<[string, Partial<CacheOptions>]>([
    ['cacheErrors', { cacheErrors: rejecting }],
    ['circuitBreaker.isFailure', { circuitBreaker: { isFailure: rejecting } }],
  ])('is counted as `%s`, and the tool’s error is thrown', async (_, options) => {
    const cache = new CacheManager({ clock: new FakeClock(), ...options });
    const failing = async () => {
      throw new Error('tool failed');
    };
    await expect(cache.getOrSet('tool', 1, failing)).rejects.toThrow('tool failed');
    expect(cache.stats().cacheErrors).toBe(1);
    await expectNoneUnhandled();
  });

  it('as the factory of a store is refused', async () => {
    expect(() => new CacheManager({ eviction: rejecting })).toThrow(
      /`eviction\(options\)` to return at once/,
    );
    await expectNoneUnhandled();
  });

  it('that is not async but gives a promise that resolves is no answer either', async () => {
    const isError = (async () => true) as never;
    const cache = new CacheManager({ clock: new FakeClock(), isError });
    expect(await cache.getOrSet('tool', 1, () => 'failed')).toBe('failed');
    expect(await cache.has('tool', 1)).toBe(false);
    expect(cache.stats().cacheErrors).toBe(1);
  });

  it('keeps rules equal that are made from one function', async () => {
    const isFailure = () => true;
    const cache = new CacheManager({ clock: new FakeClock() });
    const circuitBreaker = { failures: 1, isFailure };
    const failing = cache.wrap(() => Promise.reject(new Error('a')), { name: 'tool', circuitBreaker });
    const other = cache.wrap(async () => 1, { name: 'tool', circuitBreaker: { ...circuitBreaker } });
    await expect(failing()).rejects.toThrow('a');
    await expect(other()).rejects.toMatchObject({ code: 'ERR_CIRCUIT_OPEN' });
  });

  it('as `setTtl` is given a promise, the answer is handed out and not stored', async () => {
    const cache = new CacheManager({ clock: new FakeClock() });
    const answer = await cache.getOrSet('tool', 1, ({ setTtl }) => {
      setTtl((rejecting as () => never)());
      return 'answer';
    });
    expect(answer).toBe('answer');
    expect(cache.stats().cacheErrors).toBe(1);
    await expectNoneUnhandled();
  });
});

describe('a list that throws after an item that fails', () => {
  const unhashable = () => 1;
  const params = function* () {
    yield unhashable;
    throw new Error('the list failed');
  };
  const pairs = function* () {
    yield [unhashable, 1] as const;
    throw new Error('the list failed');
  };

  it.each<[string, (cache: CacheManager) => Promise<unknown>]>([
    ['getMany', (cache) => cache.getMany('tool', params())],
    ['setMany', (cache) => cache.setMany('tool', pairs())],
    ['deleteMany', (cache) => cache.deleteMany('tool', params())],
  ])('makes `%s` reject with the list’s error alone', async (_, run) => {
    const cache = new CacheManager({ clock: new FakeClock() });
    await expect(run(cache)).rejects.toThrow('the list failed');
    await expectNoneUnhandled();
  });
});
