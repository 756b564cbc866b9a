/** Calls as agent SDKs make them: `fn(input, { abortSignal, toolCallId, … })` and its like. */

import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { CacheManager } from '../../src/manager/cache-manager.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import type { WrapOptions } from '../../src/wrap/wrap-options.js';
import { gate, settle } from '../helper/gate.js';

const newCache = () => new CacheManager({ clock: new FakeClock() });

type Place = readonly [name: string, (signal: unknown) => unknown[]];

const input = { query: 'mvcc' };
const places: readonly Place[] = [
  ['a context', (signal) => [input, { abortSignal: signal }]],
  ['a context of a context', (signal) => [input, { mcpReq: { signal } }]],
  ['a context four levels deep', (signal) => [input, { a: { b: [{ signal }] } }]],
  ['a context, twice', (signal) => [input, { signal, mcpReq: { signal } }]],
  ['the arguments, before others', (signal) => [signal, input]],
  ['a list', (signal) => [input, [signal, 1]]],
  ['a context that holds itself', (signal) => [input, cyclic(signal)]],
];

function cyclic(signal: unknown): object {
  const context: Record<string, unknown> = { signal };
  context['self'] = context;
  return context;
}

const keyed: readonly (readonly [string, WrapOptions<unknown, unknown[]>])[] = [
  ['`key`', { key: () => input }],
  ['`params` and `ignore`', { params: ['input', 'context'], ignore: ['context', 'input'] }],
];

