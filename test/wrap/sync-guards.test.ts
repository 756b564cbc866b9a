/** Guards around tools that return at once: those that can act, and those that are refused. */

import { describe, expect, it, vi } from 'vitest';
import { BloomFilter, CacheManager, type MethodOptions, type SyncWrapOptions } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';

/** A tool that answers with how often it was called, or fails when told to. */
/** What `tool` takes. */
type Options = SyncWrapOptions<unknown, [id: number]>;

function makeTool(options: Options, cacheOptions: MethodOptions = {}) {
  const clock = new FakeClock();
  const cache = new CacheManager({ clock, ...cacheOptions });
  const state = { fails: false, answer: undefined as unknown };
  let calls = 0;
  const tool = vi.fn((_id: number) => {
    calls++;
    if (state.fails) throw new Error(`call ${calls} failed`);
    return state.answer ?? calls;
  });
  const ask = cache.wrapSync(tool, { name: 'tool', ...options });
  return { clock, cache, tool, ask, state };
}

describe('a synchronous tool that fails', () => {
  it('is answered for by the last good value within `staleIfError`', () => {
    const { clock, cache, ask, state } = makeTool({ ttl: 10, staleIfError: 100 });
    expect(ask(1)).toBe(1);
    clock.advance(10);
    state.fails = true;
    expect(ask(1)).toBe(1);
    clock.advance(100);
    expect(() => ask(1)).toThrow('call 3 failed');
    expect(cache.stats('tool')).toMatchObject({ staleHits: 1, staleIfErrors: 1, loadErrors: 2, misses: 3 });
  });

  it('is not answered for by what its own failing call deleted', () => {
    const clock = new FakeClock();
    const cache = new CacheManager({ clock, ttl: 10, staleIfError: 100 });
    let fails = false;
    const ask = cache.wrapSync(
      (id: number) => {
        if (fails) {
          void cache.delete('tool', [id]);
          throw new Error('gone');
        }
        return id;
      },
      { name: 'tool' },
    );
    ask(1);
    clock.advance(10);
    fails = true;
    expect(() => ask(1)).toThrow('gone');
  });

  it('shows its failure in `refresh`, whatever stale value there is', () => {
    const { clock, ask, state } = makeTool({ ttl: 10, staleIfError: 100 });
    ask(1);
    clock.advance(10);
    state.fails = true;
    expect(() => ask.refresh(1)).toThrow('call 2 failed');
  });

  it('throws an equal error again for as long as `cacheErrors` says, and a new one after `refresh`', () => {
    const { clock, cache, tool, ask, state } = makeTool({ cacheErrors: () => '1m' });
    const errors: unknown[] = [];
    cache.on('errorHit', ({ error }) => errors.push(error));
    state.fails = true;
    expect(() => ask(1)).toThrow('call 1 failed');
    expect(() => ask(1)).toThrow('call 1 failed');
    expect(() => ask(2)).toThrow('call 2 failed');
    expect(() => ask.refresh(1)).toThrow('call 3 failed');
    expect(() => ask(1)).toThrow('call 3 failed');
    expect(tool).toHaveBeenCalledTimes(3);
    expect(errors).toHaveLength(2);
    clock.advance(60_000);
    state.fails = false;
    expect(ask(1)).toBe(4);
    expect(cache.stats('tool')).toMatchObject({ errorHits: 2, loadErrors: 3, misses: 3 });
  });

  it('forgets a remembered error at a `refresh`, whatever comes of that', () => {
    const { ask, state } = makeTool({
      cacheErrors: (error) => ((error as Error).message.startsWith('call 1') ? '1m' : false),
    });
    state.fails = true;
    expect(() => ask(1)).toThrow('call 1 failed');
    expect(() => ask.refresh(1)).toThrow('call 2 failed');
    expect(() => ask(1)).toThrow('call 3 failed');
  });

  it('has its remembered error replaced by a stale value', () => {
    const { clock, tool, ask, state } = makeTool({ ttl: 10, staleIfError: 100, cacheErrors: () => 50 });
    ask(1);
    clock.advance(10);
    state.fails = true;
    expect([ask(1), ask(1)]).toEqual([1, 1]);
    expect(tool).toHaveBeenCalledTimes(2);
  });

  it('forgets a remembered error once it is deleted or told to be invalid', async () => {
    const { cache, tool, ask, state } = makeTool({ cacheErrors: () => '1m', tags: ['all'] });
    state.fails = true;
    expect(() => ask(1)).toThrow();
    ask.invalidate(1);
    expect(() => ask(1)).toThrow('call 2 failed');
    await cache.invalidateTags(['all']);
    expect(() => ask(1)).toThrow('call 3 failed');
    expect(tool).toHaveBeenCalledTimes(3);
  });

  it('is left alone by its circuit breaker, and tried again with one call', () => {
    const { clock, cache, tool, ask, state } = makeTool({ circuitBreaker: { failures: 2, openFor: 100 } });
    const rejected: string[] = [];
    cache.on('rejected', ({ reason, key }) => rejected.push(`${reason} ${key}`));
    state.fails = true;
    for (const id of [1, 2]) expect(() => ask(id)).toThrow('failed');
    expect(() => ask(3)).toThrow(expect.objectContaining({ code: 'ERR_CIRCUIT_OPEN' }));
    expect(tool).toHaveBeenCalledTimes(2);
    expect(rejected).toEqual([`circuit ${ask.key(3)}`]);
    expect(cache.stats('tool')).toMatchObject({ circuit: 'open', circuitRejections: 1, loadErrors: 2 });
    clock.advance(100);
    state.fails = false;
    expect(ask(3)).toBe(3);
    expect(cache.stats('tool').circuit).toBe('closed');
  });

  it('does not remember that the circuit was open', () => {
    const { clock, ask, state } = makeTool({
      circuitBreaker: { failures: 1, openFor: 10 },
      cacheErrors: () => '1m',
    });
    state.fails = true;
    expect(() => ask(1)).toThrow('call 1 failed');
    expect(() => ask(2)).toThrow('too often');
    clock.advance(10);
    state.fails = false;
    expect(ask(2)).toBe(2);
  });

  it('is answered for by a stale value while the circuit is open', () => {
    const { clock, ask, state, tool } = makeTool({
      ...{ ttl: 10, staleIfError: '1h' },
      circuitBreaker: { failures: 1 },
    });
    ask(1);
    clock.advance(10);
    state.fails = true;
    expect([ask(1), ask(1)]).toEqual([1, 1]);
    expect(tool).toHaveBeenCalledTimes(2);
  });

  it('counts what `isFailure` says, and survives one that throws', () => {
    const { cache, ask, state } = makeTool({
      circuitBreaker: {
        failures: 1,
        isFailure: (error) => !(error as Error).message.startsWith('call 1'),
      },
    });
    state.fails = true;
    expect(() => ask(1)).toThrow('call 1');
    expect(() => ask(1)).toThrow('call 2');
    expect(() => ask(1)).toThrow('too often');
    expect(cache.stats('tool').loadErrors).toBe(2);
  });

  it('may say so in its result: `isError` counts, is handed out, and gives way to a stale value', () => {
    const { clock, cache, ask, state } = makeTool({
      ...{ ttl: 10, staleIfError: 10, circuitBreaker: { failures: 2 } },
      isError: (value) => value === 'broken',
    });
    ask(1);
    clock.advance(10);
    state.answer = 'broken';
    expect(ask(1)).toBe(1);
    expect(ask(2)).toBe('broken');
    expect(() => ask(2)).toThrow('too often');
    expect(cache.stats('tool')).toMatchObject({ loadErrors: 2, entries: 1 });
  });
});

