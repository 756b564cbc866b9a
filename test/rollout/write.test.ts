/** Writes: what they leave open, what they share where a world can be made again, and what must not wait for them. */

import { setImmediate } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { CacheManager, type CacheOptions } from '../../src/index.js';
import {
  type Answer,
  Rollout,
  type RolloutEnvironment,
  type RolloutOptions,
} from '../../src/rollout/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { onAnswer } from '../../src/trust/index.js';

const effects = Object.freeze({
  read: { reads: ['n'] },
  put: { writes: ['n'] },
  other: { writes: ['m'] },
} as const);

const environment: RolloutEnvironment = { replay: (writes) => writes.map(() => 'done') };

/** Two rollouts that share. */
const pair = (own: Partial<RolloutOptions> = {}, options: CacheOptions = {}) => {
  const cache = new CacheManager(options);
  return [0, 1].map((id) => new Rollout(cache, { effects, task: 't', id, ...own })) as [Rollout, Rollout];
};

const never = () => new Promise<never>(() => {});

describe('a write whose result is read bit by bit', () => {
  it.each([
    ['a generator', async function* () {}],
    ['a stream', () => new ReadableStream()],
    ['a response', () => new Response('text')],
    ['one with a stream', () => ({ textStream: new ReadableStream() })],
  ])('leaves its resources uncached: %s', async (_, run) => {
    const [rollout] = pair();
    await rollout.call('put', {}, run as () => unknown);
    const read = vi.fn(() => 1);
    await rollout.call('read', {}, read);
    await rollout.call('read', {}, read);
    expect(read).toHaveBeenCalledTimes(2);
  });

  it('is refused among the tools of a framework', () => {
    const [rollout] = pair();
    const tools = { put: { execute: async function* () {} } };
    expect(() => rollout.tools(tools)).toThrow(
      "The tool `put` can't be run through a rollout, because it yields its result bit by bit",
    );
  });
});

describe('a write that another rollout has joined', () => {
  it('is run by that one too when its caller gives up, and not kept', async () => {
    const [one, two] = pair({ environment });
    const controller = new AbortController();
    let end = (_: string) => {};
    const ran = vi.fn(() => new Promise<string>((resolve) => (end = resolve)));
    const first = one.call('put', {}, ran, { signal: controller.signal });
    await vi.waitFor(() => expect(ran).toHaveBeenCalled());
    const own = vi.fn(() => 'done');
    const second = two.call('put', {}, own);
    // By then it has joined.
    await setImmediate();
    controller.abort(new Error('enough'));
    await expect(first).rejects.toThrow('enough');
    end('of a world that was reset');
    expect(await second).toBe('done');
    expect(own).toHaveBeenCalledOnce();
  });

  it('is not kept where another write touched the same meanwhile', async () => {
    const [one, two] = pair({ environment });
    const result = await one.call('put', { by: 1 }, async () => {
      await one.call('put', { by: 2 }, () => 'inner');
      return 'spoilt';
    });
    expect(result).toBe('spoilt');
    expect(await two.call('put', { by: 1 }, () => 'own')).toBe('own');
  });

  it('is kept under the input it was called with, whatever its tool does to that', async () => {
    const [one, two] = pair({ environment });
    // The first makes the world real, so that the next is kept after its run.
    await one.call('other', {}, () => 'done');
    await one.call('read', {}, () => 0);
    await one.call('put', { by: 1 }, (input) => {
      (input as { by: number }).by = 2;
      return 'by 1';
    });
    await two.call('other', {}, () => 'not run');
    expect(await two.call('put', { by: 2 }, () => 'by 2')).toBe('by 2');
  });

  it('is not kept where it is an error by `isError`', async () => {
    const isError = (value: unknown) => (value as { ok?: boolean }).ok === false;
    const [one, two] = pair({ environment }, { methods: { put: { isError } } });
    expect(await one.call('put', {}, () => ({ ok: false }))).toEqual({ ok: false });
    expect(await two.call('put', {}, () => ({ ok: true }))).toEqual({ ok: true });
  });
});

