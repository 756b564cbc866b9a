/** Malformed JSON-RPC from either side, on both transports: nothing crashes, nothing is stored, and all goes on. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { resolveConfig, serveHttp } from '../../src/proxy/index.js';
import { inForm } from '../helper/form.js';
import { closeAll, configOf, RawClient, rawServer } from './raw-client.js';

afterEach(closeAll);

const messages = inForm({ short: 500, long: 10_000 });
const seed = Date.now() % 2 ** 31;
const config = configOf({ identity: 'raw', principal: null, tools: { '*': {} } });

const method = fc.constantFrom(
  ...[
    'tools/call',
    'tools/list',
    'notifications/cancelled',
    'notifications/progress',
    'vendor/x',
    '',
    7,
    null,
  ],
);
const scalar = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.string(),
  fc.boolean(),
  fc.constant(null),
  fc.constant({}),
  fc.constant([]),
);
const params = fc.oneof(
  scalar,
  fc.record(
    {
      name: fc.oneof(fc.constantFrom('fail', 'refuse', 'task', 'no-such', '__proto__'), scalar),
      arguments: fc.oneof(scalar, fc.dictionary(fc.constantFrom('a', '__proto__', 'constructor'), scalar)),
      _meta: fc.oneof(scalar, fc.record({ progressToken: scalar })),
      ...{ requestId: scalar, progressToken: scalar, cursor: scalar, uri: scalar },
    },
    { requiredKeys: [] },
  ),
);
const message = fc.record(
  {
    jsonrpc: fc.constantFrom('2.0', '1.0', 2, null),
    id: fc.oneof(scalar, fc.constantFrom('9007199254740993', 1e300)),
    ...{ method, params, result: scalar, error: scalar, extra: scalar },
  },
  { requiredKeys: [] },
);

/** Texts that are nearly messages: cut, spliced, nested, repeated. */
const shallow = fc.oneof(
  message.map((each) => JSON.stringify(each)),
  fc.tuple(message, fc.nat(80)).map(([each, at]) => JSON.stringify(each).slice(0, at)),
  fc.tuple(message, fc.nat(80), fc.string()).map(([each, at, more]) => {
    const whole = JSON.stringify(each);
    return whole.slice(0, at) + more.replace(/[\r\n]/g, '') + whole.slice(at);
  }),
  fc.array(fc.oneof(message, scalar), { maxLength: 4 }).map((each) => JSON.stringify(each)),
  fc.constantFrom(
    '[]',
    '{}',
    'null',
    '[[]]',
    '{"id":1,"id":2,"method":"ping"}',
    '\u{feff}{}',
    '{"jsonrpc":"2.0"',
  ),
);

/** Each takes a while. */
const deep = fc
  .nat(20_000)
  .map(
    (depth) =>
      `{"jsonrpc":"2.0","id":"deep","method":"tools/call","params":{"name":"fail","arguments":${'['.repeat(depth)}${']'.repeat(depth)}}}`,
  );
const text = fc.oneof({ weight: 60, arbitrary: shallow }, { weight: 1, arbitrary: deep });

/** Under an id that is no other's. */
async function ask(client: RawClient, method: string, params = {}) {
  const id = `own ${++asked}`;
  return (await client.answer(client.request(method, params, id))).value;
}
let asked = 0;
const count = { name: 'count', arguments: {} };

const sample = () => fc.sample(text, { numRuns: messages, seed });

it(`outlives a client on stdio that sends anything (seed ${seed})`, async () => {
  const cache = new CacheManager();
  const client = await RawClient.connect(config, cache);
  const { pid } = (await ask(client, 'test/pid')).result;
  // So that its tools are listed before: a server that is flooded is given up on after 5 s.
  await ask(client, 'tools/call', { name: 'fail' });
  // All at once.
  for (const each of sample()) client.send(each);
  expect((await ask(client, 'test/pid')).result.pid).toBe(pid);
  expect(cache.stats()).toMatchObject({ entries: 0, cacheErrors: 0 });
  expect((await ask(client, 'tools/call', count)).result._meta['toolstash/answer'].source).toBe('tool');
  expect((await ask(client, 'tools/call', count)).result._meta['toolstash/answer'].source).toBe('memory');
});

it(`outlives a client over HTTP that sends anything (seed ${seed})`, async () => {
  const cache = new CacheManager();
  const stop = new AbortController();
  const resolved = resolveConfig({ ...config, listen: { port: 0 } });
  const { url, ended } = await new Promise<{ url: string; ended: Promise<void> }>((resolve, reject) => {
    const running = serveHttp(resolved, cache, {
      signal: stop.signal,
      onListening: (at) => resolve({ url: at, ended: running }),
    });
    running.catch(reject);
  });
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  const post = (body: string, patience = 60_000) =>
    fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(patience) });
  const welcome = await post(
    '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}',
  );
  headers['mcp-session-id'] = welcome.headers.get('mcp-session-id') as string;
  const statuses = new Set<number>();
  const texts = sample();
  while (texts.length > 0) {
    const some = texts.splice(0, 50).map(async (body) => {
      try {
        const response = await post(body, 500);
        statuses.add(response.status);
        await response.text();
      } catch (error) {
        // What the server never answers, such as a request that has the id of another.
        if ((error as Error).name !== 'TimeoutError') throw error;
      }
    });
    await Promise.all(some);
  }
  expect([...statuses].filter((status) => status >= 500 && status !== 503)).toEqual([]);
  expect(cache.stats()).toMatchObject({ entries: 0, cacheErrors: 0 });
  const ping = await post('{"jsonrpc":"2.0","id":"p","method":"ping"}');
  expect(await ping.json()).toMatchObject({ id: 'p', result: {} });
  await fetch(url, { method: 'DELETE', headers });
  stop.abort();
  await ended;
});

it(`outlives a server that says anything (seed ${seed})`, async () => {
  const cache = new CacheManager();
  const folder = await mkdtemp(join(tmpdir(), 'toolstash-proxy-'));
  const said = join(folder, 'said');
  await writeFile(said, `${sample().join('\n')}\n`);
  const child = configOf({ ...config.servers['raw'], args: [rawServer, '1', said] });
  const client = new RawClient(child, cache, true);
  await ask(client, 'initialize', { protocolVersion: '2025-11-25' });
  client.send('{"jsonrpc":"2.0","method":"notifications/initialized"}');
  expect((await ask(client, 'tools/call', count)).result._meta['toolstash/answer'].source).toBe('tool');
  expect(cache.stats().cacheErrors).toBe(0);
  await rm(folder, { recursive: true });
});