describe('a synchronous tool', () => {
  it('is not called for keys that surely do not exist', () => {
    const knownKeys = new BloomFilter({ capacity: 10 });
    const { cache, tool, ask } = makeTool({ knownKeys });
    expect(ask(1)).toBeUndefined();
    expect(tool).not.toHaveBeenCalled();
    knownKeys.add(ask.key(1));
    expect(ask(1)).toBe(1);
    expect(ask.refresh(2)).toBe(2);
    expect(cache.stats('tool')).toMatchObject({ unknownKeys: 1, misses: 2 });
    expect(knownKeys.mayHave(ask.key(2))).toBe(true);
  });

  it('runs when its guards themselves fail, which is counted', () => {
    const fails = () => {
      throw new Error('guard failed');
    };
    const { cache, ask, state } = makeTool({
      knownKeys: { size: 0, capacity: 1, add: fails, mayHave: fails },
      cacheErrors: fails,
      isError: fails,
    });
    expect(ask(1)).toBe(1);
    state.fails = true;
    expect(() => ask(2)).toThrow('call 2 failed');
    expect(cache.stats('tool').cacheErrors).toBeGreaterThanOrEqual(3);
  });

  it.each<[string, Options, number, number]>([
    ['jitter', { ttl: 100, jitter: 0.5 }, 75, 1],
    ['negativeTtl', { ttl: 100, negativeTtl: 20, isNegative: () => true }, 20, 1],
    ['memoryTtl', { ttl: 100, memoryTtl: 30 }, 30, 1],
    ['sliding', { ttl: 100, sliding: true, maxAge: 1000 }, 100, 1],
  ])('keeps its results for as long as `%s` says', (_, options, lifetime, calls) => {
    const { clock, tool, ask } = makeTool(options, { random: () => 0.5 } as MethodOptions);
    ask(1);
    clock.advance(lifetime - 1);
    ask(1);
    expect(tool).toHaveBeenCalledTimes(calls);
    clock.advance(options.sliding === true ? lifetime : 1);
    ask(1);
    expect(tool).toHaveBeenCalledTimes(calls + 1);
  });

  it('has its results made invalid by their tags', async () => {
    const { cache, ask } = makeTool({ tags: (value) => [`answer ${value}`] });
    ask(1);
    ask(2);
    await cache.invalidateTags(['answer 1']);
    expect([ask(1), ask(2)]).toEqual([3, 2]);
  });
});

