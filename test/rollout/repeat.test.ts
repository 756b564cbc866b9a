/** How often an agent asked the same of a rollout with nothing written in between. */

import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { type Answer, Rollout, type RolloutOptions } from '../../src/rollout/index.js';

const effects = Object.freeze({
  now: 'opaque',
  read: { reads: ['file:{path}'] },
  put: { writes: ['file:{path}'] },
} as const);

let cache: CacheManager;
beforeEach(() => {
  cache = new CacheManager();
});

const begin = (options: Partial<RolloutOptions>) => {
  const rollout = new Rollout(cache, { effects, task: 't', ...options });
  const call = (tool: string, input: object) => rollout.call(tool, input, async () => 1);
  return { rollout, call };
};

type Call = ReturnType<typeof begin>['call'];

describe('counts equal calls with nothing written in between', () => {
  /** What is called in turn, with the repeats that are told of the calls that have an answer. */
  const repeatsOf = async (play: (call: ReturnType<typeof begin>) => Promise<unknown>) => {
    const repeats: string[] = [];
    const one = begin({ onAnswer: ({ tool, repeat }) => repeats.push(`${tool} ${repeat}`) });
    await play(one);
    return repeats;
  };

  it('also where they come at once, reads as writes', async () => {
    const put = (call: Call, path = 'a') => call('put', { path });
    const read = (call: Call, path = 'a') => call('read', { path });
    expect(await repeatsOf(({ call }) => Promise.all([put(call), put(call), put(call)]))).toEqual([
      ...['put 1', 'put 2', 'put 3'],
    ]);
    const mixed = await repeatsOf(async ({ call }) => {
      await Promise.all([read(call, 'c'), put(call), read(call, 'c')]);
      await read(call, 'c');
      await read(call, 'c');
    });
    // The write may have had its effect before or after the one that was called while it ran.
    expect(mixed.filter((each) => each.startsWith('read'))).toEqual(['read 1', 'read 1', 'read 1', 'read 2']);
    expect(
      await repeatsOf(async ({ call }) => {
        for (const path of ['a', 'b', 'a', 'a']) await put(call, path);
      }),
    ).toEqual(['put 1', 'put 1', 'put 1', 'put 2']);
  });

  it('failed ones too; what a failed write leaves is not what there was', async () => {
    const repeats = await repeatsOf(async ({ rollout, call }) => {
      const fails = () => Promise.reject(new Error('failed'));
      await rollout.call('read', { path: 'a' }, fails).catch(() => undefined);
      await call('read', { path: 'a' });
      await rollout.call('put', { path: 'b' }, fails).catch(() => undefined);
      await call('read', { path: 'a' });
      await call('put', { path: 'b' });
      await rollout.call('put', { path: 'b' }, fails).catch(() => undefined);
      await call('put', { path: 'b' });
    });
    expect(repeats).toEqual(['read 2', 'read 1', 'put 2', 'put 4']);
  });

  it('also where all fail, which `onRepeat` alone is told', async () => {
    const told: unknown[] = [];
    const onRepeat = ({ tool, source, chains, repeat }: Answer) =>
      told.push({ tool, source, chains, repeat });
    const { rollout } = begin({ onRepeat, onAnswer: () => told.push('an answer') });
    for (const tool of ['read', 'read', 'read', 'put', 'put']) {
      const error = new Error(`no ${tool}`);
      const call = rollout.call(tool, { path: 'a' }, () => Promise.reject(error));
      await expect(call).rejects.toBe(error);
    }
    expect(told).toEqual([
      { tool: 'read', source: 'failed', chains: { 'file:a': '' }, repeat: 2 },
      { tool: 'read', source: 'failed', chains: { 'file:a': '' }, repeat: 3 },
      {
        ...{ tool: 'put', source: 'failed', repeat: 2 },
        chains: { 'file:a': expect.stringMatching(/^[0-9a-f]{32}$/) },
      },
    ]);
  });

  it('until a write has settled that was given up', async () => {
    const repeats = await repeatsOf(async ({ rollout, call }) => {
      let end = () => {};
      const controller = new AbortController();
      const tool = () => new Promise<void>((resolve) => (end = resolve));
      const write = rollout.call('put', { path: 'a' }, tool, { signal: controller.signal });
      await sleep(1);
      controller.abort(new Error('enough'));
      await write.catch(() => undefined);
      await call('now', {});
      await call('now', {});
      end();
      await sleep(1);
      await call('now', {});
    });
    expect(repeats).toEqual(['now 1', 'now 2', 'now 1']);
  });

  it('answered writes as those that run', async () => {
    const environment = { replay: (writes: readonly unknown[]) => writes.map(() => 1) };
    await begin({ environment }).call('put', { path: 'a' });
    const sources: string[] = [];
    const onAnswer = ({ source, repeat }: Answer) => sources.push(`${source} ${repeat}`);
    const { call } = begin({ environment, onAnswer });
    await call('put', { path: 'a' });
    await call('now', {});
    await call('put', { path: 'a' });
    await call('now', {});
    expect(sources).toEqual(['memory 1', 'uncached 1', 'tool 2', 'uncached 1']);
  });

  it('whatever their cache ignores of their input', async () => {
    cache = new CacheManager({ methods: { read: { ignore: ['at'] } } });
    const repeats = await repeatsOf(async ({ call }) => {
      await call('read', { path: 'a', at: 1 });
      await call('read', { path: 'a', at: 2 });
      await call('read', { path: 'a', at: () => 3 });
      await call('read', { path: () => 'a' });
    });
    expect(repeats).toEqual(['read 1', 'read 2', 'read 3', 'read 1']);
  });
});
