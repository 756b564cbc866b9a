/** Rollouts whose tools have state, recorded and played back. */

import { describe, expect, it, vi } from 'vitest';
import type { CacheManager } from '../../src/index.js';
import { type Answer, Rollout, type RolloutOptions } from '../../src/rollout/index.js';
import { freshTape } from './tape.js';

const tape = freshTape();
const effects = {
  get: { reads: ['seat:{id}'] },
  book: { writes: ['seat:{id}'] },
  now: 'opaque',
  search: 'pure',
} as const;

/** An airline, and what an agent does with it. */
function agent(cache: CacheManager, options: Partial<RolloutOptions> = {}) {
  const seats = new Map<string, string>();
  const runs = vi.fn();
  const rollout = new Rollout(cache, { effects, task: 'airline-3', id: 0, ...options });
  const call = <T>(tool: string, input: { id: string; by?: string }, run: () => T) =>
    rollout.call(tool, input, () => {
      runs(tool);
      return run();
    });
  const get = (id: string) => call('get', { id }, () => seats.get(id) ?? 'free');
  const book = (id: string, by: string) =>
    call('book', { id, by }, () => {
      seats.set(id, by);
      return { booked: id, by };
    });
  return { rollout, runs, get, book, now: () => call('now', { id: '' }, () => 1) };
}

async function play({ get, book }: ReturnType<typeof agent>): Promise<unknown[]> {
  return [await get('1A'), await book('1A', 'ann'), await get('1A'), await get('2B')];
}

const played = ['free', { booked: '1A', by: 'ann' }, 'ann', 'free'];