describe('options that need time to pass during a call', () => {
  it.each<[string, object]>([
    ['staleWhileRevalidate', { staleWhileRevalidate: '1m' }],
    ['refreshAhead', { refreshAhead: true }],
    ['softTimeout', { softTimeout: 100 }],
    ['hardTimeout', { hardTimeout: 100 }],
    ['concurrency', { concurrency: { limit: 1 } }],
  ])('are refused, with the reason: %s', (name, options) => {
    const cache = new CacheManager({ clock: new FakeClock() });
    const refusal = new RegExp(
      `\`${name}\` can't work .* at once, because .*: .*, or wrap an async function`,
    );
    expect(() => cache.wrapSync(() => 1, { name: 'tool', ...options })).toThrow(refusal);
    expect(() => cache.cachedSync(options)).toThrow(refusal);
    expect(() => cache.wrap(() => 1, { name: 'tool', staleIfError: '1m', ...options })).not.toThrow();
  });

  it('may be switched off, and may come from the cache, where others need them', () => {
    const cache = new CacheManager({
      ...{ clock: new FakeClock(), staleWhileRevalidate: '1m', hardTimeout: '1s', concurrency: 1 },
      ...{ refreshAhead: true, staleIfError: '1m', softTimeout: 5 },
    });
    const off = { staleWhileRevalidate: 0, refreshAhead: false, softTimeout: false, hardTimeout: false };
    expect(cache.wrapSync(() => 1, { name: 'off', ...off } as SyncWrapOptions)()).toBe(1);
    expect(cache.wrapSync(() => 1, { name: 'inherited' })()).toBe(1);
  });
});
