/** Several servers behind one session. */

import { afterEach, expect, it } from 'vitest';
import { type ProxyConfig, resolveConfig } from '../../src/proxy/index.js';
import { closeAll, RawClient, rawServer } from './raw-client.js';

afterEach(closeAll);

type ServerConfig = ProxyConfig['servers'][string];

/** Two servers, of versions 1 and 2. */
const two = (one: Partial<ServerConfig> = {}, other: Partial<ServerConfig> = {}): ProxyConfig => ({
  servers: Object.fromEntries(
    Object.entries({ one, other }).map(([name, more], at) => {
      const program = { command: process.execPath, args: [rawServer, `${at + 1}`], tools: { count: {} } };
      return [name, { ...program, ...more }];
    }),
  ),
});

const sourceOf = (answer: { result: { _meta?: Record<string, { source: string }> } }) =>
  answer.result._meta?.['toolstash/answer']?.source;

it('names the tools of each after it, and calls the one that is meant', async () => {
  const client = await RawClient.connect(two());
  const { tools } = (await client.ask('tools/list')).result;
  const named = tools.map(
    (tool: { name: string; description: string }) => `${tool.name} ${tool.description}`,
  );
  expect(named).toContain('one__count version 1');
  expect(named).toContain('other__count version 2');
  expect(named).toHaveLength(32);
  for (const name of ['one__count', 'other__count', 'one__count', 'other__count']) await client.call(name);
  expect((await client.call('one__count', { a: 1 })).result.content[0].text).toBe('run 2 {"a":1}');
  expect(sourceOf(await client.call('one__count', { a: 1 }))).toBe('memory');
  expect((await client.call('other__count', { a: 1 })).result.content[0].text).toBe('run 2 {"a":1}');
  for (const name of ['count', 'third__count'])
    expect((await client.call(name)).error).toMatchObject({
      code: -32602,
      message: expect.stringContaining(name),
    });
  expect((await client.ask('ping')).result).toEqual({});
  expect((await client.ask('vendor/unknown')).error.code).toBe(-32601);
});

it('brings what both ask to the client, and each answer to whom it is for', async () => {
  const client = await RawClient.connect(two());
  const calls = ['one', 'other'].map((name) =>
    client.request('tools/call', { name: `${name}__ask`, arguments: {} }),
  );
  const asked = () => client.received.filter(({ value }) => value.method === 'elicitation/create');
  await expect.poll(() => asked().length).toBe(2);
  const ids = asked().map(({ value }) => value.id as string);
  expect(ids[0]).not.toBe(ids[1]);
  for (const id of ids.reverse()) {
    const name = id.split('-')[0];
    client.send(JSON.stringify({ jsonrpc: '2.0', id, result: { content: { name } } }));
  }
  for (const [at, name] of ['one', 'other'].entries())
    expect((await client.answer(calls[at] as number)).value.result.content[0].text).toBe(name);
});

it('takes back what is cancelled', async () => {
  const client = await RawClient.connect(two());
  const id = client.request('tools/call', { name: 'other__wait', arguments: {} });
  client.send(
    JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } }),
  );
  await client.call('one__count');
  expect(client.received.filter(({ value }) => value.id === id)).toEqual([]);
  // Nothing is waited for.
  await client.leave();
});

it('reads each resource where it was listed, and refuses one that both have', async () => {
  const env = (uri: string) => ({ env: { RAW_RESOURCE: uri } });
  const client = await RawClient.connect(two(env('raw://a'), env('raw://b')));
  expect(client.received[0]?.value.result).toMatchObject({
    capabilities: { tools: { listChanged: true }, resources: { subscribe: true } },
    instructions: 'one: read raw://a\n\nother: read raw://b',
  });
  expect((await client.ask('resources/read', { uri: 'raw://b' })).error.code).toBe(-32002);
  expect((await client.ask('resources/list')).result.resources).toHaveLength(2);
  const { contents } = (await client.ask('resources/read', { uri: 'raw://b' })).result;
  expect(contents).toEqual([{ uri: 'raw://b', text: 'of 2' }]);
  const alike = await RawClient.connect(two(env('raw://a'), env('raw://a')));
  expect((await alike.ask('resources/list')).error.message).toContain('`one` and `other` both have raw://a');
});

it('refuses servers of different revisions, and names that can be no prefix', async () => {
  const client = new RawClient(two({}, { env: { RAW_REVISION: '2024-11-05' } }));
  const { error } = await client.ask('initialize', { protocolVersion: '2025-11-25' });
  expect(error.message).toContain('one 2025-11-25, other 2024-11-05');
  const [one, other] = Object.values(two().servers) as [ServerConfig, ServerConfig];
  expect(() => resolveConfig({ servers: { a__b: one, a: other } })).toThrow(/`servers` to be named/);
});
