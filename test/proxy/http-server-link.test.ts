/** Servers of HTTP that answer badly, late, or not at all: nobody waits for ever, and nothing is overtaken. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { closeAll, RawClient } from './raw-client.js';

// biome-ignore lint/suspicious/noExplicitAny: tests look into what a client says
type Said = any;
type Answer = (said: Said, response: ServerResponse, request: IncomingMessage) => void;

const open: { close(): unknown; closeAllConnections?(): void }[] = [];
afterEach(async () => {
  await closeAll();
  for (const server of open.splice(0)) {
    server.close();
    server.closeAllConnections?.();
  }
});

const json = (response: ServerResponse, value: unknown, status = 200, headers = {}) =>
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
const result = (response: ServerResponse, { id }: Said, value: object = {}, headers = {}) =>
  json(response, { jsonrpc: '2.0', id, result: value }, 200, headers);
const welcome = {
  protocolVersion: '2025-11-25',
  capabilities: {},
  serverInfo: { name: 'raw', version: '1' },
};

/** A server of HTTP; its port. It takes notifications, and has no stream of its own. */
async function serve(answer: Answer): Promise<number> {
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const said: Said = body === '' ? undefined : JSON.parse(body);
    if (said?.method === 'notifications/initialized') response.writeHead(202).end();
    else if (request.method === 'DELETE') response.writeHead(200).end();
    else answer(said, response, request);
  });
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const connected = (port: number) =>
  RawClient.connect({ servers: { raw: { url: `http://127.0.0.1:${port}/mcp` } } });

