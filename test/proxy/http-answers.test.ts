/** The form in which a server of HTTP answers: its clients get the same through a proxy as without. */

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { closeServed, HttpClient, messagesIn, serve } from './http-client.js';

let server: Server | undefined;
afterEach(async () => {
  await closeServed();
  server?.closeAllConnections();
  server?.close();
});

const tool = { name: 'find', inputSchema: { type: 'object' }, annotations: { readOnlyHint: true } };
const results: Readonly<Record<string, object>> = {
  initialize: {
    protocolVersion: '2025-11-25',
    capabilities: { tools: {} },
    serverInfo: { name: 'raw', version: '1' },
  },
  'tools/list': { tools: [tool] },
  'tools/call': { content: [{ type: 'text', text: 'found\r\nit' }] },
};

/** Where a server is that answers all by a stream, or all by JSON. */
async function started(isStream: boolean): Promise<string> {
  server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    if (request.method !== 'POST') return response.writeHead(405).end();
    const { id, method } = JSON.parse(body);
    if (id === undefined) return response.writeHead(202).end();
    const text = JSON.stringify({ jsonrpc: '2.0', id, result: results[method] ?? {} });
    const type = isStream ? 'text/event-stream' : 'application/json';
    return response.writeHead(200, { 'content-type': type }).end(isStream ? `data: ${text}\n\n` : text);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
}

const typeOf = (response: Response) => response.headers.get('content-type');

it.each([
  ['a stream', true, 'text/event-stream'],
  ['JSON', false, 'application/json'],
])('that is %s stays so, and a hit is JSON', async (_, isStream, type) => {
  const url = await started(isStream);
  const tools = { find: {} };
  const client = await HttpClient.connect(
    await serve({ servers: { one: { url, identity: 'one', principal: null, tools } } }),
  );
  const ping = await client.post('ping');
  expect(typeOf(ping)).toBe(type);
  expect((await messagesIn(ping)).map(({ result }) => result)).toEqual([{}]);
  const call = () => client.post('tools/call', { name: 'find', arguments: {} });
  const [first, hit] = [await call(), await call()];
  expect([typeOf(first), typeOf(hit)]).toEqual([type, 'application/json']);
  for (const each of [first, hit]) {
    const [{ result }] = await messagesIn(each);
    expect(result.content).toEqual([{ type: 'text', text: 'found\r\nit' }]);
  }
});

it('that is a stream is JSON for who reads no streams', async () => {
  const client = await HttpClient.connect(
    await serve({ servers: { one: { url: await started(true), tools: {} } } }),
  );
  client.headers['accept'] = 'application/json';
  expect(typeOf(await client.post('ping'))).toBe('application/json');
});

it('of one of several servers is as its own', async () => {
  const url = await started(true);
  const client = new HttpClient(
    await serve({ servers: { one: { url, tools: {} }, other: { url, tools: {} } } }),
  );
  const clientInfo = { name: 'raw', version: '1' };
  const begun = await client.post('initialize', {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo,
  });
  client.headers['mcp-session-id'] = begun.headers.get('mcp-session-id') as string;
  expect(typeOf(await client.post('tools/call', { name: 'one__find', arguments: {} }))).toBe(
    'text/event-stream',
  );
});
