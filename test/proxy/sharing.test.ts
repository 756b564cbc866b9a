/** Who shares results with whom: what tells sessions apart that give one identity. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { closeServed, HttpClient, messagesIn, open, routing, serve } from './http-client.js';
import { closeAll, configOf, RawClient } from './raw-client.js';

afterEach(async () => {
  await closeAll();
  await closeServed();
});

const shared = { identity: 'raw', principal: null, tools: { '*': {} } } as const;

const sourceOf = (answer: { result: { _meta?: Record<string, { source: string }> } }) =>
  answer.result._meta?.['toolstash/answer']?.source;

it('tells principals apart whose clients send on the same headers', async () => {
  const cache = new CacheManager();
  const url = await serve(configOf());
  const asking = async (principal: string) => {
    const server = { url, ...shared, principal, forwardHeaders: ['Accept-Language'] };
    const proxy = await serve({ servers: { raw: server } }, cache);
    return sourceOf(await (await HttpClient.connect(proxy, { 'accept-language': 'en' })).call('count'));
  };
  expect([await asking('ada'), await asking('bob'), await asking('ada')]).toEqual(['tool', 'tool', 'memory']);
});

it('keeps to a session what the server answers once it has asked for the roots', async () => {
  const cache = new CacheManager();
  const connect = () => RawClient.connect(configOf(shared), cache);
  const [one, other, early] = [await connect(), await connect(), await connect()];
  const call = async (client: RawClient) => sourceOf(await client.call('count'));
  const askForRoots = async (client: RawClient, id: string) => {
    const asks = () => client.received.filter(({ value }) => value.method === 'roots/list');
    const before = asks().length;
    const asked = client.ask('test/ask', { method: 'roots/list', id });
    await expect.poll(() => asks().length).toBe(before + 1);
    client.send(JSON.stringify({ jsonrpc: '2.0', id: asks().at(-1)?.value.id, result: { roots: [] } }));
    await asked;
  };
  expect([await call(one), await call(other)]).toEqual(['tool', 'memory']);
  await askForRoots(one, 'first');
  expect([await call(one), await call(one), await call(other)]).toEqual(['tool', 'memory', 'memory']);
  // As many do before any tool is called, also in a process that was started again.
  await askForRoots(early, 'early');
  expect([await call(early), await call(early)]).toEqual(['tool', 'memory']);
  process.kill((await early.ask('test/pid')).result.pid, 'SIGKILL');
  await expect.poll(async () => (await early.ask('ping')).result).toEqual({});
  await askForRoots(early, 'early');
  expect([await call(early), await call(early)]).toEqual(['tool', 'memory']);
  // They are others now, which the server will ask for.
  one.send('{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}');
  expect([await call(one), await call(one)]).toEqual(['tool', 'memory']);
  await askForRoots(one, 'again');
  expect([await call(one), await call(one), await call(other)]).toEqual(['tool', 'memory', 'memory']);
});

it.each(['a program', 'a server of HTTP'])('knows the version of %s that has begun anew', async (place) => {
  const folder = await mkdtemp(join(tmpdir(), 'toolstash-proxy-'));
  const version = join(folder, 'version');
  const program = configOf({ env: { RAW_VERSION: version } });
  await writeFile(version, '1');
  const cache = new CacheManager();
  const url = place === 'a program' ? undefined : await serve(program);
  const connect = async () => {
    const { command, args, env } = program.servers['raw']!;
    const server = url === undefined ? { command, args, env, ...shared } : { url, ...shared };
    return RawClient.connect({ servers: { raw: server as never } }, cache);
  };
  const call = async (client: RawClient, args?: object) => sourceOf(await client.call('count', args));
  const client = await connect();
  expect(await call(client)).toBe('tool');
  await writeFile(version, '2');
  if (url === undefined) process.kill((await client.ask('test/pid')).result.pid, 'SIGKILL');
  else {
    await open.splice(0, 1)[0]!();
    await serve({ ...program, listen: { port: Number(new URL(url).port) } });
    expect((await client.ask('ping')).error.message).toContain('has forgotten');
  }
  await expect.poll(async () => (await client.ask('ping')).result).toEqual({});
  expect([await call(client), await call(client), await call(client, { n: 2 })]).toEqual([
    ...['tool', 'memory', 'tool'],
  ]);
  await writeFile(version, '1');
  const before = await connect();
  expect([await call(before), await call(before, { n: 2 })]).toEqual(['memory', 'tool']);
  await rm(folder, { recursive: true });
});

it('answers nobody from the cache whose headers say something else than the message', async () => {
  const client = new HttpClient(await serve(configOf(shared)));
  const _meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' };
  const params = { name: 'count', arguments: {}, _meta };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
  const right = routing('tools/call', params);
  expect((await client.send(body, right)).status).toBe(200);
  const encoded = { ...right, 'mcp-name': '=?base64?Y291bnQ=?=' };
  expect((await messagesIn(await client.send(body, encoded)))[0].result._meta).toMatchObject({
    'toolstash/answer': { source: 'memory' },
  });
  const others = { 'mcp-name': 'other', 'mcp-method': 'ping', 'mcp-protocol-version': '2027-01-01' };
  for (const [name, value] of Object.entries(others)) {
    const { [name]: _, ...rest } = right;
    // It says something else, or nothing, which that revision does not allow.
    for (const wrong of [{ ...right, [name]: value }, rest]) {
      const refused = await client.send(body, wrong);
      expect(refused.status).toBe(400);
      expect(await refused.json()).toMatchObject({
        error: { code: -32020, message: expect.stringContaining(name) },
      });
    }
  }
});

it('tells revisions apart where each call says by which it is made', async () => {
  const client = new RawClient(configOf(shared));
  const by = (revision: string) => ({ _meta: { 'io.modelcontextprotocol/protocolVersion': revision } });
  // Another one speaks while the call waits for the list of tools.
  const call = client.call('count', {}, by('2026-07-28'));
  client.request('ping', by('2027-01-01'));
  expect(sourceOf(await call)).toBe('tool');
  expect(sourceOf(await client.call('count', {}, by('2027-01-01')))).toBe('tool');
  expect(sourceOf(await client.call('count', {}, by('2026-07-28')))).toBe('memory');
});
