/** Clients over Streamable HTTP, in front of a program and in front of another server of HTTP: who is let in, and what he sees. */

import { request as httpRequest } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { resolveConfig } from '../../src/proxy/index.js';
import { accept, closeServed, HttpClient, messagesIn, open, serve, type Value } from './http-client.js';
import { configOf, isRunning } from './raw-client.js';

afterEach(closeServed);

const everybody = { identity: 'raw', principal: null, tools: { '*': {} } } as const;
const sourceOf = (answer: Value): string => answer.result._meta?.['toolstash/answer']?.source;
const textOf = (answer: Value): string => answer.result.content[0].text;

/** A proxy in front of a program, and one in front of that. */
const places: readonly (readonly [
  string,
  (server: object, listen?: object, cache?: CacheManager) => Promise<string>,
])[] = [
  [
    'a program',
    (server, listen, cache) => serve({ ...configOf(server), listen: { port: 0, ...listen } }, cache),
  ],
  [
    'a server of HTTP',
    async (server, listen, cache) => {
      const url = await serve(configOf());
      return serve({ servers: { raw: { url, ...server } }, listen: { port: 0, ...listen } }, cache);
    },
  ],
];

describe.each(places)('a session in front of %s', (_, place) => {
  it('is answered, from the cache where a tool is listed', async () => {
    const url = await place(everybody);
    const [one, other] = [await HttpClient.connect(url), await HttpClient.connect(url)];
    expect(sourceOf(await one.call('count'))).toBe('tool');
    expect(sourceOf(await other.call('count'))).toBe('memory');
    expect(sourceOf(await other.call('write'))).toBeUndefined();
    expect((await one.ask('vendor/unknown')).error.code).toBe(-32601);
    const stats = await (await fetch(url.replace('/mcp', '/stats'))).json();
    expect(stats).toMatchObject({ all: { hits: 1 }, tools: { 'raw/count': { hits: 1, loads: 1 } } });
  });

  it('hears of progress, and what the server asks, on the stream of its call', async () => {
    const client = await HttpClient.connect(await place(everybody));
    const progress = await messagesIn(
      await client.post('tools/call', { name: 'progress', arguments: {}, _meta: { progressToken: 't' } }),
    );
    expect(progress.map(({ method }) => method)).toEqual(['notifications/progress', undefined]);
    expect(progress[0].params.progressToken).toBe('t');
    const asking = await client.post('tools/call', { name: 'ask', arguments: {} });
    const reader = asking.body!.getReader();
    const asked = new TextDecoder().decode((await reader.read()).value);
    expect(asked).toContain('elicitation/create');
    const id = /"id":"([^"]+)"/.exec(asked)?.[1];
    await client.send(JSON.stringify({ jsonrpc: '2.0', id, result: { content: { name: 'ada' } } }));
    let rest = '';
    for (let part = await reader.read(); !part.done; part = await reader.read())
      rest += new TextDecoder().decode(part.value);
    expect(rest).toContain('"text":"ada"');
  });

  it('is its own: another one sees nothing of it, and no principal anything of another', async () => {
    const cache = new CacheManager();
    const alone = await place({ tools: { '*': {} } }, {}, cache);
    const [one, other] = [await HttpClient.connect(alone), await HttpClient.connect(alone)];
    expect([sourceOf(await one.call('count')), sourceOf(await one.call('count'))]).toEqual([
      'tool',
      'memory',
    ]);
    expect(sourceOf(await other.call('count'))).toBe('tool');
    const url = await place({ ...everybody, principal: { header: 'X-User' } }, {}, cache);
    const users = ['ada', 'bob', 'ada'].map((user) => HttpClient.connect(url, { 'x-user': user }));
    const sources: string[] = [];
    for (const user of users) sources.push(sourceOf(await (await user).call('count')));
    expect(sources).toEqual(['tool', 'tool', 'memory']);
    const unknown = [await HttpClient.connect(url), await HttpClient.connect(url)];
    for (const each of unknown) expect(sourceOf(await each.call('count'))).toBe('tool');
    // Nobody takes over the session of another.
    const thief = new HttpClient(url, {
      'x-user': 'bob',
      'mcp-session-id': (await users[0])!.headers['mcp-session-id']!,
    });
    expect((await thief.post('ping')).status).toBe(404);
  });

  it('ends when its client says so, and its cancelled calls with it', async () => {
    const client = await HttpClient.connect(await place(everybody));
    const { pid } = (await client.ask('test/pid')).result;
    const waiting = client.post('tools/call', { name: 'wait', arguments: {} }, 'w');
    await expect
      .poll(async () => (await client.ask('test/received')).result.received.join())
      .toContain('"name":"wait"');
    const cancelled = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'w' } };
    await client.send(JSON.stringify(cancelled));
    expect((await waiting).status).toBe(202);
    const { status } = await fetch(client.url, { method: 'DELETE', headers: client.headers });
    expect(status).toBe(200);
    expect((await client.post('ping')).status).toBe(404);
    await expect.poll(() => isRunning(pid)).toBe(false);
  });

  it('of the revision 2026-07-28 has no session, and shares no more than others', async () => {
    const cache = new CacheManager();
    const meta = { _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', progressToken: 1 } };
    const client = new HttpClient(await place(everybody, {}, cache));
    expect(sourceOf(await client.call('count', {}, meta))).toBe('tool');
    expect(sourceOf(await client.call('count', {}, meta))).toBe('memory');
    const many = Array.from({ length: 8 }, (_, at) =>
      client.post('tools/call', { name: 'progress', arguments: { at }, ...meta }, 1),
    );
    for (const [at, each] of (await Promise.all(many)).entries()) {
      const [progress, answer] = await messagesIn(each);
      expect(progress.params.progressToken).toBe(1);
      expect(answer).toMatchObject({ id: 1 });
      expect(textOf(answer)).toContain('told');
      expect(at).toBeLessThan(8);
    }
    const unnamed = new HttpClient(await place({ tools: { '*': {} } }, {}, cache));
    for (const _ of [1, 2]) expect(sourceOf(await unnamed.call('count', {}, meta))).toBeUndefined();
  });
});

