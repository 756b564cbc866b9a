/** `cache.tools` over tools built as each framework builds them. The frameworks themselves: `test/frameworks/`. */

import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { CacheManager } from '../../src/manager/cache-manager.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import type { ToolRules } from '../../src/tools/tool-rules.js';
import { gate, settle } from '../helper/gate.js';

const newCache = () => new CacheManager({ clock: new FakeClock() });

let warn: MockInstance;
beforeEach(() => {
  warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
});
afterEach(() => warn.mockRestore());
const warnings = () => warn.mock.calls.map(([message]) => message as string);

let calls = 0;
/** A context as frameworks pass it: another one for each call, with functions and instances in it. */
const context = (signal = new AbortController().signal) => ({
  toolCallId: `call_${calls++}`,
  messages: [{ role: 'user', content: String(calls) }],
  abortSignal: signal,
  send: () => 1,
  run: new (class Run {})(),
});

type Run = (input: object, context?: unknown, details?: unknown) => unknown;

/** LangChain's, as far as it matters: methods on the prototype, the function in a field. */
class LangChainTool {
  readonly schema = { type: 'object' };
  readonly name: string;
  readonly func: Run;
  constructor(name: string, func: Run) {
    this.name = name;
    this.func = func;
  }
  async invoke(input: object, config?: object): Promise<unknown> {
    return `${this.name}: ${await this.func(input, undefined, config)}`;
  }
}

/** Mastra's. */
class MastraTool {
  readonly id: string;
  readonly execute: Run;
  constructor(id: string, execute: Run) {
    this.id = id;
    this.execute = execute;
  }
}

const run = (tool: Run) => (input: object, signal?: AbortSignal) => tool(input, context(signal));

interface Framework {
  readonly tools: (search: Run) => object;
  readonly call: (tools: never) => (input: object, signal?: AbortSignal) => unknown;
}

const frameworks: Readonly<Record<string, Framework>> = {
  'the AI SDK': {
    tools: (execute) => ({ search: { description: 'finds', inputSchema: {}, execute } }),
    call: (tools: { search: { execute: Run } }) => run((...args) => tools.search.execute(...args)),
  },
  'OpenAI Agents': {
    tools: (execute) => [{ name: 'search', parameters: {}, execute }],
    call: (tools: { execute: Run }[]) => (input, signal) =>
      tools[0]!.execute(input, new (class RunContext {})(), { toolCall: { callId: calls++ }, signal }),
  },
  LangChain: {
    tools: (func) => [new LangChainTool('search', func)],
    call: (tools: LangChainTool[]) => async (input, signal) =>
      String(await tools[0]!.invoke(input, context(signal))).replace('search: ', ''),
  },
  'the Claude Agent SDK': {
    tools: (handler) => [{ name: 'search', description: 'finds', inputSchema: {}, handler }],
    call: (tools: { handler: Run }[]) => run((...args) => tools[0]!.handler(...args)),
  },
  'Mastra 1': {
    tools: (execute) => ({ searchTool: new MastraTool('search', execute) }),
    call: (tools: { searchTool: MastraTool }) => run((...args) => tools.searchTool.execute(...args)),
  },
  'Mastra 0': {
    tools: (execute) => ({
      searchTool: new MastraTool('search', (outer, options) =>
        execute((outer as { context: object }).context, options),
      ),
    }),
    call: (tools: { searchTool: MastraTool }) => (input, signal) =>
      tools.searchTool.execute(
        { context: input, runtimeContext: new Map(), runId: calls++, suspend: async () => {} },
        { ...context(signal), suspend: async () => {} },
      ),
  },
  'plain objects': {
    tools: (func) => [{ name: 'search', func }],
    call: (tools: { func: Run }[]) => run((...args) => tools[0]!.func(...args)),
  },
  functions: {
    tools: (search) => ({ search }),
    call: (tools: { search: Run }) => run((...args) => tools.search(...args)),
  },
};