describe('a rollout', () => {
  it('is recorded with its writes, and runs no tool in strict, by the state that each call meets', async () => {
    const recorder = await tape.open('record');
    const recorded = agent(recorder);
    expect(await play(recorded)).toEqual(played);
    expect(recorded.runs).toHaveBeenCalledTimes(4);
    // Another attempt of the task runs its writes: they are recorded, not answered.
    const other = agent(recorder, { id: 1 });
    expect(await play(other)).toEqual(played);
    expect(other.runs.mock.calls).toEqual([['book']]);
    await recorder.close();
    const strict = await tape.open('strict');
    const answers: Answer[] = [];
    const replayed = agent(strict, { onAnswer: (answer) => void answers.push(answer) });
    expect(await play(replayed)).toEqual(played);
    expect(replayed.runs).not.toHaveBeenCalled();
    expect(answers.map(({ source }) => source)).toEqual(Array(4).fill('recording'));
  });

  it('goes no other way in strict: not what was not recorded, not another write, nothing that is opaque', async () => {
    const recorder = await tape.open('record');
    await play(agent(recorder));
    await recorder.close();
    const strict = await tape.open('strict');
    const refused = { code: 'ERR_NOT_RECORDED' };
    const { book, get, now, runs, rollout } = agent(strict);
    await expect(book('1A', 'bob')).rejects.toMatchObject(refused);
    // What the refused write may have done is not known.
    await expect(get('1A')).rejects.toMatchObject(refused);
    await expect(now()).rejects.toMatchObject(refused);
    await expect(rollout.call('undeclared', {}, () => runs())).rejects.toMatchObject(refused);
    expect(runs).not.toHaveBeenCalled();
  });

  it('runs its writes in replay, as the rest of its world is real', async () => {
    const recorder = await tape.open('record');
    await play(agent(recorder));
    await recorder.close();
    const { runs, ...replayed } = agent(await tape.open('replay'));
    expect([await replayed.get('1A'), await replayed.book('1A', 'bob'), await replayed.get('1A')]).toEqual([
      'free',
      { booked: '1A', by: 'bob' },
      'bob',
    ]);
    expect(runs.mock.calls).toEqual([['book'], ['get']]);
  });

  it('with an environment is answered until a tool has to run, which finds its world made', async () => {
    const recorder = await tape.open('record');
    await play(agent(recorder));
    await recorder.close();
    const replay = vi.fn(async () => [{ booked: '1A', by: 'ann' }]);
    const { runs, ...replayed } = agent(await tape.open('replay'), { environment: { replay } });
    expect(await play({ ...replayed, runs })).toEqual(played);
    expect([runs.mock.calls.length, replay.mock.calls.length]).toEqual([0, 0]);
    expect(await replayed.get('9Z')).toBe('free');
    expect([runs.mock.calls, replay.mock.calls]).toEqual([
      [['get']],
      [[[{ tool: 'book', input: { id: '1A', by: 'ann' } }]]],
    ]);
  });

  it('makes no world in strict, where a tool is offline', async () => {
    const recorder = await tape.open('record');
    await play(agent(recorder));
    await recorder.close();
    const [replay, fork] = [vi.fn(async () => []), vi.fn(() => 0)];
    const strict = await tape.open('strict', {}, { offline: ['get', 'now'] });
    const { runs, ...replayed } = agent(strict, { environment: { fork, replay } });
    expect(await play({ ...replayed, runs })).toEqual(played);
    expect([await replayed.get('9Z'), await replayed.now()]).toEqual(['free', 1]);
    await expect(replayed.book('9Z', 'bob')).rejects.toMatchObject({ code: 'ERR_NOT_RECORDED' });
    expect(runs.mock.calls).toEqual([['get'], ['now']]);
    expect([replay, fork].map(({ mock }) => mock.calls)).toEqual([[], []]);
  });

  it('plays back nothing that depends on a write that failed, and what does not', async () => {
    const recorder = await tape.open('record');
    const recorded = agent(recorder);
    const fail = () => {
      throw new Error('no');
    };
    await expect(recorded.rollout.call('book', { id: '1A' }, fail)).rejects.toThrow('no');
    expect([await recorded.get('1A'), await recorded.get('2B')]).toEqual(['free', 'free']);
    await recorder.close();
    const { rollout, get, runs } = agent(await tape.open('strict'));
    const refused = { code: 'ERR_NOT_RECORDED' };
    await expect(rollout.call('book', { id: '1A' }, runs)).rejects.toMatchObject(refused);
    await expect(get('1A')).rejects.toMatchObject(refused);
    expect(await get('2B')).toBe('free');
    expect(runs).not.toHaveBeenCalled();
  });

  it('plays back tools with state by the same declarations alone, and pure ones by any', async () => {
    const ask = async (cache: CacheManager, more: object) => {
      const rollout = new Rollout(cache, { effects: { ...effects, ...more }, task: 'airline-3', id: 0 });
      const call = (tool: string) => rollout.call(tool, { id: '1A' }, () => tool).catch(({ code }) => code);
      return [await call('search'), await call('get')];
    };
    const recorder = await tape.open('record');
    expect(await ask(recorder, {})).toEqual(['search', 'get']);
    await recorder.close();
    const strict = await tape.open('strict');
    expect(await ask(strict, {})).toEqual(['search', 'get']);
    expect(await ask(strict, { cancel: { writes: ['seat:{id}'] } })).toEqual(['search', 'ERR_NOT_RECORDED']);
  });

  it('of no named task is like no other, which the error shows', async () => {
    const recorder = await tape.open('record');
    await new Rollout(recorder, { effects }).call('get', { id: '1A' }, () => 'free');
    await recorder.close();
    const rollout = new Rollout(await tape.open('strict'), { effects });
    await expect(rollout.call('get', { id: '1A' }, () => 'free')).rejects.toThrow('and differs in its scope');
  });

  it('leaves its name with what it stores', async () => {
    const { exportFiles } = await import('../../src/persistence/offline/inspection.js');
    const cache = await tape.open('record', {}, { redact: ['id'] });
    const { get, book } = agent(cache, { id: 7 });
    await get('1A');
    await book('1A', 'ann');
    await cache.getOrSet('search', { q: 1 }, () => 1);
    await cache.close();
    const kept = [];
    for await (const { method, task, rollout } of exportFiles([tape.dir]))
      kept.push({ method, task, rollout });
    expect(kept.sort((a, b) => (a.method < b.method ? -1 : 1))).toEqual([
      { method: 'book', task: 'airline-3', rollout: '7' },
      { method: 'get', task: 'airline-3', rollout: '7' },
      { method: 'search', task: undefined, rollout: undefined },
    ]);
  });
});