describe('the front', () => {
  it('lets in only who calls this machine, by its name, with the token', async () => {
    const listen = { port: 0, token: 'a token of some length', allowedOrigins: ['https://agent.example'] };
    const url = await serve({ ...configOf(), listen });
    const token = { authorization: `Bearer ${listen.token}` };
    const status = async (headers: Record<string, string>) =>
      new Promise<number | undefined>((resolve, reject) => {
        const request = httpRequest(
          url,
          { method: 'POST', headers: { ...accept, ...headers } },
          (response) => {
            response.resume();
            resolve(response.statusCode);
          },
        );
        request.on('error', reject).end('{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}');
      });
    expect(await status(token)).toBe(200);
    expect(await status({})).toBe(401);
    expect((await fetch(url.replace('/mcp', '/stats'))).status).toBe(401);
    expect(await status({ authorization: 'Bearer another token of that length' })).toBe(401);
    expect(await status({ ...token, host: 'evil.example' })).toBe(403);
    expect(await status({ ...token, origin: 'https://evil.example' })).toBe(403);
    expect(await status({ ...token, origin: 'http://localhost.evil.example' })).toBe(403);
    expect(await status({ ...token, origin: 'https://agent.example' })).toBe(200);
    expect(await status({ ...token, origin: 'http://localhost:8080' })).toBe(200);
    expect(await status({ ...token, 'content-type': 'text/plain' })).toBe(415);
    expect(() => resolveConfig({ ...configOf(), listen: { port: 0, host: '0.0.0.0' } })).toThrow(
      /`listen.token`/,
    );
  });

  it('lets pages of allowed origins ask first, and read answers', async () => {
    const origin = 'https://agent.example';
    const listen = { port: 0, token: 'a token of some length', allowedOrigins: [origin] };
    const url = await serve({ ...configOf(), listen });
    const asked = {
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization, content-type, mcp-session-id',
    };
    const preflight = (from: string) =>
      fetch(url, { method: 'OPTIONS', headers: { ...asked, origin: from } });
    const may = await preflight(origin);
    expect(may.status).toBe(204);
    expect(Object.fromEntries(may.headers)).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-methods': 'GET, POST, DELETE',
      'access-control-allow-headers': asked['access-control-request-headers'],
      vary: 'origin',
    });
    const other = await preflight('https://evil.example');
    expect(other.status).toBe(403);
    expect(other.headers.get('access-control-allow-origin')).toBeNull();
    expect(await other.json()).toMatchObject({ error: { message: expect.stringContaining('evil') } });
    // Without an origin it is no question of a browser's.
    const authorization = `Bearer ${listen.token}`;
    expect((await fetch(url, { method: 'OPTIONS', headers: { authorization } })).status).toBe(405);
    const { headers } = await HttpClient.connect(url, { origin, authorization });
    const body = '{"jsonrpc":"2.0","id":1,"method":"ping"}';
    const answer = await fetch(url, { method: 'POST', headers: { ...accept, ...headers }, body });
    expect(answer.headers.get('access-control-allow-origin')).toBe(origin);
    expect(answer.headers.get('access-control-expose-headers')).toContain('mcp-session-id');
    // A page may learn that it lacks the token.
    const refused = await fetch(url, { method: 'POST', headers: { ...accept, origin }, body });
    expect(refused.status).toBe(401);
    expect(refused.headers.get('access-control-allow-origin')).toBe(origin);
  });

  it('bounds bodies, sessions and what is open', async () => {
    const url = await serve({
      ...configOf(),
      listen: { port: 0, maxBodyBytes: 2_000, maxSessions: 2, maxStreams: 2 },
    });
    const client = await HttpClient.connect(url);
    expect((await client.post('ping', { text: 'x'.repeat(2_000) })).status).toBe(413);
    await HttpClient.connect(url);
    expect((await new HttpClient(url).post('initialize')).status).toBe(503);
    const streams = [fetch(url, { headers: { ...client.headers, accept: 'text/event-stream' } })];
    expect((await streams[0])!.status).toBe(200);
    expect((await fetch(url, { headers: client.headers })).status).toBe(409);
    streams.push(client.post('test/silence'));
    await expect.poll(async () => (await client.post('ping')).status).toBe(503);
    await fetch(url, { method: 'DELETE', headers: client.headers });
    expect((await streams[1])!.status).toBe(200);
  });

  it('says what is wrong with a message, and with its session', async () => {
    const url = await serve(configOf());
    const client = await HttpClient.connect(url);
    expect((await client.send('{')).status).toBe(400);
    expect((await new HttpClient(url).post('ping')).status).toBe(400);
    expect((await new HttpClient(url, { 'mcp-session-id': 'none' }).post('ping')).status).toBe(404);
    expect((await fetch(url)).status).toBe(405);
    const { hostname, port } = new URL(url);
    const noUrl = new Promise((resolve) => {
      httpRequest({ hostname, port, path: '//[' }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).end();
    });
    expect(await noUrl).toBe(400);
    expect((await fetch(url.replace('/mcp', '/other'))).status).toBe(404);
    // What is sent at the server's own is for whom listens.
    const batch = await client.send(
      '[{"jsonrpc":"2.0","id":1,"method":"a"},{"jsonrpc":"2.0","id":2,"method":"b"}]',
    );
    expect((await batch.json()) as object).toMatchObject([{ id: 1 }, { id: 2 }]);
  });

  it('keeps what the server says right after an answer for the stream to come', async () => {
    const client = await HttpClient.connect(await serve(configOf()));
    let text = '';
    // What comes while the next call is open goes to its response.
    for (const _ of Array.from({ length: 8 })) {
      const params = { name: 'after', arguments: {} };
      text += await (await client.post('tools/call', params)).text();
    }
    text += await (await client.post('ping')).text();
    const stream = await fetch(client.url, { headers: { ...client.headers, accept: 'text/event-stream' } });
    expect(stream.status).toBe(200);
    const reader = stream.body!.getReader();
    while (text.split('list_changed').length <= 8) {
      const { done, value } = await reader.read();
      // A stream that has ended gives an end at once, for ever.
      if (done) throw new Error(`Expected 8 messages before the stream ended, got ${text}`);
      text += new TextDecoder().decode(value);
    }
    await fetch(client.url, { method: 'DELETE', headers: client.headers });
  });

  it('keeps no session that was never welcomed', async () => {
    const listen = { port: 0, maxSessions: 1, maxStreams: 1 };
    const broken = await serve({ ...configOf({ command: 'no-such-program' }), listen });
    for (const _ of [1, 2]) {
      const refused = await new HttpClient(broken).post('initialize');
      expect(refused.headers.get('mcp-session-id')).toBeNull();
      expect((await refused.json()) as object).toMatchObject({ error: { code: -32000 } });
    }
    // One that is never answered, and whose client goes.
    const silent = await serve({ ...configOf({ args: ['-e', 'process.stdin.resume()'] }), listen });
    const leaving = new AbortController();
    const gone = fetch(silent, {
      ...{ method: 'POST', headers: accept, signal: leaving.signal },
      body: '{"jsonrpc":"2.0","id":1,"method":"initialize"}',
    });
    const status = async () => (await new HttpClient(silent).post('ping')).status;
    // The one stream is taken.
    await expect.poll(status).toBe(503);
    leaving.abort();
    await expect(gone).rejects.toThrow();
    const again = async () => {
      const signal = AbortSignal.timeout(300);
      const body = '{"jsonrpc":"2.0","id":1,"method":"initialize"}';
      const sent = fetch(silent, { method: 'POST', headers: accept, body, signal });
      return sent.then(
        ({ status: code }) => code,
        (error: Error) => error.name,
      );
    };
    await expect.poll(again).toBe('TimeoutError');
  });

  it('answers what is stored while the server is away, and tells who asks for more', async () => {
    const cache = new CacheManager();
    const url = await serve(configOf());
    const tools = { '*': { ttl: '1ms', staleIfError: '1h' } } as const;
    const client = await HttpClient.connect(
      await serve({ servers: { raw: { url, ...everybody, tools } } }, cache),
    );
    await client.call('count');
    const [close] = open.splice(0, 1);
    await close!();
    const answer = await client.call('count');
    expect(answer.result._meta['toolstash/answer']).toMatchObject({ source: 'memory', isStale: true });
    expect((await client.ask('ping')).error.message).toMatch(
      /the server `raw` can't be reached: .*ECONNREFUSED/,
    );
  });

  it('begins anew with a server that has forgotten the session', async () => {
    const url = await serve(configOf());
    const client = await HttpClient.connect(await serve({ servers: { raw: { url, ...everybody } } }));
    expect(textOf(await client.call('count'))).toContain('run 1');
    const [close] = open.splice(0, 1);
    await close!();
    const again = await serve({ ...configOf(), listen: { port: Number(new URL(url).port) } });
    expect(again).toBe(url);
    expect((await client.ask('ping')).error.message).toContain('has forgotten the session');
    await expect.poll(async () => (await client.ask('ping')).result).toEqual({});
    expect(textOf(await client.call('count'))).toContain('run 1');
    const { received } = (await client.ask('test/received')).result;
    expect(received.slice(0, 2).map((line: string) => JSON.parse(line).method)).toEqual([
      ...['initialize', 'notifications/initialized'],
    ]);
  });
});
