/** Rollouts: who shares which results, what runs, and what is told of it. */

import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { type Answer, Rollout, type RolloutOptions, ToolEffects } from '../../src/rollout/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';

const effects = new ToolEffects({
  search: 'pure',
  now: 'opaque',
  read: { reads: ['file:{path}'] },
  tree: { reads: ['file:**'] },
  put: { writes: ['file:{path}'] },
  add: { writes: ['file:{path}'] },
  copy: { reads: ['file:{from}'], writes: ['file:{to}'] },
  roll: { effect: { reads: ['dice'] }, samples: 4 },
  mine: { effect: 'pure', scope: 'rollout' },
});

let cache: CacheManager;
let ran: string[];
beforeEach(() => {
  cache = new CacheManager();
  ran = [];
});

const begin = (id: number, options: Partial<RolloutOptions> = {}) => {
  const rollout = new Rollout(cache, { effects, task: 't', id, ...options });
  const call = <T>(tool: string, input: object, result: T) =>
    rollout.call(tool, input, async () => {
      ran.push(`${id} ${tool}`);
      return result;
    });
  return { rollout, call };
};

describe('who shares', () => {
  it('answers a read of another rollout while nothing was written, and no longer', async () => {
    const [one, two] = [begin(1), begin(2)];
    expect(await one.call('read', { path: 'a' }, 'old')).toBe('old');
    expect(await two.call('read', { path: 'a' }, 'not run')).toBe('old');
    await two.call('put', { path: 'a', text: 'new' }, 'done');
    expect(await two.call('read', { path: 'a' }, 'new')).toBe('new');
    expect(await one.call('read', { path: 'a' }, 'not run')).toBe('old');
    await one.call('put', { path: 'a', text: 'new' }, 'done');
    expect(await one.call('read', { path: 'a' }, 'not run')).toBe('new');
    expect(ran).toEqual(['1 read', '2 put', '2 read', '1 put']);
  });

  it('tells writes apart by tool, input, result and what they read', async () => {
    const states = [
      [['put', { path: 'a', text: 'x' }, 1]],
      [['add', { path: 'a', text: 'x' }, 1]],
      [['put', { path: 'a', text: 'y' }, 1]],
      [['put', { path: 'a', text: 'x' }, 2]],
      [['copy', { from: 'b', to: 'a' }, 1]],
      [
        ['put', { path: 'b' }, 1],
        ['copy', { from: 'b', to: 'a' }, 1],
      ],
    ] as const;
    for (const [id, writes] of states.entries()) {
      const { call } = begin(id);
      for (const [tool, input, result] of writes) await call(tool, input, result);
      expect(await call('read', { path: 'a' }, id)).toBe(id);
    }
  });

  it('shares by scope: of a task, of all, of a tenant, of a rollout alone', async () => {
    const ask = async (options: Partial<RolloutOptions>, tool = 'read') =>
      begin(0, options).call(tool, { path: 'a' }, ran.length);
    expect(await ask({ task: 'x' })).toBe(0);
    expect(await ask({ task: 'y' })).toBe(1);
    expect(await ask({ task: 'x' })).toBe(0);
    expect(await ask({ task: 'x', scope: 'global' })).toBe(2);
    expect(await ask({ task: 'y', scope: 'global' })).toBe(2);
    expect(await ask({ scope: { tenant: 'acme' } })).toBe(3);
    expect(await ask({ scope: { tenant: 'globex' } })).toBe(4);
    expect(await ask({ scope: 'rollout', id: 'a' })).toBe(5);
    expect(await ask({ scope: 'rollout', id: 'b' })).toBe(6);
    expect(await ask({ id: 'a' }, 'mine')).toBe(7);
    expect(await ask({ id: 'b' }, 'mine')).toBe(8);
    // A pure tool's results under `global` are those of `getOrSet`.
    expect(await ask({ scope: 'global' }, 'search')).toBe(9);
    expect(await cache.get('search', { path: 'a' })).toBe(9);
  });

  it("shares nothing across the cache's own scopes, versions, or other declarations", async () => {
    const persisted = new Set<string>();
    const ask = async (options: ConstructorParameters<typeof CacheManager>[0], other = effects) => {
      const own = new CacheManager(options);
      const rollout = new Rollout(own, { effects: other, task: 't' });
      await rollout.call('read', { path: 'a' }, (_, { signal }) => signal.aborted);
      for await (const { key } of own.entries('read')) persisted.add(key);
    };
    await ask({});
    await ask({});
    expect(persisted.size).toBe(1);
    await ask({ scope: 'acme' });
    await ask({ methods: { read: { version: 2 } } });
    await ask({}, new ToolEffects({ read: { reads: ['file:{path}'] }, put: 'pure' }));
    expect(persisted.size).toBe(4);
  });

  it('never answers writes, opaque tools, and what was not declared, after which nothing holds', async () => {
    const { call } = begin(1);
    await call('read', { path: 'a' }, 1);
    for (const tool of ['put', 'now', 'unknown']) {
      await call(tool, { path: 'b' }, 1);
      await call(tool, { path: 'b' }, 1);
    }
    expect(await call('read', { path: 'a' }, 2)).toBe(2);
    expect(ran).toHaveLength(8);
    expect(await begin(2).call('read', { path: 'a' }, 3)).toBe(1);
  });

  it('keeps as many samples as it is told, each for the same rollouts', async () => {
    const ids = Array.from({ length: 40 }, (_, id) => id);
    const first = await Promise.all(ids.map((id) => begin(id).call('roll', {}, id)));
    const again = await Promise.all(ids.map((id) => begin(id).call('roll', {}, -1)));
    expect(again).toEqual(first);
    expect(new Set(first).size).toBe(4);
  });

  it('refuses and does not keep what frameworks take for an error', async () => {
    const { call } = begin(1);
    await call('read', { path: 'a' }, { isError: true });
    expect(await call('read', { path: 'a' }, 'found')).toBe('found');
    await call('put', { path: 'a' }, { isError: true });
    const other = begin(2);
    await other.call('put', { path: 'a' }, { isError: true });
    expect(await other.call('read', { path: 'a' }, 'own')).toBe('own');
    expect(await call('read', { path: 'a' }, 'own too')).toBe('own too');
  });
});