describe.each(Object.entries(frameworks))('tools of %s', (_, { tools, call }) => {
  it('run once for equal inputs, at once and later', async () => {
    const search = vi.fn(async (input: object) => JSON.stringify(input));
    const cached = newCache().tools(tools(search), { search: {} });
    const ask = call(cached as never);
    const answers = await Promise.all(Array.from({ length: 64 }, () => ask({ query: 'mvcc' })));
    expect(new Set(answers)).toEqual(new Set(['{"query":"mvcc"}']));
    expect(await ask({ query: 'mvcc' })).toBe('{"query":"mvcc"}');
    expect(await ask({ query: 'wal' })).toBe('{"query":"wal"}');
    expect(search).toHaveBeenCalledTimes(2);
    expect(warnings()).toEqual([]);
  });

  it.each<ToolRules>([
    { search: 'write' },
    { search: 'opaque' },
    { 'sea*': 'write', '*': {} },
    { '*': 'opaque' },
  ])('run every time under %o', async (rules) => {
    const search = vi.fn(async () => 'found');
    const given = tools(search);
    const cached = newCache().tools(given, rules);
    const ask = call(cached as never);
    for (let i = 0; i < 3; i++) await ask({ query: 'mvcc' });
    expect(search).toHaveBeenCalledTimes(3);
    expect(warnings()).toEqual([]);
    expect(Object.values(cached)).toEqual(Object.values(given));
  });

  it('run every time without a rule, which one warning says', async () => {
    const search = vi.fn(async () => 'found');
    const cache = newCache();
    const ask = call(cache.tools(tools(search), {}) as never);
    cache.tools(tools(search), {});
    for (let i = 0; i < 3; i++) await ask({ query: 'mvcc' });
    expect(search).toHaveBeenCalledTimes(3);
    expect(warnings()).toHaveLength(1);
    expect(warnings()[0]).toMatch(/never cached: search\..*'\*': 'opaque'/);
  });

  it('end the wait of a caller by its own signal alone, and hear when nobody waits any more', async () => {
    const seen: AbortSignal[] = [];
    const answer = gate<string>();
    const search = vi.fn((...args: unknown[]) => {
      seen.push(...signalsIn(args));
      return answer.promise;
    });
    const ask = call(newCache().tools(tools(search), { search: {} }) as never);
    const callers = [new AbortController(), new AbortController()];
    const [leaving, staying] = callers.map(({ signal }) => ask({ query: 'mvcc' }, signal));
    await settle();
    callers[0]!.abort(new Error('enough'));
    await expect(leaving).rejects.toThrow('enough');
    expect(seen.map(({ aborted }) => aborted)).toEqual(seen.map(() => false));
    expect(seen.length).toBeGreaterThan(0);
    callers[1]!.abort(new Error('too'));
    await expect(staying).rejects.toThrow('too');
    expect(seen.map(({ aborted }) => aborted)).toEqual(seen.map(() => true));
    answer.open('late');
    expect(search).toHaveBeenCalledTimes(1);
  });

  it('share an error in flight and store none', async () => {
    let isDown = true;
    const search = vi.fn(async () => {
      if (isDown) throw new Error('down');
      return 'found';
    });
    const ask = call(newCache().tools(tools(search), { search: {} }) as never);
    const outcomes = await Promise.allSettled([ask({ query: 'mvcc' }), ask({ query: 'mvcc' })]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    isDown = false;
    expect(await ask({ query: 'mvcc' })).toBe('found');
    expect(search).toHaveBeenCalledTimes(2);
  });
});

describe('a result that is an error by a framework’s convention', () => {
  const down = [
    { content: [{ type: 'text', text: 'down' }], isError: true },
    { error: true, message: 'no', validationErrors: { query: ['is empty'] } },
    { status: 'error', content: 'down' },
  ];

  it.each(down)('is never stored: %o', async (error) => {
    const cache = newCache();
    const search = vi.fn<() => Promise<object>>(async () => ({ content: 'found' }));
    search.mockResolvedValueOnce(error);
    const [tool] = cache.tools([{ name: 'search', execute: search }], { search: {} });
    expect(await tool!.execute()).toEqual(error);
    for (let i = 0; i < 3; i++) expect(await tool!.execute()).toEqual({ content: 'found' });
    expect(search).toHaveBeenCalledTimes(2);
    expect(cache.stats('search')).toMatchObject({ loadErrors: 1, loads: 1, hits: 2 });
  });

  it('is stored where the rule says that nothing is one, and adds to the cache’s own `isError`', async () => {
    const cache = new CacheManager({ clock: new FakeClock(), isError: (value) => value === 'own' });
    const results: unknown[] = [down[0], 'own', down[0]];
    const search = vi.fn(async (): Promise<unknown> => results.shift());
    const strict = cache.tools([{ name: 'strict', execute: search }], { strict: {} });
    for (let i = 0; i < 2; i++) await strict[0]!.execute();
    expect(cache.stats('strict').loadErrors).toBe(2);
    const lax = cache.tools([{ name: 'lax', execute: search }], { lax: { isError: false } });
    for (let i = 0; i < 2; i++) expect(await lax[0]!.execute()).toEqual(down[0]);
    expect(search).toHaveBeenCalledTimes(3);
  });

  it('is told by those fields alone', async () => {
    const results = [
      { isError: false },
      { status: 'ok' },
      { error: true },
      { error: 'x', validationErrors: [] },
    ];
    for (const [at, result] of results.entries()) {
      const search = vi.fn(async () => result);
      const [tool] = newCache().tools([{ name: 'search', execute: search }], { search: {} });
      for (let i = 0; i < 2; i++) await tool!.execute();
      expect(search, String(at)).toHaveBeenCalledTimes(1);
    }
  });
});

describe('the tools that come back', () => {
  const execute = async () => 1;

  it('are as they were, but for the function that runs them', () => {
    const hidden = Symbol('hidden');
    const search = Object.freeze({
      ...{ description: 'finds', inputSchema: {}, execute, needsApproval: true, [hidden]: 1 },
      toModelOutput: () => ({ type: 'text' }),
      get title() {
        return 'Search';
      },
    });
    const cached = newCache().tools({ search }, { search: {} });
    expect(cached.search.execute).not.toBe(execute);
    expect(Reflect.ownKeys(cached.search)).toEqual(Reflect.ownKeys(search));
    expect({ ...cached.search, execute }).toEqual({ ...search });
    expect(cached.search.toModelOutput).toBe(search.toModelOutput);
  });

  it('are still of their class, and leave the given ones alone', async () => {
    const search = new LangChainTool('search', execute);
    const [cached] = newCache().tools([search], { search: {} });
    expect(cached).toBeInstanceOf(LangChainTool);
    expect(cached!.schema).toBe(search.schema);
    expect(search.func).toBe(execute);
  });

  it('stay the same objects where nothing is cached, also those that run elsewhere or are missing', () => {
    const hosted = { type: 'hosted_tool', name: 'web_search' };
    const finished = { type: 'function', name: 'done', invoke: async () => '' };
    const odd = new (class Odd {
      readonly name = 'odd';
      invoke() {}
    })();
    const nameless = { type: 'web_search_preview' };
    const list = [hosted, finished, odd, nameless, undefined];
    expect(newCache().tools(list, { '*': 'opaque' })).toEqual(list);
    const record = { search: { inputSchema: {} }, none: undefined, off: false };
    expect(newCache().tools(record, { 's*': {} })).toEqual(record);
  });

  it('carry what a function carries', async () => {
    const search = Object.assign(async (input: { query: string }) => input.query, { description: 'finds' });
    const cached = newCache().tools({ search }, { search: {} });
    expect(cached.search.description).toBe('finds');
    expect(cached.search.name).toBe(search.name);
    expect(await cached.search({ query: 'mvcc' })).toBe('mvcc');
  });
});

describe('rules', () => {
  const tool = (name: string) => ({ name, execute: vi.fn(async (_input?: object) => name) });

  it('go by the name, then by the longest pattern', async () => {
    const tools = [tool('book_flight'), tool('book_list'), tool('search'), tool('a.b')];
    const cached = newCache().tools(tools, {
      ...{ '*': 'opaque', 'book_*': 'write', book_list: {}, 'sea*h': {}, 'a.*': {} },
    } as ToolRules);
    for (const each of [...cached, ...cached]) await each.execute({});
    expect(tools.map(({ execute }) => execute.mock.calls.length)).toEqual([2, 1, 1, 1]);
  });

  it('hold the options of each tool', async () => {
    const clock = new FakeClock();
    const search = tool('search');
    const [cached] = new CacheManager({ clock }).tools([search], { search: { ttl: '1m' } });
    await cached!.execute({});
    await clock.advance(59_999);
    await cached!.execute({});
    expect(search.execute).toHaveBeenCalledTimes(1);
    await clock.advance(1);
    await cached!.execute({});
    expect(search.execute).toHaveBeenCalledTimes(2);
  });

  it('may make the key of the context too, and leave parts of the input out', async () => {
    const search = { name: 'search', execute: vi.fn(async (..._: unknown[]) => 1) };
    const cache = newCache();
    const [cached] = cache.tools([search], {
      search: {
        key: (input: { query: string }, context: { tenant: string }) => [input.query, context.tenant],
      },
    });
    await cached!.execute({ query: 'a', trace: 1 }, { tenant: 'acme' });
    await cached!.execute({ query: 'a', trace: 2 }, { tenant: 'acme' });
    await cached!.execute({ query: 'a', trace: 2 }, { tenant: 'globex' });
    expect(search.execute).toHaveBeenCalledTimes(2);
    const other = { name: 'other', execute: vi.fn(async (..._: unknown[]) => 1) };
    const [ignoring] = cache.tools([other], { other: { ignore: ['trace'] } });
    await ignoring!.execute({ query: 'a', trace: 1 });
    await ignoring!.execute({ query: 'a', trace: 2 });
    expect(other.execute).toHaveBeenCalledTimes(1);
  });

  it('make the keys that Python makes of the input', async () => {
    const cache = newCache();
    const [cached] = cache.tools([tool('search')], { search: {} });
    await cached!.execute({ query: 'mvcc' });
    expect(await cache.get('search', { query: 'mvcc' })).toBe('search');
  });

  it('may be for tools that are not there', async () => {
    const search = tool('search_all');
    const rules: ToolRules = { search: 'write', search_all: {}, book: 'write' };
    const [cached] = newCache().tools([search], rules);
    for (let i = 0; i < 2; i++) await cached!.execute({});
    expect(search.execute).toHaveBeenCalledTimes(1);
  });

  it.each<[string, object, unknown, RegExp]>([
    [
      'a misspelt name',
      [tool('search')],
      { serach: {} },
      /No tool is called `serach`.*did you mean `search`\?/,
    ],
    ['a key of the record', { s: tool('search') }, { s: {} }, /calls itself `search`/],
    ['a malformed key', [tool('search')], { search: { key: 1 } }, /Wrong rule `search`: .*`key`/],
    ['an unknown option', [tool('search')], { search: { tl: 1 } }, /rule `search`: did you mean `ttl`/],
    ['a malformed option', [tool('search')], { search: { ttl: -1 } }, /`ttl`.*got `-1`/],
    ['an option of the cache', [tool('search')], { search: { maxSize: 1 } }, /whole cache/],
    ['a name', [tool('search')], { search: { name: 'x' } }, /`name` is no option of the rule `search`/],
    ['a scope function', [tool('search')], { search: { scope: () => '' } }, /make it part of the `key`/],
    ['another word', [tool('search')], { search: 'wirte' }, /'write', 'opaque', or options/],
    ['no rules', [tool('search')], undefined, /Expected `rules` to be an object of rules/],
  ])('are refused with the fix: %s', (_, tools, rules, message) => {
    expect(() => newCache().tools(tools, rules as ToolRules)).toThrow(message);
  });
});

describe('what is ambiguous', () => {
  const execute = async () => 1;

  class Subclassed {
    readonly name = 'search';
    async _call() {}
    async invoke() {}
  }

  it.each<[string, unknown, RegExp]>([
    ['a list of the AI SDK’s', [{ inputSchema: {}, execute }], /give a record, `{ search: tool }`/],
    ['a single tool', { name: 'search', execute }, /a single tool goes into a list or a record/],
    [
      'a finished tool of OpenAI',
      [{ type: 'function', name: 'search', invoke: execute }],
      /before|`tool\(\)`/,
    ],
    ['two functions', [{ name: 'search', execute, handler: execute }], /`execute` and `handler`/],
    [
      'two tools of one name',
      [
        { name: 'search', execute },
        { name: 'search', func: execute },
      ],
      /Two tools/,
    ],
    ['a class of one’s own', [new Subclassed()], /an instance of `Subclassed`.*`_call`|`invoke`/],
    ['a tool that runs elsewhere', { search: { inputSchema: {} } }, /it has no `execute`/],
    ['a map', new Map(), /a list or a plain record/],
    ['nothing', undefined, /a list or a plain record/],
    ['a generator', [{ name: 'search', async *execute() {} }], /generator/],
  ])('is refused with the fix: %s', (_, tools, message) => {
    expect(() => newCache().tools(tools as object, { search: {} })).toThrow(message);
  });

  it('is a second tool of a name: it may close over something else', async () => {
    const cache = newCache();
    const make = (tenant: string) => [{ name: 'search', execute: async () => tenant }];
    const acme = make('acme');
    cache.tools(acme, { search: {} });
    cache.tools(acme, { search: {} });
    const fix = /Another function is cached as `search`.*`shared: true`.*`scope: '…'`/;
    expect(() => cache.tools(make('globex'), { search: {} })).toThrow(fix);
    expect(() => cache.wrap(execute, { name: undefined as never })).not.toThrow();
  });

  it('is none with `scope`, nor with `shared`', async () => {
    const cache = newCache();
    const make = (tenant: string, rules: ToolRules) =>
      cache.tools([{ name: 'search', execute: async () => tenant }], rules)[0]!.execute();
    const scoped = ['acme', 'globex', 'acme'].map((scope) => make(scope, { search: { scope } }));
    expect(await Promise.all(scoped)).toEqual(['acme', 'globex', 'acme']);
    const shared = ['first', 'second'].map((tenant) => make(tenant, { search: { shared: true } }));
    expect(await Promise.all(shared)).toEqual(['first', 'first']);
  });

  it('is a call with several arguments, which runs uncached', async () => {
    const cache = newCache();
    const search = vi.fn(async (query: string, limit: number) => [query, limit]);
    const cached = cache.tools({ search }, { search: {} });
    expect(await cached.search('mvcc', 1)).toEqual(['mvcc', 1]);
    expect(await cached.search('mvcc', 2)).toEqual(['mvcc', 2]);
    expect(cache.stats('search').uncached).toBe(2);
  });

  it('is a result that is read bit by bit from a function that is no generator', async () => {
    async function* parts() {
      yield 1;
    }
    const [tool] = newCache().tools([{ name: 'search', execute: () => parts() }], { search: {} });
    await expect(tool!.execute()).rejects.toThrow(/make its function an `async function\*`/);
  });
});

function signalsIn(value: unknown, met = new Set<unknown>()): AbortSignal[] {
  if (value instanceof AbortSignal) return [value];
  if (typeof value !== 'object' || value === null || met.has(value)) return [];
  met.add(value);
  return Object.values(value).flatMap((each) => signalsIn(each, met));
}

describe('a hit', () => {
  it('looks at nothing of the context but its own fields', async () => {
    let looks = 0;
    const messages = new Proxy([{ role: 'user' }], {
      get(list, name, self) {
        looks += 1;
        return Reflect.get(list, name, self);
      },
      ownKeys(list) {
        looks += 1;
        return Reflect.ownKeys(list);
      },
    });
    const cache = new CacheManager();
    const tools = cache.tools({ search: { execute: async (input: { q: string }) => input.q } } as never, {
      search: { ttl: '1h' },
    }) as { search: { execute(input: object, context: object): Promise<unknown> } };
    await tools.search.execute({ q: 'a' }, { toolCallId: '1', messages });
    expect(looks).toBeGreaterThan(0);
    looks = 0;
    expect(await tools.search.execute({ q: 'a' }, { toolCallId: '2', messages })).toBe('a');
    expect(looks).toBe(0);
    expect(cache.stats('search').hits).toBe(1);
  });

  it('is none for a caller who has aborted', async () => {
    const cache = new CacheManager();
    const load = cache.wrap(async (input: object, _context: object) => input, {
      name: 'load',
      key: (input) => input,
    });
    await load({ q: 1 }, {});
    await expect(load({ q: 1 }, { abortSignal: AbortSignal.abort('left') })).rejects.toBe('left');
    expect(await load({ q: 1 }, { abortSignal: new AbortController().signal })).toEqual({ q: 1 });
  });
});

describe('a tool of LangChain’s', () => {
  const config = (fields: object = {}) => ({ ...context(), configurable: { thread_id: calls++, ...fields } });

  it('that interrupts its graph does so for each caller, and an answer is one caller’s', async () => {
    const answers = ['blue', 'red'];
    const tool = new LangChainTool('ask', async (_input, _manager, given) => {
      const { configurable } = given as { configurable: Record<string, unknown> };
      if (configurable['__pregel_resuming'] === true) return answers.shift();
      throw Object.assign(new Error('ask'), { is_bubble_up: true, thread: configurable['thread_id'] });
    });
    const cache = newCache();
    const [cached] = cache.tools([tool], { ask: {} });
    const outcomes = await Promise.allSettled([1, 2].map(() => cached!.invoke({ what: 'colour' }, config())));
    const threads = outcomes.map((each) => (each as PromiseRejectedResult).reason.thread as number);
    expect(threads[0]).not.toBe(threads[1]);
    const resumed = () => cached!.invoke({ what: 'colour' }, config({ __pregel_resuming: true }));
    expect([await resumed(), await resumed()]).toEqual(['ask: blue', 'ask: red']);
    expect(cache.stats('ask')).toMatchObject({ hits: 0, entries: 0 });
  });
});
