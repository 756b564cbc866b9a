import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { CacheManager } from '../../src/manager/cache-manager.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { gate, settle } from '../helper/gate.js';

const newCache = () => new CacheManager({ clock: new FakeClock() });

it.each<[string, (cache: CacheManager) => unknown]>([
  ['wrapped', (cache) => cache.wrap(class Search {})],
  ['wrapped under a name', (cache) => cache.wrap(class {}, { name: 'search' })],
  ['under wrapSync', (cache) => cache.wrapSync(class Search {})],
])('a class is refused with the fix: %s', (_, wrap) => {
  expect(() => wrap(newCache())).toThrow(
    expect.objectContaining({
      code: 'ERR_INVALID_ARGUMENT',
      message: expect.stringMatching(/got the class `(?:Search)?`: decorate its methods/),
    }),
  );
});

describe('a generator', () => {
  async function* pages() {
    yield 1;
  }
  function* numbers() {
    yield 1;
  }

  it.each<[string, (cache: CacheManager) => unknown]>([
    ['wrapped', (cache) => cache.wrap(pages)],
    ['wrapped under a name', (cache) => cache.wrap(pages, { name: 'pages' })],
    ['that is synchronous', (cache) => cache.wrap(numbers)],
    ['under wrapSync', (cache) => cache.wrapSync(numbers as unknown as () => number[])],
    [
      'decorated',
      (cache) => {
        const descriptor = { value: pages, configurable: true, writable: true };
        return (cache.cached as (...args: unknown[]) => unknown)(
          class Tools {}.prototype,
          'pages',
          descriptor,
        );
      },
    ],
  ])('is refused with the fix: %s', (_, wrap) => {
    expect(() => wrap(newCache())).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_ARGUMENT',
        message: expect.stringMatching(/for await.*push/),
      }),
    );
  });

  it('takes no name from the function that is wrapped in its place', async () => {
    const cache = newCache();
    expect(() => cache.wrap(pages)).toThrow();
    const collected = { pages: async () => Array.from([1]) };
    expect(await cache.wrap(collected.pages)()).toEqual([1]);
  });
});

describe('a tool whose results can’t be stored', () => {
  let warn: MockInstance;
  beforeEach(() => {
    warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  });
  afterEach(() => warn.mockRestore());

  class Handle {}

  it('is called at once for concurrent callers from its second load on, and warned of once', async () => {
    const gates = [gate<Handle>(), gate<Handle>()];
    let round = 0;
    let calls = 0;
    const cache = newCache();
    const tool = cache.wrap(
      () => {
        calls++;
        return (gates[round] as (typeof gates)[0]).promise;
      },
      { name: 'open' },
    );
    const first = [tool(), tool()];
    gates[0]?.open(new Handle());
    await Promise.all(first);
    round = 1;
    calls = 0;
    const second = [tool(), tool(), tool()];
    await settle();
    expect(calls).toBe(3);
    gates[1]?.open(new Handle());
    for (const result of await Promise.all(second)) expect(result).toBeInstanceOf(Handle);
    expect(calls).toBe(3);
    const warnings = warn.mock.calls.filter(([, options]) => options?.code === 'TOOLSTASH_UNSTORABLE_RESULT');
    expect(warnings.map(([message]) => message)).toEqual([expect.stringMatching(/`open`.*Handle.*`codecs`/)]);
  });

  it('shares its loads again once a result could be stored', async () => {
    const results: unknown[] = [new Handle(), 1];
    const tool = vi.fn(async (_id: number) => results.shift() ?? 2);
    const wrapped = newCache().wrap(tool, { name: 'open' });
    await wrapped(1);
    await wrapped(2);
    await Promise.all([wrapped(3), wrapped(3)]);
    expect(tool).toHaveBeenCalledTimes(3);
  });

  it('that waits for itself still fails rather than running for ever', async () => {
    const cache = newCache();
    let isNested = false;
    const open = async (): Promise<unknown> =>
      isNested ? await cache.getOrSet('open', 1, open) : new Handle();
    await cache.getOrSet('open', 1, open);
    isNested = true;
    await expect(cache.getOrSet('open', 1, open)).rejects.toMatchObject({ code: 'ERR_REENTRANT_LOAD' });
  });
});
