/** Answers of calls that are only like the one that was asked for. */

import { expect, it, vi } from 'vitest';
import type { CacheManager } from '../../src/index.js';
import type { AnsweredCall } from '../../src/recording/index.js';
import {
  type Answer,
  type RecordedWrite,
  Rollout,
  type RolloutEnvironment,
} from '../../src/rollout/index.js';
import { freshTape } from './tape.js';

const tape = freshTape();
const near = { approximate: { tools: ['search', 'read_*'], maxDistance: 0.25 } };

async function record(): Promise<void> {
  const cache = await tape.open('record');
  for (const [query, limit] of [
    ['cheap flights to rome', 3],
    ['cheap hotels', 3],
    ['mvcc', 9],
  ] as const)
    await cache.getOrSet('search', { query, limit }, () => `recorded ${query}`);
  await cache.getOrSet('other', { query: 'cheap flights to rome', limit: 3 }, () => 'recorded');
  await cache.getOrSet('search', { query: 'of tenant', limit: 1 }, () => 'secret', { scope: 'tenant-1' });
  await cache.close();
}

const asked = { query: 'cheap flights to paris', limit: 3 };
const distance = 0.125;

it('answers with the nearest call of the tool, marked, never stored, never a hit', async () => {
  await record();
  const told: AnsweredCall[] = [];
  const cache = await tape.open('replay', {}, { ...near, onAnswer: (call) => void told.push(call) });
  const live = vi.fn(() => 'live');
  const ask = () => cache.getOrSet('search', asked, live);
  const key = cache.key('search', { query: 'cheap flights to rome', limit: 3 });
  const approximate = { distance, paths: ['query'] };
  expect(await Promise.all([ask(), ask()])).toEqual([
    'recorded cheap flights to rome',
    'recorded cheap flights to rome',
  ]);
  expect(await ask()).toBe('recorded cheap flights to rome');
  expect(told).toEqual(
    Array(2).fill({
      method: 'search',
      key: cache.key('search', asked),
      answer: { key, ageMs: expect.any(Number), approximate },
    }),
  );
  expect(cache.stats('search')).toMatchObject({
    hits: 0,
    staleHits: 0,
    sets: 0,
    entries: 0,
    misses: 3,
    ...{ coalesced: 0, loads: 0, loadErrors: 0 },
    hitRate: 0,
    savedMs: 0,
    loadTime: { count: 0 },
  });
  expect(await cache.lookup('search', asked)).toEqual({
    outcome: 'miss',
    key: cache.key('search', asked),
    approximate: {
      value: 'recorded cheap flights to rome',
      answer: { key, ageMs: expect.any(Number), approximate },
      metadata: expect.objectContaining({ createdAt: expect.any(Number) }),
    },
  });
  expect(await cache.get('search', asked)).toBeUndefined();
  expect(cache.stats('search').hits).toBe(0);
  expect(live).not.toHaveBeenCalled();
});

it('leaves alone what is too far, of another tool, another scope, or not asked for', async () => {
  await record();
  const cache = await tape.open('replay', {}, near);
  const ask = (method: string, params: object, scope?: string) =>
    cache.getOrSet(method, params, () => 'live', scope === undefined ? {} : { scope });
  expect(await ask('search', { query: 'lsm', limit: 9 })).toBe('live');
  expect(await ask('other', asked)).toBe('live');
  expect(await ask('read_file', asked)).toBe('live');
  expect(await ask('search', { query: 'of tenant', limit: 1 })).toBe('live');
  expect(await ask('search', { query: 'of tenant', limit: 1 }, 'tenant-2')).toBe('live');
  expect(await ask('search', { query: 'of tenants', limit: 1 }, 'tenant-1')).toBe('secret');
  const plain = await tape.open('replay');
  expect(await plain.getOrSet('search', asked, () => 'live')).toBe('live');
  const strict = await tape.open('strict', {}, near);
  await expect(strict.getOrSet('search', asked, () => 'live')).rejects.toMatchObject({
    code: 'ERR_NOT_RECORDED',
  });
});

