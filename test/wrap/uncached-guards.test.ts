/** Calls that run without the cache still obey what protects their tool. */

import { describe, expect, it, vi } from 'vitest';
import { CacheManager, type CacheOptions, type WrapOptions } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { gate, settle } from '../helper/gate.js';

const noKey = () => 0;

type Tool = (...args: unknown[]) => unknown;

/** Ways to make a call that the cache has no part in. */
const ways: [string, (cache: CacheManager, tool: Tool, options: WrapOptions) => () => Promise<unknown>][] = [
  [
    'params that can not be hashed',
    (cache, tool, options) => {
      const wrapped = cache.wrap(tool, { name: 'tool', ...options } as object);
      return () => wrapped(noKey);
    },
  ],
  [
    'params that can not be told',
    (cache, tool, options) => {
      const key = () => {
        throw new Error('no key');
      };
      const wrapped = cache.wrap(tool, { name: 'tool', key, ...options } as object);
      return () => wrapped(1);
    },
  ],
  [
    'arguments that throw when they are read',
    (cache, tool, options) => {
      const wrapped = cache.wrap(tool, { name: 'tool', ...options } as object);
      const argument = {
        get query() {
          throw new Error('not to be read');
        },
      };
      return () => wrapped(argument);
    },
  ],
  [
    'a further instance',
    (cache, tool, options) => {
      const first = {};
      const wrapped = cache.wrap(
        async function (this: unknown) {
          return this === first || tool();
        },
        { name: 'tool', ...options } as object,
      );
      void wrapped.call(first);
      return () => wrapped.call({});
    },
  ],
  ['a loader of `getOrSet`', (cache, tool) => () => cache.getOrSet('tool', noKey, () => tool())],
  [
    'a `refresh`',
    (cache, tool, options) => {
      const wrapped = cache.wrap(tool, { name: 'tool', ...options } as object);
      return () => wrapped.refresh(noKey);
    },
  ],
];

describe.each(ways)('a call without the cache, because of %s,', (_, make) => {
  async function setUp(tool: Tool, options: CacheOptions) {
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const clock = new FakeClock();
    const cache = new CacheManager({ clock, ...options });
    const call = make(cache, tool, {});
    await settle();
    return { clock, cache, call };
  }

  it('waits for its turn', async () => {
    const answers = gate<number>();
    let running = 0;
    let most = 0;
    const tool = async () => {
      most = Math.max(most, ++running);
      const answer = await answers.promise;
      running--;
      return answer;
    };
    const { cache, call } = await setUp(tool, { concurrency: { limit: 2, queueLimit: 2 } });
    const calls = [call(), call(), call(), call()];
    await expect(call()).rejects.toMatchObject({ code: 'ERR_QUEUE_FULL' });
    expect(cache.stats('tool')).toMatchObject({ running: 2, queued: 2, queueRejections: 1, uncached: 5 });
    answers.open(1);
    expect(await Promise.all(calls)).toEqual([1, 1, 1, 1]);
    expect(most).toBe(2);
    expect(cache.stats('tool')).toMatchObject({ running: 0, queued: 0 });
  });

  it('is refused while the circuit is open, and counts for the breaker', async () => {
    const tool = vi.fn(async () => {
      throw new Error('down');
    });
    const { clock, cache, call } = await setUp(tool, { circuitBreaker: { failures: 2, openFor: 100 } });
    await expect(call()).rejects.toThrow('down');
    await expect(call()).rejects.toThrow('down');
    await expect(call()).rejects.toMatchObject({ code: 'ERR_CIRCUIT_OPEN' });
    expect(tool).toHaveBeenCalledTimes(2);
    expect(cache.stats('tool')).toMatchObject({ circuit: 'open', circuitRejections: 1 });
    clock.advance(100);
    tool.mockImplementation((async () => 'up') as never);
    expect(await call()).toBe('up');
    expect(cache.stats('tool').circuit).toBe('closed');
  });

  it('counts a result that is an error as a failure', async () => {
    const { call } = await setUp(async () => 'error', {
      circuitBreaker: { failures: 1 },
      isError: (value) => value === 'error',
    });
    expect(await call()).toBe('error');
    await expect(call()).rejects.toMatchObject({ code: 'ERR_CIRCUIT_OPEN' });
  });

  it('waits no longer than `hardTimeout`', async () => {
    const { clock, cache, call } = await setUp(() => new Promise(() => {}), { hardTimeout: 100 });
    const outcome = expect(call()).rejects.toMatchObject({
      code: 'ERR_LOADER_TIMEOUT',
      message: expect.stringMatching(/`tool` \(call without a key\) took longer than 100 ms/),
    });
    await settle();
    clock.advance(100);
    await outcome;
    expect(cache.stats('tool').hardTimeouts).toBe(1);
  });
});

