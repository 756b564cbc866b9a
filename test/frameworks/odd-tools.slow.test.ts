/** Tools that users of each framework have beside the usual: subclasses, toolkits, hosted tools, agents as tools, MCP. */

import { beforeEach, describe, expect, it } from 'vitest';
import { CacheManager } from '../../src/manager/cache-manager.js';
import { librariesOf } from '../helper/libraries.js';

await librariesOf(new URL('.', import.meta.url));
const { BaseToolkit, DynamicStructuredTool, DynamicTool, StructuredTool, tool } = await import(
  '@langchain/core/tools'
);
const { RunnableLambda } = await import('@langchain/core/runnables');
const openAi = await import('@openai/agents');
const ai6 = await import('ai-6');
const ai7 = (await import('ai-7')) as unknown as typeof ai6;
const mcp1 = await import('ai-mcp-1');
const mcp2 = await import('ai-mcp-2');
const { McpServer } = await import('@modelcontextprotocol/sdk/server/mcp.js');
const { InMemoryTransport } = await import('@modelcontextprotocol/sdk/inMemory.js');
const mastra0 = await import('mastra-0/tools');
const mastra1 = await import('mastra-1/tools');
const { z } = await import('zod');

let cache: CacheManager;
let runs: number;
beforeEach(() => {
  cache = new CacheManager();
  runs = 0;
});

/** A tool of any framework, as it is called here. */
type Loose = {
  invoke(...args: unknown[]): Promise<unknown>;
  execute(...args: unknown[]): Promise<unknown>;
};
const cachedList = (tools: readonly object[], rules = {}) =>
  cache.tools(tools, { '*': {}, ...rules }) as unknown as readonly Loose[];
const cachedOne = (each: object, rules = {}) => cachedList([each], rules)[0]!;