describe('an abort signal anywhere among the arguments', () => {
  describe.each(places)('in %s', (place, argumentsWith) => {
    const ways = place.includes('holds itself') ? keyed : [['nothing', {}] as const, ...keyed];
    it.each(ways)('is its caller’s alone, with %s', async (_, options) => {
      const answers = gate<string>();
      const seen: AbortSignal[] = [];
      const tool = vi.fn((...args: unknown[]) => {
        seen.push(...signalsIn(args));
        return new Promise<string>((resolve, reject) => {
          void answers.promise.then(resolve);
          for (const signal of seen) signal.addEventListener('abort', () => reject(signal.reason));
        });
      });
      const wrapped = newCache().wrap(tool, { name: 'search', ...options });
      const [first, second] = [new AbortController(), new AbortController()];
      const leaving = wrapped(...argumentsWith(first.signal));
      const staying = wrapped(...argumentsWith(second.signal));
      first.abort(new Error('enough'));
      await expect(leaving).rejects.toThrow('enough');
      expect(seen.length).toBeGreaterThan(0);
      expect(seen).not.toContain(first.signal);
      expect(seen.map((signal) => signal.aborted)).toEqual(seen.map(() => false));
      answers.open('found');
      expect(await staying).toBe('found');
      expect(await wrapped(...argumentsWith(new AbortController().signal))).toBe('found');
      expect(tool).toHaveBeenCalledTimes(1);
    });
  });

  it('aborts the tool once the last caller has left', async () => {
    const seen: AbortSignal[] = [];
    const wrapped = newCache().wrap(
      (_input: object, { abortSignal }: { abortSignal: AbortSignal }) => {
        seen.push(abortSignal);
        return new Promise<void>(() => {});
      },
      { name: 'search' },
    );
    const controllers = [new AbortController(), new AbortController()];
    const calls = controllers.map(({ signal }) => wrapped(input, { abortSignal: signal }));
    controllers[0]?.abort(new Error('enough'));
    await expect(calls[0]).rejects.toThrow('enough');
    expect(seen[0]?.aborted).toBe(false);
    controllers[1]?.abort(new Error('too'));
    await expect(calls[1]).rejects.toThrow('too');
    expect(seen.map((signal) => signal.aborted)).toEqual([true]);
  });

  it('tells calls apart by the place of other arguments', () => {
    const wrapped = newCache().wrap(async (..._: unknown[]) => 1, { name: 'search' });
    const { signal } = new AbortController();
    expect(wrapped.key(signal, 'mvcc')).not.toBe(wrapped.key('mvcc'));
    expect(wrapped.key(signal, 'mvcc')).toBe(wrapped.key(undefined, 'mvcc'));
    expect(wrapped.key('mvcc', { signal })).toBe(wrapped.key('mvcc', {}));
  });

  it('leaves the caller’s objects as they are, and shares what holds no signal', async () => {
    const { signal } = new AbortController();
    const context = Object.freeze({ signal, session: { id: 1 }, log: () => 1 });
    const tool = vi.fn(async (_input: object, _context: typeof context) => 1);
    await newCache().wrap(tool, { name: 'search', key: (query) => query })(input, context);
    const seen = tool.mock.calls[0]?.[1];
    expect(context.signal).toBe(signal);
    expect(seen?.signal).not.toBe(signal);
    expect(seen?.session).toBe(context.session);
    expect(seen?.log).toBe(context.log);
  });

  it('that a key function hands on is no part of the key', async () => {
    const tool = vi.fn(async (_input: object, _context: { signal: AbortSignal }) => 1);
    const wrapped = newCache().wrap(tool, { name: 'search', key: (...args) => args });
    await wrapped(input, { signal: new AbortController().signal });
    await wrapped(input, { signal: new AbortController().signal });
    expect(tool).toHaveBeenCalledTimes(1);
  });

  it('does not hide that other arguments are changed before the tool runs', async () => {
    const cache = new CacheManager({ clock: new FakeClock(), concurrency: 1 });
    const first = gate<number>();
    const wrapped = cache.wrap(
      async (query: { page: number; signal: AbortSignal }) => (query.page === 0 ? first.promise : query.page),
      { name: 'search', ignore: ['trace'] },
    );
    const busy = wrapped({ page: 0, signal: new AbortController().signal });
    const query = { page: 1, signal: new AbortController().signal };
    const call = wrapped(query);
    query.page = 2;
    first.open(0);
    await Promise.all([busy, call]);
    expect(await wrapped({ page: 1, signal: new AbortController().signal })).toBe(1);
  });

  it.each([
    ['a polyfill', undefined, { name: 'AbortError' }],
    ['another make', new Error('enough'), { message: 'enough' }],
  ])('of %s ends the wait too', async (_, reason, thrown) => {
    const controller = foreign(reason);
    const seen: AbortSignal[] = [];
    const wrapped = newCache().wrap(
      (_query: string, { signal }: { signal: AbortSignal }) => {
        seen.push(signal);
        return new Promise<void>(() => {});
      },
      { name: 'search' },
    );
    const call = wrapped('mvcc', { signal: controller.signal as unknown as AbortSignal });
    await settle();
    controller.abort();
    await expect(call).rejects.toMatchObject(thrown);
    expect(seen.map((signal) => [signal instanceof AbortSignal, signal.aborted])).toEqual([[true, true]]);
    const late = wrapped('other', { signal: controller.signal as unknown as AbortSignal });
    await expect(late).rejects.toMatchObject(thrown);
    expect(seen).toHaveLength(1);
  });

  it('is looked for once in data that holds one thing many times', async () => {
    let reads = 0;
    const rows = Array.from({ length: 100 }, () => ({
      get value() {
        reads++;
        return { deep: {} };
      },
    }));
    let data: unknown = rows;
    for (let level = 0; level < 3; level++) data = Array.from({ length: 100 }, () => data);
    const wrapped = newCache().wrap(async (_input: object, _data: unknown) => 1, { name: 'a', key: () => 1 });
    await wrapped(input, { data });
    expect(reads).toBeLessThanOrEqual(100);
  });

  function signalsIn(value: unknown, met = new Set<unknown>()): AbortSignal[] {
    if (value instanceof AbortSignal) return [value];
    if (typeof value !== 'object' || value === null || met.has(value)) return [];
    met.add(value);
    return Object.values(value).flatMap((each) => signalsIn(each, met));
  }

  /** What polyfills do: no `throwIfAborted`, and with the older ones no `reason`. */
  function foreign(given: Error | undefined) {
    class PolyfilledSignal {
      readonly #emitter = new EventEmitter();
      aborted = false;
      reason: Error | undefined;
      addEventListener(name: string, listener: () => void) {
        this.#emitter.on(name, listener);
      }
      removeEventListener(name: string, listener: () => void) {
        this.#emitter.off(name, listener);
      }
      abortNow() {
        this.aborted = true;
        this.reason = given;
        this.#emitter.emit('abort');
      }
    }
    const signal = new PolyfilledSignal();
    return { signal, abort: () => signal.abortNow() };
  }
});