describe('a write', () => {
  it('holds up what touches its resources until it has settled, and nothing else', async () => {
    const { rollout, call } = begin(1);
    let end = () => {};
    const order: string[] = [];
    const note = (name: string) => () => order.push(name);
    const write = rollout.call('put', { path: 'a' }, () => new Promise<void>((resolve) => (end = resolve)));
    const later = [
      call('read', { path: 'a' }, 1).then(note('read a')),
      call('tree', {}, 1).then(note('tree')),
      call('put', { path: 'A' }, 1).then(note('put A')),
      call('read', { path: 'b' }, 1).then(note('read b')),
    ];
    await later[3];
    end();
    await Promise.all([write.then(note('put a')), ...later]);
    expect(order[0]).toBe('read b');
    expect(order.slice(1).sort()).toEqual(['put A', 'put a', 'read a', 'tree']);
    expect(ran.indexOf('1 put')).toBeGreaterThan(ran.indexOf('1 read'));
  });

  it('takes from others what was read while it ran', async () => {
    const [one, two] = [begin(1), begin(2)];
    let end = (_: string) => {};
    const read = one.rollout.call(
      'read',
      { path: 'a' },
      () => new Promise<string>((resolve) => (end = resolve)),
    );
    const joined = two.call('read', { path: 'a' }, 'own');
    await one.call('put', { path: 'a' }, 'done');
    end('written meanwhile');
    expect(await read).toBe('written meanwhile');
    expect(await joined).toBe('own');
    expect(await begin(3).call('read', { path: 'a' }, 'own')).toBe('own');
  });

  it('whose caller gives up leaves its resources uncached until its tool has settled', async () => {
    const [one, two] = [begin(1), begin(2)];
    let end = () => {};
    const controller = new AbortController();
    const tool = (_: object, { signal }: { signal: AbortSignal }) =>
      new Promise<void>((resolve) => {
        ran.push('begun');
        signal.addEventListener('abort', () => ran.push('told'));
        end = resolve;
      });
    const write = one.rollout.call('put', { path: 'a' }, tool, { signal: controller.signal });
    const behind = one.call('read', { path: 'a' }, 0);
    await vi.waitFor(() => expect(ran).toContain('begun'));
    controller.abort(new Error('enough'));
    await expect(write).rejects.toThrow('enough');
    expect(ran).toContain('told');
    expect(await behind).toBe(0);
    expect(await one.call('read', { path: 'a' }, 1)).toBe(1);
    expect(await one.call('read', { path: 'a' }, 2)).toBe(2);
    end();
    await sleep(1);
    expect(await one.call('read', { path: 'a' }, 3)).toBe(3);
    expect(await one.call('read', { path: 'a' }, 4)).toBe(3);
    expect(await two.call('read', { path: 'a' }, 5)).toBe(5);
  });

  it('that takes longer than `timeout` rejects; one that waits may be given up', async () => {
    const { rollout, call } = begin(1, { timeout: 5 });
    const never = () => new Promise<void>(() => {});
    await expect(rollout.call('put', { path: 'a' }, never)).rejects.toMatchObject({
      code: 'ERR_LOADER_TIMEOUT',
    });
    const hung = begin(2);
    void hung.rollout.call('put', { path: 'a' }, never);
    const controller = new AbortController();
    const read = hung.rollout.call('read', { path: 'a' }, () => 1, { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(read).rejects.toThrow('enough');
    expect(await call('read', { path: 'b' }, 1)).toBe(1);
  });

  it('may call tools of its own rollout without waiting for itself', async () => {
    const { rollout, call } = begin(1);
    const result = await rollout.call('put', { path: 'a' }, async () => {
      void call('put', { path: 'b' }, 'queued');
      await call('put', { path: 'a' }, 'inner');
      return await call('read', { path: 'a' }, 'within');
    });
    expect(result).toBe('within');
    expect(await call('read', { path: 'a' }, 'after')).toBe('after');
  });

  it('works on a copy, so that changing the input meanwhile changes nothing', async () => {
    const { rollout, call } = begin(1);
    const input = { path: 'a' };
    const first = rollout.call('put', { path: 'a' }, () => sleep(2));
    const second = rollout.call('put', input, ({ path }) => path);
    const read = rollout.call('read', input, ({ path }) => path);
    input.path = 'b';
    expect(await Promise.all([first, second, read])).toEqual([undefined, 'a', 'a']);
    expect(await call('read', { path: 'b' }, 'b itself')).toBe('b itself');
  });
});

describe('provenance', () => {
  it('tells where each answer came from, what it depends on, and how often it was asked for', async () => {
    const answers: Answer[] = [];
    const onRepeat = vi.fn();
    const { rollout, call } = begin(1, { onAnswer: (answer) => answers.push(answer), onRepeat });
    await call('read', { path: 'a' }, 1);
    await call('read', { path: 'a' }, 1);
    await call('now', {}, 1);
    await call('put', { path: 'a' }, 1);
    await call('put', { path: 'a' }, 1);
    await call('read', { path: 'a' }, 1);
    await Promise.all([call('search', {}, 1), call('search', {}, 1)]);
    expect(answers.map(({ tool, source, repeat }) => [tool, source, repeat])).toEqual([
      ['read', 'tool', 1],
      ['read', 'memory', 2],
      ['now', 'uncached', 1],
      ['put', 'uncached', 1],
      ['put', 'uncached', 2],
      ['read', 'tool', 1],
      ['search', 'tool', 1],
      ['search', 'coalesced', 2],
    ]);
    expect(answers[1]).toMatchObject({ chains: { 'file:a': '' }, ageMs: expect.any(Number), isStale: false });
    expect(answers[1]?.key).toMatch(/^[0-9a-f]{32}$/);
    expect(answers[5]?.chains['file:a']).toMatch(/^[0-9a-f]{32}$/);
    expect(onRepeat).toHaveBeenCalledTimes(3);
    expect(rollout.id).toBe('1');
  });

  it('tells of large values, of stale ones, and of what stands in for a tool that fails', async () => {
    const clock = new FakeClock();
    const search = { ttl: 1000, staleWhileRevalidate: 1000, staleIfError: 5000 };
    const cache = new CacheManager({ clock, methods: { search } });
    const answers: Answer[] = [];
    const onAnswer = (answer: Answer) => answers.push(answer);
    const rollout = new Rollout(cache, { effects: { search: 'pure' }, id: 1, onAnswer });
    const large = Array.from({ length: 20_000 }, (_, at) => ({ at, text: `${at} mississippi` }));
    const fail = () => Promise.reject(new Error('down'));
    const ask = (run: () => unknown) => rollout.call('search', {}, run);
    await ask(() => large);
    clock.advance(10);
    await ask(fail);
    clock.advance(1490);
    await ask(fail);
    clock.advance(1500);
    expect(await ask(fail)).toEqual(large);
    expect(answers.map(({ source, ageMs, isStale }) => [source, ageMs, isStale])).toEqual([
      ['tool', 0, false],
      ['memory', 10, false],
      ['memory', 1500, true],
      ['memory', 3000, true],
    ]);
  });

  it('survives a listener that throws', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const fail = () => {
      throw new Error('listener');
    };
    expect(await begin(1, { onAnswer: fail }).call('read', { path: 'a' }, 1)).toBe(1);
    expect(warned).toHaveBeenCalledWith(
      expect.stringContaining('`onAnswer` of a rollout failed'),
      expect.anything(),
    );
    warned.mockRestore();
  });
});

describe('tools of a framework', () => {
  it('run through the rollout, with a signal of all who wait', async () => {
    const { rollout } = begin(1);
    const signals: unknown[] = [];
    const tools = {
      read: {
        description: 'reads',
        execute: async ({ path }: { path: string }, { abortSignal }: { abortSignal?: AbortSignal }) => {
          signals.push(abortSignal);
          return `${path} ${signals.length}`;
        },
      },
      hosted: { type: 'provider' },
      absent: undefined,
    };
    const wrapped = rollout.tools(tools);
    const { signal } = new AbortController();
    expect(await wrapped.read.execute({ path: 'a' }, { abortSignal: signal })).toBe('a 1');
    expect(await wrapped.read.execute({ path: 'a' }, {})).toBe('a 1');
    expect(signals[0]).not.toBe(signal);
    expect(wrapped.read.description).toBe('reads');
    expect(wrapped.hosted).toBe(tools.hosted);
    const [search] = rollout.tools([
      async function search(query: string) {
        return query;
      },
    ]);
    expect(await search?.('x')).toBe('x');
  });

  it('are refused where they are no tools any more, or have no name', () => {
    const { rollout } = begin(1);
    expect(() => rollout.tools({ agent: { type: 'function', invoke: () => 1 } })).toThrow(
      /can't be run through a rollout/,
    );
    expect(() => rollout.tools([() => 1])).toThrow('to have a `name`');
    expect(() => rollout.tools(7 as never)).toThrow('Expected a list or a record of tools');
  });
});

describe('what it refuses', () => {
  it.each([
    [{}, 'Expected `effects` to be `new ToolEffects(…)`'],
    [{ effects, scope: 'task' }, "Expected `task` with `scope: 'task'`, got none"],
    [
      { effects, scope: 'everyone' },
      "Expected `scope` to be 'global', 'task', 'rollout' or `{ tenant: 'name' }`",
    ],
    [{ effects, timeout: 0 }, 'Expected `timeout` to be a duration above 0'],
    [{ effects, environment: {} }, 'Expected `environment` to be an object with a method `replay()`'],
    [{ effects, onanswer: 1 }, 'Unknown option `onanswer` of a rollout: did you mean `onAnswer`?'],
  ])('%o', (options, message) => {
    expect(() => new Rollout(cache, options as never)).toThrow(message);
  });

  it('a cache that is none, and a call without a function', async () => {
    expect(() => new Rollout({} as never, { effects })).toThrow('with a `CacheManager`');
    await expect(begin(1).rollout.call('read', {}, 1 as never)).rejects.toThrow(
      'Expected a function that runs `read`',
    );
  });

  it('runs tools uncached once the cache is closed', async () => {
    await cache.close();
    const { call } = begin(1);
    expect(await call('read', { path: 'a' }, 1)).toBe(1);
    expect(await call('read', { path: 'a' }, 2)).toBe(2);
    expect(await call('put', { path: 'a' }, 3)).toBe(3);
  });
});