describe('of a write it is told', () => {
  it('whether its result is kept or comes from another rollout, how old it is, and what it depends on', async () => {
    const clock = new FakeClock();
    const cache = new CacheManager({ clock });
    const told: object[] = [];
    onAnswer(cache, ({ method, source, key, chains }) => told.push({ method, source, key, chains }));
    const begin = (id: number, own: Partial<RolloutOptions>) => {
      const answers: Answer[] = [];
      const rollout = new Rollout(cache, {
        ...{ effects, task: 't', id, onAnswer: (answer) => answers.push(answer) },
        ...own,
      });
      return { answers, put: (by: number) => rollout.call('put', { by }, () => 'done') };
    };
    const [one, two, alone] = [begin(1, { environment }), begin(2, { environment }), begin(3, {})];
    await one.put(1);
    await one.put(2);
    clock.advance(50);
    await two.put(1);
    await two.put(2);
    await alone.put(1);
    const key = expect.stringMatching(/^[0-9a-f]{32}$/);
    const always = { isStale: false, sample: undefined, repeat: 1, tool: 'put', key };
    const [first, second] = [{ n: '' }, { n: key }];
    expect(one.answers).toEqual([
      { ...always, source: 'tool', ageMs: 0, chains: first },
      { ...always, source: 'tool', ageMs: 0, chains: second },
    ]);
    expect(two.answers).toEqual([
      { ...always, source: 'memory', ageMs: 50, chains: first },
      { ...always, source: 'memory', ageMs: 50, chains: second },
    ]);
    expect(two.answers.map((each) => each.key)).toEqual(one.answers.map((each) => each.key));
    expect(two.answers[1]?.chains).toEqual(one.answers[1]?.chains);
    expect(alone.answers).toEqual([
      { ...always, source: 'uncached', key: undefined, ageMs: 0, chains: first },
    ]);
    const [kept, found] = ['tool', 'memory'].map((source) =>
      one.answers.map((answer) => ({ method: 'put', source, key: answer.key, chains: answer.chains })),
    );
    const uncached = { method: 'put', source: 'uncached', key: undefined, chains: undefined };
    expect(told).toEqual([...kept!, ...found!, uncached]);
  });

  it('that it came from one that was under way, or from its own tool where that can be shared with nobody', async () => {
    const sources: string[] = [];
    const listen = ({ source, key }: Answer) => void sources.push(`${source} ${key !== undefined}`);
    const [one, two] = pair({ environment, onAnswer: listen });
    await Promise.all([one.call('put', {}, () => 'done'), two.call('put', {}, () => 'done')]);
    await one.call('put', {}, () => () => 'no data');
    expect(sources).toEqual(['tool true', 'coalesced true', 'uncached false']);
  });
});

describe('nobody waits for ever', () => {
  it('where a tool calls another rollout whose tool calls the first', async () => {
    const [one, two] = pair();
    const read = () => one.call('read', {}, () => 'read');
    const result = await one.call('put', {}, () => two.call('put', {}, read));
    expect(result).toBe('read');
  });

  it('where a result can not be looked at, or a signal is none', async () => {
    const [rollout] = pair();
    const odd = {
      get status() {
        throw new Error('status');
      },
    };
    expect(await rollout.call('put', {}, () => odd)).toBe(odd);
    const signal = { aborted: false, throwIfAborted() {} } as AbortSignal;
    await expect(rollout.call('put', {}, () => 1, { signal })).rejects.toThrow(TypeError);
    expect(await rollout.call('read', {}, () => 'read')).toBe('read');
  });

  it('and a timeout of weeks is not over at once', async () => {
    const [rollout] = pair({ timeout: '30d' });
    const write = rollout.call('put', {}, () => new Promise((resolve) => setTimeout(resolve, 20, 'done')));
    expect(await write).toBe('done');
  });
});

it('a write is never answered by what is stale', async () => {
  const [one, two] = pair({ environment }, { ttl: 1, staleIfError: '1h', softTimeout: 1 });
  await one.call('put', {}, () => 'stale');
  await new Promise((resolve) => setTimeout(resolve, 10));
  const controller = new AbortController();
  const ran = vi.fn(never);
  const write = two.call('put', {}, ran, { signal: controller.signal });
  await vi.waitFor(() => expect(ran).toHaveBeenCalled());
  setTimeout(() => controller.abort(new Error('waited')), 50);
  await expect(write).rejects.toThrow('waited');
});