describe('the context of a call', () => {
  let warn: MockInstance;
  beforeEach(() => {
    warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  });
  afterEach(() => warn.mockRestore());
  const warnings = () =>
    warn.mock.calls
      .filter(([, options]) => options?.code === 'TOOLSTASH_VARYING_CONTEXT')
      .map(([message]) => message as string);

  const aiContext = (id: number) => ({
    toolCallId: `call_${id}`,
    messages: [{ role: 'user', content: `turn ${id}` }],
    abortSignal: new AbortController().signal,
  });

  it.each<[string, (id: number) => unknown[]]>([
    ['the AI SDK', (id) => [input, aiContext(id)]],
    ['the AI SDK without a signal', (id) => [input, { ...aiContext(id), abortSignal: undefined }]],
    ['OpenAI Agents', (id) => [input, new (class RunContext {})(), { toolCall: { callId: `call_${id}` } }]],
    ['LangChain', (id) => [input, { configurable: { thread_id: id }, callbacks: [() => 1] }]],
    ['the Claude Agent SDK', (id) => [input, { signal: aiContext(id).abortSignal, sendRequest: () => 1 }]],
    ['LangChain without callbacks', (id) => [input, { toolCall: { id: `call_${id}`, name: 'search' } }]],
    ['OpenAI Agents, in its details', (id) => [input, {}, { toolCall: { callId: `call_${id}` } }]],
    ['the MCP SDK', (id) => [input, { mcpReq: { id, signal: aiContext(id).abortSignal } }]],
    ['Mastra', (id) => [input, { agent: aiContext(id), requestContext: new Map() }]],
    ['Anthropic’s tool runner', (id) => [input, { toolUseBlock: { id: `toolu_${id}`, name: 'search' } }]],
    ['a tracer', (id) => [input, { signal: aiContext(id).abortSignal, span: { traceId: `t${id}` } }]],
    ['a context of ids', (id) => [input, { signal: aiContext(id).abortSignal, requestId: `r${id}` }]],
  ])('of %s is told once, with the fix', async (_, argumentsOf) => {
    const wrapped = newCache().wrap(async (..._: unknown[]) => 1, { name: 'search' });
    for (let id = 0; id < 10; id++) await wrapped(...argumentsOf(id));
    expect(warnings()).toHaveLength(1);
    expect(warnings()[0]).toMatch(/`search`.*`key: \(input\) => input`.*`params: \['input', 'context'\]/);
  });

  it('is told of synchronous functions too', () => {
    const wrapped = newCache().wrapSync((..._: unknown[]) => 1, { name: 'search' });
    for (let id = 0; id < 10; id++) wrapped(input, aiContext(id));
    expect(warnings()).toHaveLength(1);
  });

  it('is told where `params` names the input alone', async () => {
    const wrapped = newCache().wrap(async (..._: unknown[]) => 1, { name: 'search', params: ['input'] });
    for (let id = 0; id < 10; id++) await wrapped(input, aiContext(id));
    expect(warnings()).toHaveLength(1);
    expect(warnings()[0]).toMatch(/at most 1 argument/);
  });

  it.each([1, 2, 3, 4, 5, 6])('that can be read only %i times does no harm', async (times) => {
    let reads = 0;
    const context = {
      get toolCallId() {
        if (reads++ >= times) throw new Error('read too often');
        return 'call_1';
      },
    };
    const wrapped = newCache().wrap(async (..._: unknown[]) => 1, { name: 'search' });
    expect(await wrapped(input, context)).toBe(1);
  });

  it('does as the warning says', async () => {
    for (const options of [
      { key: (given: unknown) => given },
      { params: ['input', 'context'], ignore: ['context'] },
    ]) {
      const tool = vi.fn(async (_input: unknown, _context: unknown) => 1);
      const wrapped = newCache().wrap(tool, { name: 'search', ...options });
      for (let id = 0; id < 10; id++) await wrapped(input, aiContext(id));
      expect(tool).toHaveBeenCalledTimes(1);
    }
    expect(warnings()).toEqual([]);
  });

  const asked: [string, (id: number) => unknown[]][] = [
    ['pages of one search', (id) => [input, { page: id, cursor: `c${id}` }]],
    ['pages under a signal', (id) => [input, { page: id, signal: new AbortController().signal }]],
    ['runs that are asked for', (id) => ['project', { runId: `run_${id}` }]],
    ['users that are asked for', (id) => [input, { user: { id } }]],
    ['users under a signal', (id) => [input, { user: { id }, signal: new AbortController().signal }]],
    ['a context without ids', (id) => [input, { messages: [`turn ${id}`] }, { mode: 'fast' }]],
    ['a list', (id) => [input, [`turn ${id}`]]],
  ];

  it.each(asked)(
    'that is another in ten calls, none of them answered, is told: %s',
    async (_, argumentsOf) => {
      const wrapped = newCache().wrap(async (..._: unknown[]) => 1, { name: 'search' });
      for (let id = 0; id < 9; id++) await wrapped(...argumentsOf(id));
      expect(warnings()).toEqual([]);
      for (let id = 9; id < 30; id++) await wrapped(...argumentsOf(id));
      expect(warnings()).toHaveLength(1);
      expect(warnings()[0]).toMatch(
        /`search` was called 10 times with .* but for argument 2, .*never answered.*`key: \(input\) => input`/,
      );
    },
  );

  it.each(asked)('is not told once a call was answered: %s', async (_, argumentsOf) => {
    const wrapped = newCache().wrap(async (..._: unknown[]) => 1, { name: 'search' });
    for (const id of [0, 0]) await wrapped(...argumentsOf(id));
    for (let id = 0; id < 30; id++) await wrapped(...argumentsOf(id));
    expect(warnings()).toEqual([]);
  });

  it('is named where `params` does', async () => {
    const wrapped = newCache().wrap(async (..._: unknown[]) => 1, {
      name: 'search',
      params: ['input', 'session'],
    });
    for (let id = 0; id < 10; id++) await wrapped(input, { step: id });
    expect(warnings()[0]).toMatch(/but for argument 2 \(`session`\), which/);
  });

  it.each<[string, WrapOptions<unknown, unknown[]>, (id: number) => unknown[]]>([
    ['other texts and numbers', {}, (id) => ['project', `issue ${id}`, id]],
    ['inputs that differ', {}, (id) => [{ query: id }, { mode: 'fast' }]],
    ['inputs and contexts that differ', {}, (id) => [{ query: id }, { turn: id }]],
    ['other inputs each time', {}, (id) => [{ query: id }, aiContext(id)]],
    ['a single object', {}, (id) => [{ toolCallId: `call_${id}` }]],
    ['one call again and again', { ttl: 0 }, () => [input, { toolCallId: 'call_1' }]],
    [
      'ids that are ignored',
      { ttl: 0, params: ['input', 'context'], ignore: ['context.toolCallId'] },
      (id) => [input, { toolCallId: `call_${id}` }],
    ],
    ['a single argument without a key', {}, (id) => (id === 5 ? [() => 1] : [input])],
    ['arguments without a key now and then', {}, (id) => (id % 5 === 3 ? [input, () => 1] : [input])],
  ])('raises no false alarm: %s', async (_, options, argumentsOf) => {
    const wrapped = newCache().wrap(async (..._: unknown[]) => 1, { name: 'search', ...options });
    for (let id = 0; id < 20; id++) await wrapped(...argumentsOf(id));
    expect(warnings()).toEqual([]);
  });
});
