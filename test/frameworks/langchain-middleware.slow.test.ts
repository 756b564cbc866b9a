/** `toolstash/langchain` in agents of LangChain: scripted models, no network. */

import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { cacheMiddleware } from '../../src/langchain/index.js';
import { CacheManager } from '../../src/manager/cache-manager.js';
import type { ToolRules } from '../../src/tools/tool-rules.js';
import { gate } from '../helper/gate.js';
import { librariesOf } from '../helper/libraries.js';
import { MapTier } from '../helper/map-tier.js';
import { runExample } from './examples.js';
import type { Agent } from './langchain-agents.js';

await librariesOf(new URL('.', import.meta.url));
const { createMiddleware, ToolMessage } = await import('langchain');
const { Command, MemorySaver, NodeInterrupt } = await import('@langchain/langgraph');
const { agentOf, go, toolNamed } = await import('./langchain-agents.js');
const { z } = await import('zod');

type Config = Parameters<Agent['invoke']>[1];

let warnings: string[];
beforeEach(() => {
  warnings = [];
  vi.spyOn(process, 'emitWarning').mockImplementation((warning) => warnings.push(String(warning)));
});
afterEach(() => void vi.restoreAllMocks());

async function transcript(agent: Agent, config?: Config) {
  try {
    const { messages } = await agent.invoke(go, config);
    return messages.map((message) => {
      const { name, type } = message;
      // LangChain shows the model the stack of an error in arguments.
      const content = JSON.stringify(message.content).replace(/\\n +at [^\\]*/g, '');
      const { status, artifact, tool_call_id, metadata } = message as InstanceType<typeof ToolMessage>;
      return { type, content, name, status, artifact, tool_call_id, metadata };
    });
  } catch (error) {
    return String(error);
  }
}

function caching(rules: ToolRules, cache = new CacheManager(), options: object = {}) {
  return { cache, middleware: [cacheMiddleware(cache, rules, { ToolMessage, ...options })] };
}

it('has the same transcripts with the cache, from fewer runs', async () => {
  let runs = 0;
  const tools = [
    toolNamed('text', ({ query }) => {
      runs += 1;
      return `on ${query}`;
    }),
    toolNamed(
      'rich',
      () => {
        runs += 1;
        return [[{ type: 'text', text: 'shown' }], { rows: [1, 2], at: new Date(0) }];
      },
      { responseFormat: 'content_and_artifact' },
    ),
    toolNamed('record', () => {
      runs += 1;
      return { found: [1] };
    }),
    toolNamed('own', (_, { toolCall }) => {
      runs += 1;
      const { id } = toolCall as { id: string };
      return new ToolMessage({
        content: 'my own',
        tool_call_id: id,
        name: 'other',
        artifact: 7,
        id: 'mine',
      });
    }),
    toolNamed('broken', () => {
      throw new RangeError('no such page');
    }),
    toolNamed('strict', () => 'never', { schema: z.object({ n: z.number() }) }),
  ];
  const turns = [
    [
      ['text', { query: 'a' }],
      ['text', { query: 'b' }],
      ['broken', { id: 1 }],
    ],
    [
      ['text', { query: 'a' }],
      ['rich', {}],
      ['record', {}],
      ['own', {}],
    ],
    [
      ['rich', {}],
      ['record', {}],
      ['strict', { n: 'x' }],
      ['missing', {}],
      ['broken', { id: 1 }],
    ],
  ] as const;
  const expected = await transcript(agentOf(tools, turns));
  expect(JSON.stringify(expected)).toMatch(
    /no such page\\\\n Please fix your mistakes.*Error invoking tool 'strict'/,
  );
  runs = 0;
  const { middleware, cache } = caching({ '*': { ttl: '1h', shared: true } });
  const rollouts = Array.from({ length: 64 }, () => transcript(agentOf(tools, turns, { middleware })));
  expect(await Promise.all(rollouts)).toEqual(Array(64).fill(expected));
  expect(await transcript(agentOf(tools, turns, { middleware }))).toEqual(expected);
  expect(runs).toBe(5);
  expect(cache.stats('broken')).toMatchObject({ entries: 0, hits: 0 });
  expect(cache.stats('strict')).toMatchObject({ entries: 0, hits: 0 });
  expect(warnings).toEqual([]);
});