it('fails what is answered with something else', async () => {
  const bad: Record<string, (response: ServerResponse, id: string) => void> = {
    html: (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>log in</html>'),
    taken: (response) => response.writeHead(202).end(),
    nan: (response, id) =>
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(`{"jsonrpc":"2.0","id":"${id}","result":NaN}`),
    other: (response) => json(response, { jsonrpc: '2.0', id: 'of nobody', result: {} }),
  };
  const port = await serve((said, response) => {
    if (said === undefined) response.writeHead(405).end();
    else if (said.method === 'initialize') result(response, said, welcome);
    else if (Array.isArray(said)) response.writeHead(500).end('no');
    else bad[said.method]?.(response, said.id);
  });
  const client = await connected(port);
  for (const method of Object.keys(bad))
    expect((await client.ask(method)).error.message).toMatch(/`raw` has sent HTTP 20\d .* no answer$/);
  client.send('[{"jsonrpc":"2.0","id":"a","method":"x"},{"jsonrpc":"2.0","id":"b","method":"x"}]');
  for (const id of ['a', 'b']) expect((await client.answer(id)).value.error.message).toContain('HTTP 500');
});

it('begins a session again until the server takes it', async () => {
  const sessions = new Set<string>();
  let begun = 0;
  let isStarting = false;
  const port = await serve((said, response, { headers }) => {
    const id = headers['mcp-session-id'];
    if (said === undefined) response.writeHead(405).end();
    else if (said.method === 'initialize' && isStarting) response.writeHead(503).end('starting');
    else if (said.method === 'initialize') {
      begun += 1;
      sessions.add(`s${begun}`);
      result(response, said, welcome, { 'mcp-session-id': `s${begun}` });
    } else if (id === undefined) response.writeHead(400).end('no session');
    else if (!sessions.has(String(id))) response.writeHead(404).end('Session not found');
    else result(response, said, { id });
  });
  const client = await connected(port);
  expect((await client.ask('ping')).result.id).toBe('s1');
  sessions.clear();
  isStarting = true;
  for (const _ of [1, 2])
    expect((await client.ask('ping')).error.message).toContain('has forgotten the session');
  isStarting = false;
  await expect.poll(async () => (await client.ask('ping')).result?.id).toBe('s2');
});

it('ends while an answer is being asked for again', async () => {
  let streams = 0;
  const port = await serve((said, response, { headers }) => {
    if (headers['last-event-id'] !== undefined) {
      streams += 1;
      response.on('close', () => {
        streams -= 1;
      });
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(':\n\n');
    } else if (said === undefined) response.writeHead(405).end();
    else if (said.method === 'initialize') result(response, said, welcome, { 'mcp-session-id': 's' });
    else if (said.id === undefined) response.writeHead(202).end();
    else response.writeHead(200, { 'content-type': 'text/event-stream' }).end('id: 1\nretry: 1\ndata: \n\n');
  });
  const client = await connected(port);
  const id = client.request('vendor/x');
  await expect.poll(() => streams).toBe(1);
  // Nothing is waited for.
  client.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":${id}}}`);
  await client.leave();
  await expect.poll(() => streams).toBe(0);
});

it('lets nothing overtake a notification, whatever its connection does', async () => {
  const got: string[] = [];
  const port = await serve((said, response) => {
    if (said === undefined) return response.writeHead(405).end();
    if (said.method === 'initialize') return result(response, said, welcome);
    got.push(said.method);
    if (said.id === undefined) return response.writeHead(202).end();
    return result(response, said);
  });
  // The later a connection is made, the sooner it gets through.
  let delay = 120;
  const slow = createTcpServer((from) => {
    const to = connect(port, '127.0.0.1');
    delay = Math.max(0, delay - 20);
    const ms = delay;
    from.on('data', (data) => setTimeout(() => to.write(data), ms)).on('error', () => to.destroy());
    to.on('data', (data) => from.write(data)).on('error', () => from.destroy());
    from.on('close', () => to.destroy());
  });
  open.push(slow);
  await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
  const client = await connected((slow.address() as AddressInfo).port);
  const methods = ['n1', 'n2', 'n3', 'n4'];
  for (const method of methods) client.send(JSON.stringify({ jsonrpc: '2.0', method }));
  await client.ask('last');
  expect(got).toEqual([...methods, 'last']);
});

it('is told the names of 2026-07-28 as headers can say them, without a prefix', async () => {
  const names: unknown[] = [];
  const port = await serve((said, response, { headers }) => {
    if (said === undefined) return response.writeHead(405).end();
    names.push(headers['mcp-name']);
    return result(response, said);
  });
  const place = { url: `http://127.0.0.1:${port}/mcp` };
  const client = new RawClient({ servers: { one: place, two: place } });
  const _meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' };
  for (const name of ['plain', 'größe']) await client.ask('prompts/get', { name: `one__${name}`, _meta });
  expect(names).toEqual(['plain', `=?base64?${Buffer.from('größe').toString('base64')}?=`]);
});

it('follows a server to another path, and to no other place, which would be told its headers', async () => {
  const asked: string[] = [];
  const elsewhere = await serve((said, response) => {
    asked.push('elsewhere');
    result(response, said);
  });
  const port = await serve((said, response, { url }) => {
    if (said?.method === 'away')
      response.writeHead(307, { location: `http://127.0.0.1:${elsewhere}/mcp` }).end();
    else if (url === '/mcp') response.writeHead(307, { location: '/mcp/' }).end();
    else if (said === undefined) response.writeHead(405).end();
    else result(response, said, said.method === 'initialize' ? welcome : { path: url });
  });
  const client = await connected(port);
  expect((await client.ask('ping')).result).toEqual({ path: '/mcp/' });
  expect((await client.ask('away')).error.message).toContain('HTTP 307');
  expect(asked).toEqual([]);
});

it('uses a connection again whose stream of events has ended', async () => {
  const ports = new Set<unknown>();
  const port = await serve((said, response, { socket }) => {
    if (said === undefined) {
      response.writeHead(405).end();
      return;
    }
    ports.add(socket.remotePort);
    const text = JSON.stringify({
      jsonrpc: '2.0',
      id: said.id,
      result: said.method === 'initialize' ? welcome : {},
    });
    response.writeHead(200, { 'content-type': 'text/event-stream' }).end(`data: ${text}\n\n`);
  });
  const client = await connected(port);
  for (let ping = 0; ping < 5; ping += 1) expect((await client.ask('ping')).result).toEqual({});
  expect(ports.size).toBeLessThan(4);
});

it('does as browsers do with servers that are particular', async () => {
  const port = await serve((said, response, request) => {
    if (said === undefined) return response.writeHead(405).end();
    if (said.method === 'initialize') return result(response, said, welcome);
    const text = JSON.stringify({ jsonrpc: '2.0', id: said.id, result: { said: said.method } });
    const type = { 'content-type': 'application/json' };
    // Closed behind the answer, without a word of that before.
    if (said.method === 'acme/close')
      return response.writeHead(200, type).end(text, () => request.socket.end());
    if (said.method === 'acme/named')
      return response.writeHead(request.headers['user-agent'] ? 200 : 403, type).end(text);
    if (said.method === 'acme/mark') return response.writeHead(200, type).end(`\ufeff${text}`);
    const isPlain = request.headers['accept-encoding'] === 'identity';
    if (said.method === 'acme/plain')
      return response.writeHead(200, isPlain ? type : { ...type, 'content-encoding': 'gzip' }).end(text);
    if (request.url === '/mcp') {
      response.writeHead(307, { location: '/elsewhere' });
      return response.write('a body without an end');
    }
    return response.writeHead(200, type).end(text);
  });
  const client = await connected(port);
  for (const method of ['acme/named', 'acme/mark', 'acme/plain', 'acme/moved'])
    expect(await client.ask(method)).toMatchObject({ result: { said: method } });
  const answers = [];
  for (let call = 0; call < 40; call += 1) answers.push(await client.ask('acme/close'));
  expect(answers.filter((answer) => answer.result === undefined)).toEqual([]);
});
