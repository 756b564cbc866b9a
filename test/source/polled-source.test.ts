/** A list that is asked for now and then. */

import { afterEach, beforeEach, expect, it } from 'vitest';
import { BloomFilter, CacheManager, type CacheOptions, type Clock } from '../../src/index.js';
import { type PolledSourceOptions, polledSource } from '../../src/source/index.js';
import { FakeClock } from '../../src/testing/index.js';
import { gate, settle } from '../helper/gate.js';

let clock: FakeClock;
let cache: CacheManager;
let polls: number;
let answer: () => readonly string[] | Promise<readonly string[]>;
beforeEach(() => {
  clock = new FakeClock();
  cache = new CacheManager({ clock });
  polls = 0;
  answer = () => ['a'];
});
afterEach(() => cache.close());

const sourceOf = (more: Partial<PolledSourceOptions<string>> = {}) =>
  polledSource<string>({
    ...{ cache, method: 'prices', clock },
    poll: async () => {
      polls++;
      return answer();
    },
    ...more,
  });
const outage = () => {
  throw new Error('no network');
};

it('asks once for many, and once per ttl', async () => {
  const source = sourceOf();
  const all = await Promise.all([source.read(), source.read(), source.read()]);
  expect(all).toEqual(Array(3).fill({ rows: ['a'], polledAt: clock.now(), outage: undefined }));
  clock.advance(59_000);
  await source.read();
  expect(polls).toBe(1);
  clock.advance(1_000);
  answer = () => ['b'];
  expect((await source.read()).rows).toEqual(['b']);
  await source.invalidate();
  await source.read();
  expect(polls).toBe(3);
});

it('keeps nothing of a poll that came after its time', async () => {
  const late = gate();
  const source = sourceOf();
  answer = async () => {
    await late.promise;
    return ['late'];
  };
  const first = source.read().catch(() => undefined);
  await expect.poll(() => polls).toBe(1);
  clock.advance(30_000);
  await first;
  answer = () => ['new'];
  await source.invalidate();
  await expect.poll(async () => (await source.read().catch(() => undefined))?.rows).toEqual(['new']);
  late.open();
  await settle();
  await source.invalidate();
  answer = outage;
  expect((await source.read()).rows).toEqual(['new']);
});

it('tells an outage from an empty answer', async () => {
  const source = sourceOf();
  const began = clock.now();
  await source.read();
  clock.advance(60_000);
  answer = outage;
  expect(await source.read()).toEqual({ rows: ['a'], polledAt: began, outage: new Error('no network') });
  // The source is left alone for a while.
  await source.read();
  expect(polls).toBe(2);
  clock.advance(5_000);
  answer = () => [];
  expect(await source.read()).toEqual({ rows: [], polledAt: clock.now(), outage: undefined });
  clock.advance(60_000);
  answer = outage;
  expect(await source.read()).toMatchObject({ rows: [], outage: new Error('no network') });
  clock.advance(86_400_000);
  await expect(source.read()).rejects.toThrow('no network');
});

it('rejects with the source’s own error where there never was an answer', async () => {
  answer = outage;
  await expect(sourceOf().read()).rejects.toThrow('no network');
});

it.each<[string, () => unknown, RegExp]>([
  ['too many rows', () => ['a', 'b', 'c', 'd'], /`prices` gave 4 rows, more than `maxRows`: 3/],
  ['no list', () => 'html', /Expected `poll` of `prices` to give a list, got `'html'`/],
])('takes %s for an outage', async (_, wrong, message) => {
  const source = sourceOf({ maxRows: 3 });
  await source.read();
  clock.advance(60_000);
  answer = wrong as typeof answer;
  const { rows, outage: error } = await source.read();
  expect(rows).toEqual(['a']);
  expect(String(error)).toMatch(message);
});

it('does not wait for a source that hangs', async () => {
  const source = sourceOf({ timeout: '10s' });
  await source.read();
  clock.advance(60_000);
  answer = () => new Promise(() => undefined);
  const reading = source.read();
  await expect.poll(() => polls).toBe(2);
  clock.advance(10_000);
  expect(await reading).toMatchObject({ rows: ['a'], outage: { code: 'ERR_LOADER_TIMEOUT' } });
});

it('leaves a source that has hung alone for a while', async () => {
  const source = sourceOf({ timeout: '10s' });
  await source.read();
  clock.advance(60_000);
  answer = () => new Promise(() => undefined);
  const reading = source.read();
  await expect.poll(() => polls).toBe(2);
  clock.advance(10_000);
  await reading;
  for (let time = 0; time < 2; time++)
    expect(await source.read()).toMatchObject({ rows: ['a'], outage: { code: 'ERR_LOADER_TIMEOUT' } });
  clock.advance(4_999);
  await source.read();
  expect(polls).toBe(2);
  clock.advance(1);
  answer = () => ['b'];
  expect((await source.read()).rows).toEqual(['b']);
});

it('asks a source that has hung at once where that is wanted', async () => {
  const source = sourceOf({ timeout: '10s' });
  answer = () => new Promise(() => undefined);
  const reading = source.read().catch(() => undefined);
  await expect.poll(() => polls).toBe(1);
  clock.advance(10_000);
  await reading;
  await source.invalidate();
  answer = () => ['b'];
  expect((await source.read()).rows).toEqual(['b']);
});

