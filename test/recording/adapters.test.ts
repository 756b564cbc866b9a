/** Adapters under a recording: MCP clients and the LangChain middleware. */

import { afterEach, expect, it } from 'vitest';
import { cacheMiddleware } from '../../src/langchain/index.js';
import { cacheClient } from '../../src/mcp/index.js';
import { type SdkClient, sdk2 } from '../mcp/sdk.js';
import { freshTape } from './tape.js';

const tape = freshTape();
const open: SdkClient[] = [];
afterEach(() => Promise.all(open.splice(0).map((client) => client.close())));
const refused = { code: 'ERR_NOT_RECORDED' };

it('plays back what an MCP server answered, and lets no other call reach it', async () => {
  const runs: string[] = [];
  const tool = (name: string) => ({
    run: async (input: unknown) => {
      runs.push(name);
      return `${name} ${JSON.stringify(input)}`;
    },
  });
  const connect = async (mode: 'record' | 'strict') => {
    const { client } = await sdk2.connect({ search: tool('search'), book: tool('book') });
    open.push(client);
    const cache = await tape.open(mode);
    return {
      cache,
      docs: cacheClient(client, cache, { search: {}, book: 'write' }, { server: 'docs', principal: null }),
    };
  };
  const recorder = await connect('record');
  const call = { name: 'search', arguments: { q: 1 } };
  const recorded = await recorder.docs.callTool(call);
  await recorder.cache.close();
  const { docs } = await connect('strict');
  expect(await docs.callTool(call)).toEqual(recorded);
  await expect(docs.callTool({ name: 'search', arguments: { q: 2 } })).rejects.toMatchObject(refused);
  await expect(docs.callTool({ name: 'book', arguments: {} })).rejects.toMatchObject(refused);
  expect(runs).toEqual(['search']);
});

it('knows a tool of an MCP server by both names, wherever it says which may run and which was refused', async () => {
  const runs: string[] = [];
  const run = async () => {
    runs.push('book');
    return 'booked';
  };
  const connect = async (offline: string[]) => {
    const { client } = await sdk2.connect({ book: { run } });
    open.push(client);
    const cache = await tape.open('strict', {}, { offline });
    const rules = { book: 'write' } as const;
    return { cache, docs: cacheClient(client, cache, rules, { server: 'docs', principal: null }) };
  };
  await (await tape.open('record')).close();
  const call = { name: 'book', arguments: {} };
  const { cache, docs } = await connect(['book', 'callTool']);
  await expect(docs.callTool(call)).rejects.toMatchObject(refused);
  await expect(docs.callTool({ ...call, task: { ttl: 1000 } })).rejects.toMatchObject(refused);
  expect(cache.tape.refused.map(({ method }) => method)).toEqual(['docs/book', 'docs/book']);
  expect(runs).toEqual([]);
  await (await connect(['docs/book'])).docs.callTool(call);
  expect(runs).toEqual(['book']);
});

it('keeps of a call of an MCP tool no argument and no principal that is redacted', async () => {
  const { client } = await sdk2.connect({ search: { run: async () => 'found' } });
  open.push(client);
  const cache = await tape.open('record', {}, { redact: ['arguments.apiKey', 'principal'] });
  const options = { server: 'docs', principal: 'ann-s3cret' };
  const docs = cacheClient(client, cache, { search: {} }, options);
  await docs.callTool({ name: 'search', arguments: { query: 'mvcc', apiKey: 'hunter2-hunter2' } });
  await cache.close();
  expect(tape.bytes()).toContain('mvcc');
  expect(tape.bytes()).not.toMatch(/hunter2|s3cret/);
});

it('tells an agent of LangChain by an error, and not by a message to its model', async () => {
  class ToolMessage {
    readonly content: unknown;
    readonly tool_call_id: unknown;
    constructor(fields: { content: unknown; tool_call_id: unknown }) {
      this.content = fields.content;
      this.tool_call_id = fields.tool_call_id;
    }
  }
  const cache = await tape.open('strict');
  const middleware = cacheMiddleware(
    cache,
    { search: {}, '*': 'opaque' },
    { ToolMessage: ToolMessage as never },
  );
  let runs = 0;
  for (const name of ['search', 'now']) {
    const tool = { name, invoke: async () => ++runs };
    const toolCall = { id: '1', name, args: { q: 1 } };
    const handler = (request: { tool: { invoke(input: object, config: object): unknown } }) =>
      request.tool.invoke(toolCall, {});
    await expect(middleware.wrapToolCall({ toolCall, tool }, handler as never)).rejects.toMatchObject(
      refused,
    );
  }
  expect(runs).toBe(0);
});