describe('of LangChain', () => {
  const fields = { name: 'search', description: 'finds', schema: z.object({}) };
  const func = async () => `run ${++runs}`;

  class Search extends StructuredTool {
    override readonly name = 'search';
    override readonly description = 'finds';
    override readonly schema = z.object({});
    override async _call(): Promise<string> {
      return func();
    }
  }

  it('a subclass with a function of its own is refused, naming what can be done', async () => {
    class Own extends DynamicStructuredTool {
      protected override async _call(): Promise<string> {
        return func();
      }
    }
    for (const each of [new Search(), new Own({ ...fields, func }), RunnableLambda.from(func).asTool(fields)])
      expect(() => cachedOne(each)).toThrow(/`search` can't be cached.*instance of.*`cacheMiddleware`/);
    const kept = new Search();
    expect(cachedOne(kept, { '*': 'opaque' })).toBe(kept);
  });

  it('a subclass without one is cached, and so is a tool that takes text', async () => {
    class Own extends DynamicStructuredTool {}
    const own = cachedOne(new Own({ ...fields, func }));
    expect([await own.invoke({}), await own.invoke({})]).toEqual(['run 1', 'run 1']);
    const text = cachedOne(
      new DynamicTool({ ...fields, name: 'text', func: async (about) => `${about} ${await func()}` }),
    );
    expect([await text.invoke('a'), await text.invoke({ input: 'a' }), await text.invoke('b')]).toEqual([
      ...['a run 2', 'a run 2', 'b run 3'],
    ]);
  });

  it('a toolkit goes in by its tools', async () => {
    class Kit extends BaseToolkit {
      readonly tools = [tool(func, { ...fields, name: 'one' }), new Search()] as never[];
    }
    const [one, search] = cachedList(new Kit().getTools(), { search: 'opaque' });
    expect([await one!.invoke({}), await one!.invoke({}), await search!.invoke({})]).toEqual([
      ...['run 1', 'run 1', 'run 2'],
    ]);
    expect(() => cache.tools(new Kit(), {})).toThrow('Expected a list or a plain record of tools, as');
  });

  it('artifacts are found, made out for the call that asks', async () => {
    const both = cachedOne(
      tool(async () => [await func(), { at: new Date(0) }], {
        ...fields,
        responseFormat: 'content_and_artifact',
      }),
    );
    const ask = (id: string) => both.invoke({ id, name: 'search', args: {}, type: 'tool_call' });
    expect(await ask('a')).toMatchObject({
      tool_call_id: 'a',
      content: 'run 1',
      artifact: { at: new Date(0) },
    });
    expect(await ask('b')).toMatchObject({
      tool_call_id: 'b',
      content: 'run 1',
      artifact: { at: new Date(0) },
    });
  });
});

describe('of OpenAI Agents', () => {
  it('those that run elsewhere are left as they are: hosted ones, handoffs, agents, shells', () => {
    const set = [
      openAi.hostedMcpTool({ serverLabel: 'a', serverUrl: 'https://a.example' }),
      openAi.hostedMcpTool({ serverLabel: 'b', serverUrl: 'https://b.example' }),
      openAi.webSearchTool(),
      openAi.codeInterpreterTool(),
      openAi.handoff(new openAi.Agent({ name: 'other' })),
      new openAi.Agent({ name: 'another' }),
      openAi.shellTool({ shell: { run: async () => ({ output: [] }) } }),
    ];
    const cached = cachedList(set);
    for (const [at, each] of set.entries()) expect(cached[at]).toBe(each);
  });

  it('an agent as a tool is refused, and left alone where it is opaque', () => {
    const agent = new openAi.Agent({ name: 'writer' }).asTool({ toolName: 'writer' });
    expect(() => cachedOne(agent)).toThrow('may be the text of an error');
    expect(cachedOne(agent, { writer: 'opaque' })).toBe(agent);
  });

  it('one with all that `tool` takes keeps it, and errors are never stored', async () => {
    let isDown = true;
    const definition = cachedOne({
      ...{ name: 'search', description: 'finds', parameters: z.object({ a: z.string().default('z') }) },
      ...{ strict: true, errorFunction: () => 'oops', isEnabled: async () => true },
      async execute({ a }: { a: string }) {
        if (isDown) throw new Error('down');
        return `${a} ${++runs}`;
      },
    });
    const made = openAi.tool(definition as never) as unknown as Loose;
    const ask = (text: string) => made.invoke(new openAi.RunContext(), text);
    expect([await ask('{"a":"y"}'), await ask('{bad')]).toEqual(['oops', 'oops']);
    isDown = false;
    expect([await ask('{"a":"y"}'), await ask('{ "a": "y" }'), await ask('{bad')]).toEqual([
      ...['y 1', 'y 1', 'oops'],
    ]);
  });
});

describe.each([
  ['6', ai6],
  ['7', ai7],
])('of the AI SDK %s', (_, ai) => {
  const inputSchema = z.object({});
  const execute = async () => ({ n: ++runs });

  it('dynamic ones and those with an output schema are cached', async () => {
    const set = {
      dynamic: ai.dynamicTool({ description: 'any', inputSchema: z.unknown(), execute }),
      typed: ai.tool({ inputSchema, outputSchema: z.object({ n: z.number() }), execute }),
    };
    const cached = cache.tools(set, { '*': {} });
    for (const name of ['dynamic', 'typed'] as const) {
      const run = cached[name].execute as unknown as Loose['execute'];
      expect(await run({}, { toolCallId: '1' })).toEqual(await run({}, { toolCallId: '2' }));
      expect(Object.keys(cached[name])).toEqual(Object.keys(set[name]));
    }
    expect(runs).toBe(2);
  });

  it("those of the provider and the client's are left as they are, and refused by name", () => {
    const set = {
      provided: { type: 'provider', id: 'openai.web_search', args: {}, inputSchema },
      client: ai.tool({ inputSchema }),
      agent: new ai.ToolLoopAgent({ model: 'none', tools: {} }),
    };
    const cached = cache.tools(set, { '*': { ttl: '1h' } });
    expect(Object.values(cached)).toEqual(Object.values(set));
    expect(() => cache.tools(set, { client: {} })).toThrow('it has no `execute`');
  });
});

describe.each([
  ['1', mcp1.experimental_createMCPClient ?? mcp1.createMCPClient],
  ['2', mcp2.createMCPClient as unknown as typeof mcp1.createMCPClient],
])('of MCP servers through `@ai-sdk/mcp` %s', (_, createClient) => {
  it('are cached across clients where the rule says that they answer alike, and their errors are not', async () => {
    let isDown = true;
    const toolsOf = async () => {
      const server = new McpServer({ name: 'docs', version: '1.0.0' });
      server.registerTool('search', { inputSchema: { query: z.string() } }, ({ query }) => {
        runs += 1;
        if (isDown) throw new Error('down');
        return { content: [{ type: 'text', text: `${query} ${runs}` }] };
      });
      const [ours, theirs] = InMemoryTransport.createLinkedPair();
      await server.connect(theirs);
      const client = await createClient({ transport: ours as never });
      const cached = cache.tools(await client.tools(), { search: { shared: true } });
      const ask = () => (cached['search'] as unknown as Loose).execute({ query: 'mvcc' }, { messages: [] });
      return { ask, client };
    };
    const [one, other] = [await toolsOf(), await toolsOf()];
    expect(await one.ask()).toMatchObject({ isError: true });
    isDown = false;
    const answer = await other.ask();
    expect(answer).toMatchObject({ content: [{ text: 'mvcc 2' }] });
    expect(await one.ask()).toEqual(answer);
    expect(runs).toBe(2);
    await Promise.all([one.client.close(), other.client.close()]);
  });
});

describe.each<[string, typeof mastra0 | typeof mastra1, (input: object) => unknown[]]>([
  ['0', mastra0, (context) => [{ context, runtimeContext: new Map() }]],
  ['1', mastra1, (input) => [input, {}]],
])('of Mastra %s', (_, { createTool, Tool }, args) => {
  it('those with schemas are validated on the way, and inputs that fail are never stored', async () => {
    const search = (createTool as (options: object) => object)({
      ...{ id: 'search', description: 'finds' },
      inputSchema: z.object({ query: z.string() }),
      outputSchema: z.object({ n: z.number() }),
      execute: async () => ({ n: ++runs }),
    });
    const cached = cachedOne(search);
    const ask = (input: object) => cached.execute(...args(input));
    expect([await ask({ query: 'a' }), await ask({ query: 'a' })]).toEqual([{ n: 1 }, { n: 1 }]);
    expect(await ask({ query: 1 })).toMatchObject({ error: true });
    expect(cache.stats('search')).toMatchObject({ entries: 1 });
    expect(cached).toBeInstanceOf(Tool);
  });
});