it('prefers what is recorded exactly, then the nearest, then the latest', async () => {
  const cache = await tape.open('record');
  const params = (id: number) => ({ query: 'a b c d', id, kind: 'x', more: 1, last: 2 });
  for (const id of [1, 2, 3]) {
    await cache.getOrSet('search', params(id), () => `recorded ${id}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await cache.close();
  const replay = await tape.open('replay', {}, near);
  const ask = (id: number) => replay.getOrSet('search', params(id), () => 'live');
  expect(await Promise.all([ask(2), ask(4)])).toEqual(['recorded 2', 'recorded 3']);
});

it('is told by a rollout to each that asks', async () => {
  await record();
  const cache = await tape.open('replay', {}, near);
  const answers: Answer[] = [];
  const rollout = new Rollout(cache, {
    effects: { search: { effect: 'pure', scope: 'global' } },
    onAnswer: (answer) => void answers.push(answer),
  });
  const ask = () => rollout.call('search', asked, () => 'live');
  await Promise.all([ask(), ask()]);
  await rollout.call('search', { query: 'mvcc', limit: 9 }, () => 'live');
  const approximate = { distance, paths: ['query'] };
  expect(answers.map(({ source, approximate }) => ({ source, approximate }))).toEqual([
    { source: 'approximate', approximate },
    { source: 'approximate', approximate },
    { source: 'recording', approximate: undefined },
  ]);
});

it('of other loads that are joined counts them as ever', async () => {
  await record();
  const cache = await tape.open('replay', {}, near);
  const ask = (tool: string, run: () => unknown) =>
    Promise.allSettled([1, 2, 3].map(() => cache.getOrSet(tool, { query: 'x' }, run)));
  await ask('search', () => 'live');
  await ask('other', () => Promise.reject(new Error('down')));
  expect(cache.stats('search')).toMatchObject({ misses: 1, coalesced: 2, loads: 1, hitRate: 2 / 3 });
  expect(cache.stats('other')).toMatchObject({ misses: 1, coalesced: 2, loadErrors: 1, hitRate: 0 });
});

it('is told by the lookup of a rollout, as its call is answered; never of a write', async () => {
  const effects = {
    search: 'pure',
    read_file: { reads: ['fs:{path}'] },
    put: { writes: ['fs:{path}'] },
  } as const;
  const words = (text: string) => ({ path: 'a', text });
  const environment: RolloutEnvironment = { replay: () => [] };
  const begin = (cache: CacheManager, own: object = {}) =>
    new Rollout(cache, { effects, task: 't', id: 0, ...own });
  const recording = await tape.open('record');
  const recorder = begin(recording);
  const calls = [
    ['search', words('cheap flights to rome')],
    ['read_file', words('all of the file')],
    ['put', words('all of the file')],
  ] as const;
  for (const [tool, input] of calls) await recorder.call(tool, input, () => `recorded ${tool}`);
  await recording.close();
  const all = { approximate: { tools: ['*'], maxDistance: 1 } };
  const rollout = begin(await tape.open('replay', {}, all), { environment });
  for (const [tool] of calls.slice(0, 2))
    expect(await rollout.lookup(tool, words('one word'))).toMatchObject({
      outcome: 'miss',
      approximate: { value: `recorded ${tool}` },
    });
  expect(await rollout.lookup('put', words('one word'))).not.toHaveProperty('approximate');
  const strict = begin(await tape.open('strict'));
  for (const [tool] of calls)
    await expect(strict.lookup(tool, words('one word'))).rejects.toThrow('differs in `text`: record it');
});

it('leaves writes of a rollout alone: they run, and the rollout goes on', async () => {
  const effects = { get: { reads: ['seat:{id}'] }, book: { writes: ['seat:{id}'] } };
  const agentOf = (cache: CacheManager, environment?: RolloutEnvironment) => {
    const rollout = new Rollout(cache, {
      effects,
      task: 'airline-3',
      id: 0,
      ...(environment && { environment }),
    });
    const runs = vi.fn();
    const call = (tool: string, input: object) =>
      rollout.call(tool, input, () => {
        runs(tool);
        return { tool, ...input };
      });
    return {
      runs,
      get: (id: string) => call('get', { id }),
      book: (by: string) => call('book', { id: '1A', by }),
    };
  };
  const recorder = await tape.open('record');
  await agentOf(recorder).book('ann');
  await recorder.close();
  const cache = await tape.open('replay', {}, { approximate: { tools: ['*'], maxDistance: 1 } });
  const replay = vi.fn(async (writes: readonly RecordedWrite[]) =>
    writes.map(({ tool, input }) => ({ tool, ...Object(input) })),
  );
  const { runs, get, book } = agentOf(cache, { replay });
  expect(await book('bob')).toEqual({ tool: 'book', id: '1A', by: 'bob' });
  expect(await get('1A')).toEqual({ tool: 'get', id: '1A' });
  expect([runs.mock.calls, replay.mock.calls]).toEqual([[['book'], ['get']], []]);
});