it('makes an answer out for the call that asks, also from disk', async () => {
  const tier = new MapTier();
  const search = toolNamed('search', () => 'found');
  const turns = [[['search', {}]], [['search', {}]]] as const;
  for (const cache of [new CacheManager({ tiers: [tier] }), new CacheManager({ tiers: [tier] })]) {
    const { middleware } = caching({ search: {} }, cache);
    const messages = (await transcript(agentOf([search], turns, { middleware }))) as {
      tool_call_id: string;
    }[];
    expect(messages.map(({ tool_call_id }) => tool_call_id).filter(Boolean)).toEqual(['0.0', '1.0']);
    await cache.flush();
  }
  expect(tier.size).toBe(1);
});

it('passes a `Command` on, each time', async () => {
  let runs = 0;
  const move = toolNamed('move', (_, { toolCall }) => {
    runs += 1;
    const { id } = toolCall as { id: string };
    const message = new ToolMessage({ content: `moved ${runs}`, tool_call_id: id });
    return new Command({ update: { messages: [message] } });
  });
  const { middleware, cache } = caching({ move: {} });
  const turns = [[['move', {}]], [['move', {}]]] as const;
  expect(JSON.stringify(await transcript(agentOf([move], turns, { middleware })))).toMatch(
    /moved 1.*moved 2/,
  );
  expect(cache.stats('move')).toMatchObject({ entries: 0, hits: 0 });
});

it('stores no message of status error', async () => {
  let runs = 0;
  const flaky = toolNamed('flaky', (_, { toolCall }) => {
    runs += 1;
    const { id } = toolCall as { id: string };
    return new ToolMessage({ content: `failed ${runs}`, tool_call_id: id, status: 'error' });
  });
  const { middleware } = caching({ flaky: {} });
  const turns = [[['flaky', {}]], [['flaky', {}]]] as const;
  expect(JSON.stringify(await transcript(agentOf([flaky], turns, { middleware })))).toMatch(
    /failed 1.*failed 2/,
  );
});

it('gives nobody the interrupt of another, such as one that a tool throws itself', async () => {
  let runs = 0;
  const both = gate();
  const stop = toolNamed('stop', async () => {
    runs += 1;
    if (runs === 1) await both.promise;
    throw new NodeInterrupt(`stopped ${runs}`);
  });
  const { middleware, cache } = caching({ stop: {} });
  const asked = ['1', '2'].map((thread_id) =>
    agentOf([stop], [[['stop', {}]]], { middleware, checkpointer: new MemorySaver() }).invoke(go, {
      configurable: { thread_id },
    }),
  );
  await expect.poll(() => cache.stats('stop').coalesced).toBe(1);
  both.open();
  for (const state of await Promise.all(asked)) expect(state).toHaveProperty('__interrupt__');
  expect(runs).toBe(2);
});

it('lets other middleware see what tools throw, where it is told to', async () => {
  const broken = toolNamed('broken', () => {
    throw new Error('down');
  });
  const seen: string[] = [];
  const watching = createMiddleware({
    name: 'Watching',
    async wrapToolCall(request, handler) {
      try {
        return await handler(request);
      } catch (error) {
        seen.push(String(error));
        throw error;
      }
    },
  });
  const turns = [[['broken', {}]]] as const;
  const { middleware } = caching({ broken: {} }, new CacheManager(), { toolErrors: 'throw' });
  const passThrough = await transcript(agentOf([broken], turns, { middleware: [watching] }));
  expect(passThrough).toBe('Error: down');
  expect(await transcript(agentOf([broken], turns, { middleware: [watching, ...middleware] }))).toBe(
    passThrough,
  );
  expect(await transcript(agentOf([broken], turns, { middleware }))).toBe(passThrough);
  expect(seen).toHaveLength(2);
  // First in the list, it is the last to see an error, and others have seen it before.
  const first = caching({ broken: {} }).middleware;
  expect(await transcript(agentOf([broken], turns, { middleware: [...first, watching] }))).toEqual(
    await transcript(agentOf([broken], turns)),
  );
  expect(seen).toHaveLength(3);
});

it("leaves another middleware's own error alone", async () => {
  const failing = createMiddleware({
    name: 'Failing',
    wrapToolCall() {
      throw new Error('of my own');
    },
  });
  const { middleware } = caching({ search: {} });
  const agent = agentOf([toolNamed('search', () => 'x')], [[['search', {}]]], {
    middleware: [...middleware, failing],
  });
  expect(await transcript(agent)).toContain('of my own');
});

