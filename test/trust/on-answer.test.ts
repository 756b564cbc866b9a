/** Where the answers of a cache come from, for a listener of all of them. */

import { beforeEach, describe, expect, it, vi } from 'vitest';
import { BloomFilter, CacheManager, type CacheOptions } from '../../src/index.js';
import { Rollout, type RolloutEnvironment } from '../../src/rollout/index.js';
import { FakeClock } from '../../src/testing/index.js';
import { type CacheAnswer, onAnswer } from '../../src/trust/index.js';
import { gate } from '../helper/gate.js';
import { MapTier } from '../helper/map-tier.js';

let answers: CacheAnswer[];
let clock: FakeClock;
beforeEach(() => {
  answers = [];
  clock = new FakeClock();
});

const observed = (options: CacheOptions = {}, tiers: readonly MapTier[] = []) => {
  const cache = new CacheManager({ clock, ...options }, tiers);
  return { cache, stop: onAnswer(cache, (answer) => answers.push(answer)) };
};
const told = () => answers.map(({ method, source, ageMs, isStale }) => [method, source, ageMs, isStale]);

describe('a listener is told of every answer', () => {
  it('from the tool, from memory with its age, and of those who joined', async () => {
    const { cache, stop } = observed();
    const search = cache.wrap(async (query: string) => ({ query }), { name: 'search' });
    const { promise, open } = gate();
    const loading = [0, 1].map(() => cache.getOrSet('slow', 1, () => promise.then(() => 1)));
    open();
    await Promise.all(loading);
    await search('a');
    clock.advance(50);
    await search('a');
    await cache.getOrSet('slow', 1, () => 2);
    expect(await cache.get('slow', 1)).toBe(1);
    await cache.lookup('nothing', 1);
    await cache.refresh('slow', 1, () => 3);
    expect(told()).toEqual([
      ['slow', 'tool', 0, false],
      ['slow', 'coalesced', 0, false],
      ['search', 'tool', 0, false],
      ['search', 'memory', 50, false],
      ['slow', 'memory', 50, false],
      ['slow', 'memory', 50, false],
      ['slow', 'tool', 0, false],
    ]);
    expect(answers[3]?.key).toBe(search.key('a'));
    stop();
    await search('a');
    expect(answers).toHaveLength(7);
  });

  it('stale ones, from a slower tier, past the cache, and of keys that do not exist', async () => {
    const tier = new MapTier();
    const first = new CacheManager({ clock }, [tier]);
    await first.set('search', 'a', [1]);
    await first.close();
    clock.advance(10);
    const { cache } = observed(
      {
        methods: {
          swr: { ttl: 10, staleWhileRevalidate: 100 },
          known: { knownKeys: new BloomFilter({ capacity: 10 }) },
        },
      },
      [tier],
    );
    expect(await cache.getOrSet('search', 'a', () => 'not run')).toEqual([1]);
    await cache.set('swr', 1, 'old');
    clock.advance(20);
    expect(await cache.getOrSet('swr', 1, () => 'new')).toBe('old');
    await cache.getOrSet(
      'unhashable',
      () => 1,
      () => 'run',
    );
    await cache.getOrSet('known', 1, () => 'not run');
    expect(told()).toEqual([
      ['search', 'disk', 10, false],
      ['swr', 'memory', 20, true],
      ['unhashable', 'uncached', 0, false],
      ['known', 'unknownKey', 0, false],
    ]);
    expect(answers[2]?.key).toBeUndefined();
  });

  it('stale ones in place of errors, and none of calls that fail', async () => {
    const { cache } = observed({ ttl: 10, staleIfError: 1000 });
    await cache.set('search', 1, 'old');
    clock.advance(20);
    const fails = () => Promise.reject(new Error('down'));
    expect(await cache.getOrSet('search', 1, fails)).toBe('old');
    await expect(cache.getOrSet('search', 2, fails)).rejects.toThrow('down');
    expect(told()).toEqual([['search', 'memory', 20, true]]);
  });

  it('of functions that return at once', () => {
    const { cache } = observed();
    const double = cache.wrapSync((n: number) => 2 * n, { name: 'double' });
    double(1);
    double(1);
    double.refresh(1);
    expect(told().map(([, source]) => source)).toEqual(['tool', 'memory', 'tool']);
  });

  it('of rollouts, with the chains of what they depend on', async () => {
    const { cache } = observed();
    const effects = { read: { reads: ['n'] }, put: { writes: ['n'] }, now: 'opaque' } as const;
    for (const id of [0, 1]) {
      const rollout = new Rollout(cache, { effects, task: 't', id });
      await rollout.call('read', {}, () => 1);
      await rollout.call('put', {}, () => 'done');
      await rollout.call('read', {}, () => 2);
      await rollout.call('now', {}, () => 3);
    }
    const sources = answers.map(({ method, source }) => `${method} ${source}`);
    expect(sources).toEqual([
      ...['read tool', 'put uncached', 'read tool', 'now uncached'],
      ...['read memory', 'put uncached', 'read memory', 'now uncached'],
    ]);
    expect(answers[0]?.chains).toEqual({ n: '' });
    expect(answers[2]?.chains?.['n']).toMatch(/^[0-9a-f]{32}$/);
    expect(answers[6]?.chains).toEqual(answers[2]?.chains);
    const environment: RolloutEnvironment = {
      replay: (writes: readonly unknown[]) => writes.map(() => 'done'),
    };
    for (const id of [2, 3])
      await new Rollout(cache, { effects, task: 't', id, environment }).call('put', {}, () => 'done');
    expect(answers.slice(8)).toMatchObject([
      { source: 'tool', chains: { n: '' } },
      { source: 'memory', chains: { n: '' } },
    ]);
  });
});

it('a listener that fails costs nobody an answer', async () => {
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  const cache = new CacheManager();
  onAnswer(cache, () => {
    throw new Error('listener');
  });
  onAnswer(cache, async () => {
    throw new Error('later');
  });
  expect(await cache.getOrSet('search', 1, () => 1)).toBe(1);
  await vi.waitFor(() => expect(warned).toHaveBeenCalledTimes(2));
  expect(warned.mock.calls.map(([text]) => String(text).slice(0, 38))).toEqual([
    'A listener of `onAnswer` failed: Error',
    'A listener of `onAnswer` failed: Error',
  ]);
  warned.mockRestore();
});

it.each([
  [new Map(), console.log, 'Expected `onAnswer(cache, listener)` with a `CacheManager`, got `Map(0) {}`'],
  [undefined, console.log, 'got `undefined`'],
  [new CacheManager(), 7, 'Expected `listener` to be a function, got `7`'],
])('refuses %o and %o', (cache, listener, message) => {
  expect(() => onAnswer(cache as never, listener as never)).toThrow(message);
});
