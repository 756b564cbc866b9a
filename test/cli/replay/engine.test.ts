import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseJson } from '../../../src/cli/lossless-json.js';
import { effectByName } from '../../../src/cli/replay/effects.js';
import {
  fittingTimeScale,
  type Outcome,
  type ReplayCache,
  type ReplayOptions,
  replayTasks,
} from '../../../src/cli/replay/engine.js';
import { Tally } from '../../../src/cli/replay/summary.js';
import { groupByTask, type ToolCall } from '../../../src/cli/replay/trace.js';
import { parseCall } from '../../../src/cli/replay/trace-reader.js';
import { CacheManager, hashKey } from '../../../src/index.js';

type CallParts = Partial<ToolCall> & Pick<ToolCall, 'tool'>;

function trace(parts: readonly CallParts[]): ToolCall[] {
  return parts.map((part, index) => ({
    task: 't',
    rollout: 'r',
    args: {},
    result: `answer of ${part.tool}`,
    failed: false,
    durationMs: 10,
    line: index + 1,
    ...part,
  }));
}

async function run(calls: readonly ToolCall[], options: Partial<ReplayOptions> = {}) {
  const cache = options.cache ?? new CacheManager();
  const outcomes: Outcome[] = [];
  const tally = new Tally(() => 10);
  await replayTasks({
    cache,
    tasks: groupByTask(calls),
    keyOf: (call) => hashKey(call.tool, call.args),
    effectOf: effectByName({ writes: ['write_*'], readOnly: [] }),
    latencyOf: () => 0,
    timeScale: 0,
    concurrency: 1,
    transientErrors: false,
    onOutcome(outcome) {
      outcomes.push(outcome);
      tally.add(outcome);
    },
    ...options,
  });
  const inOrder = outcomes.toSorted((a, b) => a.call.line - b.call.line);
  return { total: tally.total, tally, sources: inOrder.map(({ source }) => source) };
}

/** Wraps a cache so that answers can be spoilt. */
function spoiled(spoil: (answer: unknown) => unknown): ReplayCache {
  const cache = new CacheManager();
  return {
    getOrSet: async (method, params, loader) => spoil(await cache.getOrSet(method, params, loader)),
  };
}