it('has an abort of one agent end that one alone', async () => {
  const { promise, open: finish } = gate<string>();
  const given: AbortSignal[] = [];
  const slow = toolNamed('slow', (_, { signal }) => {
    given.push(signal as AbortSignal);
    return promise;
  });
  const { middleware, cache } = caching({ slow: {} });
  const controllers = [new AbortController(), new AbortController()] as const;
  const ask = (signal: AbortSignal) =>
    transcript(agentOf([slow], [[['slow', {}]]], { middleware }), { signal });
  const began = ask(controllers[0].signal);
  await expect.poll(() => given).toHaveLength(1);
  const joined = ask(controllers[1].signal);
  await expect.poll(() => cache.stats('slow').coalesced).toBe(1);
  controllers[0].abort(new Error('enough'));
  await pause(10);
  expect(given.map(({ aborted }) => aborted)).toEqual([false]);
  finish('found at last');
  const [left, stayed] = await Promise.all([began, joined]);
  expect(JSON.stringify(stayed)).toContain('found at last');
  expect(typeof left).toBe('string');
});

it('takes the context into the key where the rule says so', async () => {
  let runs = 0;
  const orders = toolNamed('orders', () => `order ${++runs}`);
  const key: (input: unknown, request: never) => unknown = (input, request) => [
    input,
    (request as { runtime: { context: { tenant: string } } }).runtime.context.tenant,
  ];
  const { middleware } = caching({ orders: { key } } as ToolRules);
  const contextSchema = z.object({ tenant: z.string() });
  for (const tenant of ['acme', 'globex', 'acme']) {
    const agent = agentOf([orders], [[['orders', {}]]], { middleware, contextSchema });
    await transcript(agent, { context: { tenant } } as never);
  }
  expect(runs).toBe(2);
});

it('runs writes, opaque tools and those without a rule each time, and warns once of the latter', async () => {
  let runs = 0;
  const tools = ['write', 'opaque', 'none'].map((name) => toolNamed(name, () => `run ${++runs}`));
  const { middleware, cache } = caching({ write: 'write', opaque: 'opaque' });
  const turn = [
    ['write', {}],
    ['opaque', {}],
    ['none', {}],
  ] as const;
  await transcript(agentOf(tools, [turn, turn], { middleware }));
  expect(runs).toBe(6);
  expect(warnings).toEqual([expect.stringContaining('never cached: none.')]);
  expect(cache.methods()).toEqual([]);
});

it('runs another tool of the name uncached, unless its rule says who shares', async () => {
  for (const [rule, most] of [
    [{}, 3],
    [{ shared: true }, 1],
  ] as const) {
    const cache = new CacheManager();
    let runs = 0;
    for (const _ of [1, 2]) {
      const { middleware } = caching({ search: rule }, cache);
      const search = toolNamed('search', () => `run ${++runs}`);
      await transcript(agentOf([search], [[['search', {}]], [['search', {}]]], { middleware }));
    }
    expect(runs).toBe(most);
    expect(warnings.splice(0)).toEqual(most === 1 ? [] : [expect.stringContaining('shared: true')]);
  }
});

it('never answers with what `cache.tools` has stored, nor the other way', async () => {
  const cache = new CacheManager();
  const rules = { search: { shared: true } } as const;
  const plain = cache.tools([{ name: 'search', execute: async (_: object) => ({ raw: true }) }], rules);
  await plain[0]?.execute({});
  const { middleware } = caching(rules, cache);
  const agent = agentOf([toolNamed('search', () => 'found')], [[['search', {}]]], { middleware });
  expect(JSON.stringify(await transcript(agent))).toContain('found');
  expect(await plain[0]?.execute({})).toEqual({ raw: true });
});

it('runs the tool whatever becomes of the cache', async () => {
  const failing = new MapTier();
  failing.lookup = () => Promise.reject(new Error('disk is gone'));
  const closed = new CacheManager();
  await closed.close();
  const search = toolNamed('search', () => 'found');
  const turns = [[['search', {}]]] as const;
  const expected = await transcript(agentOf([search], turns));
  for (const cache of [new CacheManager({ tiers: [failing] }), closed]) {
    const { middleware } = caching({ search: {} }, cache);
    expect(await transcript(agentOf([search], turns, { middleware }))).toEqual(expected);
  }
});

it('has an example that runs', async () => {
  expect(await runExample('langchain/middleware')).toBe(
    'Have a good trip. 8 rollouts: { search: 1, book: 8 }\n',
  );
});