it.each([
  [
    'of one process, in the same millisecond',
    () => Array<ReturnType<typeof sourceOf>>(2).fill(sourceOf()),
    0,
  ],
  ['of several processes', () => [sourceOf(), sourceOf()], 1],
] as const)(
  'keeps for an outage what was asked last %s, also where what was asked before comes later',
  async (_, make, ms) => {
    const late = gate();
    const [one, two] = make();
    answer = async () => {
      await late.promise;
      return ['old'];
    };
    const first = one!.read();
    await expect.poll(() => polls).toBe(1);
    clock.advance(ms);
    await two!.invalidate();
    answer = () => ['new'];
    await two!.read();
    late.open();
    await first;
    clock.advance(60_000);
    answer = outage;
    expect((await two!.read()).rows).toEqual(['new']);
  },
);

it('keeps for an outage what was asked last, though the clock was set back since', async () => {
  await cache.close();
  let setBack = 0;
  const shifted: Clock = {
    now: () => clock.now() - setBack,
    elapsed: () => clock.elapsed(),
    schedule: (callback, ms) => clock.schedule(callback, ms),
  };
  cache = new CacheManager({ clock: shifted });
  const source = sourceOf({ clock: shifted });
  await source.read();
  setBack = 3_600_000;
  clock.advance(60_000);
  answer = () => ['new'];
  await source.read();
  clock.advance(60_000);
  answer = outage;
  expect(await source.read()).toMatchObject({ rows: ['new'], outage: { message: 'no network' } });
});

it('asks a source that answers, though one that was asked before has hung', async () => {
  const source = sourceOf({ ttl: '1s', timeout: '10s' });
  answer = () => new Promise(() => undefined);
  const hung = source.read();
  await expect.poll(() => polls).toBe(1);
  await source.invalidate();
  answer = () => ['b'];
  await source.read();
  clock.advance(10_000);
  expect((await hung).outage).toMatchObject({ code: 'ERR_LOADER_TIMEOUT' });
  expect(await source.read()).toMatchObject({ rows: ['b'], outage: undefined });
});

it('gives rows that can’t be stored, and does without a cache that is closed', async () => {
  class Row {}
  const row = new Row();
  answer = () => [row as never];
  expect(await sourceOf().read()).toEqual({ rows: [row], polledAt: clock.now(), outage: undefined });
  await cache.close();
  answer = () => ['a'];
  expect((await sourceOf().read()).rows).toEqual(['a']);
  answer = outage;
  await expect(sourceOf().read()).rejects.toThrow('no network');
});

it('tells of an outage that gives no reason', async () => {
  const source = sourceOf();
  await source.read();
  clock.advance(60_000);
  answer = () => Promise.reject();
  expect(String((await source.read()).outage)).toMatch(/`poll` of `prices` to reject with an error/);
});

it('goes by its own options where the cache has others', async () => {
  await cache.close();
  const knownKeys = new BloomFilter({ capacity: 10 });
  cache = new CacheManager({ clock, knownKeys });
  expect((await sourceOf().read()).rows).toEqual(['a']);
  await cache.close();
  cache = new CacheManager({ clock, sliding: true, ttl: '1h', maxAge: '1d', jitter: 1, isError: () => true });
  const source = sourceOf();
  const before = polls;
  for (let time = 0; time < 6; time++) {
    await source.read();
    clock.advance(30_000);
  }
  expect(polls - before).toBe(3);
});

it('asks no source that is slow before the ttl is over where the cache refreshes ahead', async () => {
  await cache.close();
  cache = new CacheManager({ clock, refreshAhead: true, random: () => 1 - 1e-9 });
  const source = sourceOf();
  answer = () => {
    clock.advance(10_000);
    return ['a'];
  };
  await source.read();
  clock.advance(30_000);
  await source.read();
  await settle();
  expect(polls).toBe(1);
});

it.each<CacheOptions>([{ sliding: true, ttl: '2h', maxAge: '30d' }, { staleWhileRevalidate: '10d' }])(
  'keeps the last answer for no longer than it says where the cache has %o',
  async (options) => {
    await cache.close();
    cache = new CacheManager({ clock, ...options });
    const source = sourceOf({ keepFor: '1h' });
    await source.read();
    answer = outage;
    clock.advance(40 * 60_000);
    expect((await source.read()).rows).toEqual(['a']);
    clock.advance(40 * 60_000);
    await expect(source.read()).rejects.toThrow('no network');
  },
);

it.each([
  [{ clock: 'now' }, /Expected `clock` to be an object with a method `now\(\)`/],
  [{ poll: 'url' }, /Expected `poll` to be a function, got `'url'`/],
  [{ maxRows: 0 }, /Expected `maxRows` to be a positive integer/],
  [{ ttl: 0 }, /`ttl`/],
  [{ maxrows: 1 }, /did you mean `maxRows`/],
])('refuses %o', (options, message) => {
  expect(() => sourceOf(options as never)).toThrow(message);
});