describe('replaying', () => {
  test('rollouts of a task go in step: equal calls of one step coalesce, later ones hit', async () => {
    const calls = trace([
      { rollout: 'a', tool: 'search' },
      { rollout: 'a', tool: 'search' },
      { rollout: 'b', tool: 'search' },
      { rollout: 'b', tool: 'search' },
    ]);
    expect((await run(calls)).sources).toEqual(['miss', 'hit', 'coalesced', 'hit']);
  });

  test('a step waits for the slowest call of the one before', async () => {
    const started: string[] = [];
    const calls = trace([
      { rollout: 'a', tool: 'slow' },
      { rollout: 'a', tool: 'after' },
      { rollout: 'b', tool: 'quick' },
      { rollout: 'b', tool: 'also_after' },
    ]);
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const running = run(calls, {
      cache: {
        async getOrSet(method, _params, loader) {
          started.push(method);
          if (method === 'slow') await gate;
          return loader();
        },
      },
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(started).toEqual(['slow', 'quick']);
    release();
    await running;
    expect(started).toEqual(['slow', 'quick', 'after', 'also_after']);
  });

  test.each([1, 2, 3])('at most %i tasks run at once, and that many do', async (concurrency) => {
    let running = 0;
    let most = 0;
    const calls = trace(Array.from({ length: 6 }, (_, n) => ({ task: `t${n}`, tool: `tool${n}` })));
    await run(calls, {
      concurrency,
      cache: {
        async getOrSet(_method, _params, loader) {
          running += 1;
          most = Math.max(most, running);
          await new Promise((resolve) => setImmediate(resolve));
          running -= 1;
          return loader();
        },
      },
    });
    expect(most).toBe(concurrency);
  });

  test('writes go past the cache, each time', async () => {
    const calls = trace([{ tool: 'write_note' }, { tool: 'write_note' }]);
    const { sources } = await run(calls, {
      cache: {
        getOrSet: () => Promise.reject(new Error('a write reached the cache')),
      },
    });
    expect(sources).toEqual(['write', 'write']);
  });

  test('args that differ beyond 2^53 are different calls', async () => {
    const calls = trace([
      { tool: 'get', args: { id: 9007199254740992n }, result: 'even' },
      { tool: 'get', args: { id: 9007199254740993n }, result: 'odd' },
    ]);
    expect((await run(calls)).total).toMatchObject({ misses: 2, wrong: 0 });
  });
});

describe('recorded errors', () => {
  const failure = { failed: true, result: { error: '503' } };

  test('are thrown by the tool, never stored, and count as misses', async () => {
    const { total, sources } = await run(
      trace([{ tool: 'get', ...failure }, { tool: 'get', ...failure }, { tool: 'get' }, { tool: 'get' }]),
    );
    expect(sources).toEqual(['miss', 'miss', 'miss', 'hit']);
    expect(total).toMatchObject({ errors: 2, wrong: 0 });
  });

  test('an equal error met in flight is shared, and still no answer from the cache', async () => {
    const { total, sources } = await run(
      trace([
        { rollout: 'a', tool: 'get', ...failure },
        { rollout: 'b', tool: 'get', ...failure },
      ]),
    );
    expect(sources).toEqual(['miss', 'sharedError']);
    expect(total).toMatchObject({
      hits: 0,
      coalesced: 0,
      misses: 2,
      sharedErrors: 1,
      errors: 2,
      wrong: 0,
      savedMs: 0,
    });
  });

  test('a call that joined a failing load but was recorded as a success asks again', async () => {
    const { total, sources } = await run(
      trace([
        { rollout: 'a', tool: 'get', ...failure },
        { rollout: 'b', tool: 'get' },
        { rollout: 'c', tool: 'get' },
      ]),
    );
    expect(sources).toEqual(['miss', 'miss', 'coalesced']);
    expect(total).toMatchObject({ errors: 1, wrong: 0 });
  });

  test('two different errors in flight together are each told as recorded', async () => {
    const { total } = await run(
      trace([
        { rollout: 'a', tool: 'get', failed: true, result: 'timeout' },
        { rollout: 'b', tool: 'get', failed: true, result: 'quota' },
      ]),
    );
    expect(total).toMatchObject({ misses: 2, sharedErrors: 0, errors: 2, wrong: 0 });
  });

  test('an answer where an error was recorded is wrong, unless errors are known to be transient', async () => {
    const calls = trace([{ tool: 'get' }, { tool: 'get', ...failure }]);
    expect((await run(calls)).total).toMatchObject({ hits: 1, wrong: 1, avoidedErrors: 0, savedMs: 0 });
    expect((await run(calls, { transientErrors: true })).total).toMatchObject({
      hits: 1,
      wrong: 0,
      avoidedErrors: 1,
    });
  });

  test('a cache that pins a failure is found out instead of asked for ever', async () => {
    let pinned: Promise<unknown> | undefined;
    const calls = trace([{ tool: 'get', ...failure }, { tool: 'get' }]);
    const { total } = await run(calls, {
      cache: {
        getOrSet(_method, _params, loader) {
          pinned ??= loader();
          return pinned;
        },
      },
    });
    expect(total).toMatchObject({ wrong: 1 });
  });
});

describe('a wrong answer is noticed', () => {
  const calls = trace([
    { tool: 'get', result: { rows: [1, { a: null }] } },
    { tool: 'get', result: { rows: [1, { a: null }] } },
  ]);

  test.each<[string, (answer: unknown) => unknown]>([
    ['another value', () => 'something else'],
    ['nothing', () => undefined],
    ['a changed leaf', () => ({ rows: [1, { a: 0 }] })],
    ['a missing key', () => ({ rows: [1, {}] })],
    ['a further key', () => ({ rows: [1, { a: null, b: undefined }] })],
    ['a BigInt for a number', () => ({ rows: [1n, { a: null }] })],
  ])('%s', async (_name, spoil) => {
    const { total, tally } = await run(calls, { cache: spoiled(spoil) });
    expect(total.wrong).toBe(2);
    expect(tally.wrongAnswers[0]).toMatchObject({ line: 1, tool: 'get', source: 'miss' });
  });

  test('and the same cache unspoilt answers rightly', async () => {
    expect((await run(calls, { cache: spoiled((answer) => answer) })).total.wrong).toBe(0);
  });

  test("a repeat whose recorded result differs from the first one's", async () => {
    const changed = trace([{ tool: 'get' }, { tool: 'get', result: 'changed since' }]);
    expect((await run(changed)).total).toMatchObject({ hits: 1, wrong: 1, savedMs: 0 });
  });

  test('failures of the cache itself are not taken for answers', async () => {
    const cache: ReplayCache = { getOrSet: () => Promise.reject(new RangeError('broken')) };
    await expect(run(calls, { cache })).rejects.toThrow('broken');
  });
});

test('whatever the trace and the concurrency, answers from the cache are the repeats of successful calls', async () => {
  const anyCall = fc.record({
    task: fc.constantFrom('t0', 't1', 't2'),
    rollout: fc.constantFrom('a', 'b', 'c'),
    tool: fc.constantFrom('get', 'find', 'write_note'),
    id: fc.integer({ min: 0, max: 5 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyCall, { maxLength: 60 }),
      fc.integer({ min: 1, max: 4 }),
      async (drawn, concurrency) => {
        const calls = trace(
          drawn.map(({ id, ...call }) => ({
            ...call,
            args: { id },
            result: `${call.tool} ${id}`,
            failed: id === 0,
          })),
        );
        const reads = calls.filter(({ tool }) => tool !== 'write_note');
        const answered = reads.filter(({ failed }) => !failed);
        const different = new Set(answered.map(({ result }) => result)).size;
        const { total } = await run(calls, { concurrency });
        expect(total.hits + total.coalesced).toBe(answered.length - different);
        expect(total.misses).toBe(reads.length - answered.length + different);
        expect(total.calls).toBe(calls.length);
        expect(total.wrong).toBe(0);
      },
    ),
    { numRuns: 200 },
  );
});

test.each([1, 2, 3, 100])('the fixture gives the same counts with %i tasks at once', async (concurrency) => {
  const text = await readFile(new URL('../../fixture/support-desk.jsonl', import.meta.url), 'utf8');
  const lines = text.split('\n').filter((line) => line !== '');
  expect(parseJson(lines[0]!)).toMatchObject({ args: { id: 9007199254740993n } });
  const calls = lines.map((line, index) => parseCall(line, index + 1, 'fixture'));
  const effectOf = effectByName({ writes: ['update_*'], readOnly: [] });
  const { total } = await run(calls, { concurrency, effectOf });
  expect(total.hits + total.coalesced).toBe(6);
  expect(total).toMatchObject({ calls: 19, misses: 10, writes: 3, errors: 6, wrong: 0 });
});

test('the fitting time scale makes the uncached critical path take the target', () => {
  const calls = trace([
    { rollout: 'a', tool: 'x', durationMs: 4000 },
    { rollout: 'b', tool: 'x', durationMs: 9000 },
    { rollout: 'a', tool: 'x', durationMs: 1000 },
  ]);
  const latencyOf = (call: ToolCall) => call.durationMs ?? 0;
  const options = { tasks: groupByTask(calls), latencyOf, concurrency: 8 };
  expect(fittingTimeScale({ ...options, targetMs: 5000 })).toBe(0.5);
  expect(fittingTimeScale({ ...options, targetMs: 50_000 })).toBe(1);
});