describe('a call without the cache that has an abort signal', () => {
  it('is not made when it is aborted already', async () => {
    const tool = vi.fn(async (..._args: unknown[]) => 1);
    const wrapped = new CacheManager().wrap(tool, { name: 'tool' });
    await expect(wrapped(noKey, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
    expect(tool).not.toHaveBeenCalled();
  });

  it.each([
    ['unguarded', {}],
    ['in line', { concurrency: 1 }],
    ['under a circuit breaker', { circuitBreaker: true }],
  ])('ends the wait, and reaches the tool: %s', async (_, options: CacheOptions) => {
    const cache = new CacheManager({ clock: new FakeClock(), ...options });
    let seen: AbortSignal | undefined;
    const tool = (_noKey: unknown, signal: AbortSignal) => {
      seen = signal;
      return new Promise(() => {});
    };
    const wrapped = cache.wrap(tool, { name: 'tool' });
    const controller = new AbortController();
    const call = wrapped(noKey, controller.signal);
    await settle();
    controller.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
    expect(seen?.aborted).toBe(true);
    expect(cache.stats('tool').running).toBe(0);
  });

  it('gives its place in line back', async () => {
    const cache = new CacheManager({ clock: new FakeClock(), concurrency: 1 });
    const answers = gate<number>();
    const tool = vi.fn((..._args: unknown[]) => answers.promise);
    const wrapped = cache.wrap(tool, { name: 'tool' });
    const first = wrapped(noKey);
    const controller = new AbortController();
    const waiting = wrapped(noKey, controller.signal);
    controller.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    expect(cache.stats('tool')).toMatchObject({ running: 1, queued: 0 });
    answers.open(1);
    expect(await first).toBe(1);
    expect(tool).toHaveBeenCalledTimes(1);
  });
});

describe('results that can not be shared', () => {
  it('are fetched by each caller in turn', async () => {
    const cache = new CacheManager({ clock: new FakeClock(), concurrency: 1 });
    let running = 0;
    let most = 0;
    const wrapped = cache.wrap(
      async (_query: string) => {
        most = Math.max(most, ++running);
        await settle();
        running--;
        return new ReadableStream();
      },
      { name: 'stream' },
    );
    const streams = await Promise.all([wrapped('a'), wrapped('a'), wrapped('a')]);
    expect(new Set(streams).size).toBe(3);
    expect(most).toBe(1);
  });

  it('may be fetched from within another call of a tool that runs once at a time', async () => {
    const cache = new CacheManager({ clock: new FakeClock(), concurrency: 1 });
    const wrapped: (depth: number, noKey: unknown) => Promise<number> = cache.wrap(
      async (depth: number, callback: unknown): Promise<number> =>
        depth === 0 ? 0 : 1 + (await wrapped(depth - 1, callback)),
      { name: 'nested' },
    );
    expect(await wrapped(5, noKey)).toBe(5);
  });
});

describe('a synchronous call without the cache', () => {
  it('is refused while the circuit is open', () => {
    const cache = new CacheManager({ clock: new FakeClock(), circuitBreaker: { failures: 1 } });
    const tool = vi.fn((..._args: unknown[]) => {
      throw new Error('down');
    });
    const wrapped = cache.wrapSync(tool, { name: 'tool' });
    expect(() => wrapped(noKey)).toThrow('down');
    expect(() => wrapped(noKey)).toThrow(expect.objectContaining({ code: 'ERR_CIRCUIT_OPEN' }));
    expect(tool).toHaveBeenCalledTimes(1);
    expect(cache.stats('tool').uncached).toBe(2);
  });

  it('is not made when it is aborted already', () => {
    const tool = vi.fn((..._args: unknown[]) => 1);
    const wrapped = new CacheManager().wrapSync(tool, { name: 'tool' });
    expect(() => wrapped(noKey, AbortSignal.abort(new Error('enough')))).toThrow('enough');
    expect(tool).not.toHaveBeenCalled();
  });
});
