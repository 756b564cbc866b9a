/** Who is answered by a dashboard, asked by sockets that may say anything. */

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createDashboard } from '../../src/dashboard/dashboard.js';
import { type Dashboard, type DashboardOptions, dashboard } from '../../src/dashboard/index.js';
import { stream } from '../../src/dashboard/responses.js';
import { CacheManager, InvalidOptionError } from '../../src/index.js';

let cache: CacheManager;
let board: Dashboard;
let server: Server;

beforeEach(() => {
  cache = new CacheManager();
});
afterEach(async () => {
  board.close();
  server.close();
  server.closeAllConnections();
  await cache.close();
});

async function serve(options?: DashboardOptions): Promise<void> {
  board = dashboard(cache, options);
  server = createServer(board.handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
}

async function ask(
  path: string,
  { method = 'POST', body = '{}', headers = {} as Record<string, string> } = {},
) {
  const { port } = server.address() as AddressInfo;
  const sent = request({
    port,
    host: '127.0.0.1',
    path,
    method,
    headers: { host: `localhost:${port}`, ...headers },
  });
  sent.end(method === 'POST' ? body : undefined);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  return { status: response.statusCode, headers: response.headers, text };
}

const withToken = (headers: Record<string, string> = {}) => ({
  'x-toolstash-token': board.token,
  ...headers,
});

describe('a dashboard', () => {
  test('tells of the partition files that its cache has written, once there are any', async () => {
    await cache.close();
    const persistDir = join(mkdtempSync(join(tmpdir(), 'toolstash-dashboard-')), 'cache');
    cache = await CacheManager.open({ persist: true, persistDir });
    vi.useFakeTimers({ toFake: ['performance'] });
    try {
      await serve();
      const partitions = async () => {
        const { text } = await ask('/figures', { headers: withToken() });
        return (JSON.parse(text) as { partitions: readonly object[] }).partitions;
      };
      expect(await partitions()).toEqual([]);
      await cache.set('search', 1, 'found');
      await cache.flush();
      vi.advanceTimersByTime(11_000);
      // Read in the background: who asks meanwhile gets what was known.
      await expect.poll(partitions).toMatchObject([{ method: 'search', partitions: 1, values: 1 }]);
    } finally {
      vi.useRealTimers();
      rmSync(join(persistDir, '..'), { recursive: true });
    }
  });

  test('shows its page to anybody here, and no figure without the token', async () => {
    await serve();
    const page = await ask('/', { method: 'GET' });
    expect(page.status).toBe(200);
    expect(page.headers['content-security-policy']).toContain("default-src 'none'; script-src 'self'");
    expect(page.text).not.toContain(board.token);
    for (const name of ['figures', 'events', 'search', 'entry', 'delete', 'clear', 'invalidate']) {
      expect((await ask(`/${name}`)).status, name).toBe(401);
      expect((await ask(`/${name}`, { headers: { 'x-toolstash-token': `${board.token}0` } })).status).toBe(
        401,
      );
    }
    expect((await ask('/figures', { headers: withToken() })).status).toBe(200);
    expect((await ask('/figures', { method: 'GET', headers: withToken() })).status).toBe(405);
  });

  test('refuses names that only lead here, other origins and other sites', async () => {
    await serve();
    const { port } = server.address() as AddressInfo;
    const status = async (headers: Record<string, string>, path = '/figures') =>
      (await ask(path, { headers: withToken(headers) })).status;
    for (const host of [
      'evil.example',
      `evil.example:${port}`,
      'localhost.evil.example',
      '127.0.0.1.evil.example',
    ])
      expect(await status({ host }), host).toBe(403);
    for (const host of [`127.0.0.1:${port}`, `LOCALHOST:${port}`, `[::1]:${port}`])
      expect(await status({ host }), host).toBe(200);
    for (const origin of [
      'http://evil.example',
      'null',
      `http://localhost:${port + 1}`,
      `http://127.0.0.1:${port}`,
    ])
      expect(await status({ origin }), origin).toBe(403);
    expect(await status({ origin: `http://localhost:${port}` })).toBe(200);
    expect(await status({ 'sec-fetch-site': 'cross-site' })).toBe(403);
    expect(await status({ 'sec-fetch-site': 'same-site' }, '/app.js')).toBe(403);
    expect(await status({ 'sec-fetch-site': 'same-origin' })).toBe(200);
    const link = {
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
    };
    expect((await ask('/', { method: 'GET', headers: link })).status).toBe(200);
  });

  test('answers by other names where it is told so, and under any path', async () => {
    await serve({ hosts: ['Cache.Internal'], token: 'a-token-of-sixteen' });
    expect(board.token).toBe('a-token-of-sixteen');
    expect(
      (await ask('/admin/cache/figures', { headers: withToken({ host: 'cache.internal' }) })).status,
    ).toBe(200);
    expect((await ask('/admin/cache/', { method: 'GET' })).headers['content-type']).toContain('text/html');
    expect((await ask('/constructor', { headers: withToken() })).status).toBe(404);
    expect((await ask('/__proto__', { method: 'GET', headers: withToken() })).status).toBe(404);
  });

  test('changes nothing where it is read-only', async () => {
    cache.setSync('search', 'otters', 'found');
    await serve({ readOnly: true });
    const body = JSON.stringify({ method: 'search', tag: 't', key: cache.method('search').key('otters') });
    for (const name of ['delete', 'clear', 'invalidate'])
      expect((await ask(`/${name}`, { headers: withToken(), body })).status).toBe(403);
    expect(cache.getSync('search', 'otters')).toBe('found');
  });

  test('tells what is wrong with a request', async () => {
    await serve();
    const told = async (name: string, body: string) => {
      const { status, text } = await ask(name, { body, headers: withToken() });
      return [status, (JSON.parse(text) as { error: string }).error];
    };
    expect(await told('/delete', '{"method": "m"}')).toEqual([400, 'Expected `key` to be a string']);
    expect(await told('/delete', '[')).toEqual([400, 'The request is no JSON']);
    expect(await told('/delete', 'null')).toEqual([400, 'Expected `method` to be a string']);
    expect(await told('/clear', '{"method": ""}')).toEqual([400, expect.stringContaining("a method's name")]);
    expect(await told('/invalidate', '{"tag": ""}')).toEqual([400, expect.stringContaining('tags')]);
    expect(await told('/delete', '{"method": "m", "key": "../../etc"}')).toEqual([
      400,
      expect.stringContaining('Expected a key of 32 hex digits'),
    ]);
    expect(await told('/search', `"${'x'.repeat(20_000)}"`)).toEqual([400, 'The request is too long']);
  });

  test('leads to the slash at the end of the path that Express has mounted it under', async () => {
    await serve();
    const { port } = server.address() as AddressInfo;
    const mounted = createServer((request: IncomingMessage & { originalUrl?: string }, response) => {
      request.originalUrl = request.url ?? '';
      request.url = request.originalUrl.replace(/^\/a\/cache/, '').replace(/^(?!\/)/, '/');
      board.handler(request, response);
    }).listen(0, '127.0.0.1');
    await once(mounted, 'listening');
    const at = (path: string) =>
      fetch(`http://127.0.0.1:${(mounted.address() as AddressInfo).port}${path}`, { redirect: 'manual' });
    const led = await at('/a/cache?x=1');
    expect([led.status, led.headers.get('location')]).toEqual([307, './cache/?x=1']);
    for (const path of ['/a/cache/', '/a/cache/?x=1', '/a/cache/app.js'])
      expect((await at(path)).status).toBe(200);
    expect((await fetch(`http://127.0.0.1:${port}/?x=1`, { redirect: 'manual' })).status).toBe(200);
    mounted.close();
    mounted.closeAllConnections();
  });

  test('takes a body that was read before it, as `express.json()` does', async () => {
    await serve();
    cache.setSync('search', 'otters', 'found');
    server.removeAllListeners('request');
    server.on('request', async (request, response) => {
      let text = '';
      for await (const chunk of request.setEncoding('utf8')) text += chunk;
      board.handler(Object.assign(request, { body: JSON.parse(text) }), response);
    });
    const body = JSON.stringify({ method: 'search', key: cache.method('search').key('otters') });
    expect((await ask('/delete', { headers: withToken(), body })).status).toBe(200);
    expect(cache.getSync('search', 'otters')).toBeUndefined();
  });

  test('sends figures as they change, until it is closed', async () => {
    await serve({ interval: 50 });
    const { port } = server.address() as AddressInfo;
    const response = await fetch(`http://127.0.0.1:${port}/events`, { method: 'POST', headers: withToken() });
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    const hits = () =>
      text
        .split('\n\n')
        .slice(0, -1)
        .filter((event) => !event.startsWith('event: past'))
        .map((event) => (JSON.parse(event.replace('data: ', '')) as { stats: { sets: number } }).stats.sets);
    while (hits().length < 2) text += (await reader.read()).value;
    cache.setSync('search', 'otters', 1);
    while (hits().at(-1) !== 1) text += (await reader.read()).value;
    board.close();
    for (;;) if ((await reader.read()).done) break;
    expect(hits()[0]).toBe(0);
  });
});

describe('the options of a dashboard', () => {
  test.each([
    [{ token: 'short' }, 'token'],
    [{ token: 'with a space in the middle' }, 'token'],
    [{ token: 'sixteen-and-more"' }, 'token'],
    [{ token: 'sixteen-and-more<' }, 'token'],
    [{ token: 'sixteen-and-more>' }, 'token'],
    [{ token: 'sixteen-and-more`' }, 'token'],
    [{ hosts: 'localhost' }, 'hosts'],
    [{ interval: 1 }, 'interval'],
    [{ readonly: true }, 'readOnly'],
  ])('are refused where they are %j', async (options, told) => {
    await serve();
    const make = () => dashboard(cache, options as never);
    expect(make).toThrow(InvalidOptionError);
    expect(make).toThrow(told);
    if ('token' in options) expect(make).not.toThrow(String(options.token));
    expect(() => dashboard({} as never)).toThrow(InvalidOptionError);
  });
});

/** A stream to a reader who reads nothing at first. */
async function streamTo(
  figures: () => Promise<string>,
  begun: (response: ServerResponse) => void = () => undefined,
) {
  await serve();
  const streams = new Set<() => void>();
  const errors: unknown[] = [];
  const other = createServer((_request, response) => {
    response.on('error', (error) => errors.push(error));
    stream(response, { figures, past: () => [], interval: 50, streams });
    begun(response);
  }).listen(0, '127.0.0.1');
  await once(other, 'listening');
  const reader = connect((other.address() as AddressInfo).port, '127.0.0.1').pause();
  reader.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  const end = () => {
    for (const each of streams) each();
  };
  const close = () => {
    end();
    reader.destroy();
    other.close();
  };
  return { reader, errors, end, close };
}

/** More than sockets hold. */
const large = 'x'.repeat(20_000_000);
const patience = { timeout: 30_000 };

test('a stream that ends while figures are read, for a reader who has not read the last ones, has no error', async () => {
  let reject: ((error: unknown) => void) | undefined;
  const figures = () =>
    new Promise<string>((_, fail) => {
      reject = fail;
    });
  const { errors, end, close } = await streamTo(figures, (response) => response.write(large));
  await vi.waitUntil(() => reject !== undefined, patience);
  end();
  reject?.(new Error('the disk is gone'));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(errors).toEqual([]);
  close();
});

test('no figures are read for a reader who has stalled, until it goes on', async () => {
  let readings = 0;
  const { reader, close } = await streamTo(async () => {
    readings += 1;
    return readings === 1 ? large : '{}';
  });
  await vi.waitUntil(() => readings === 1, patience);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(readings).toBe(1);
  reader.resume();
  await vi.waitUntil(() => readings > 2, patience);
  close();
});

test('all streams share the readings of an interval', async () => {
  await serve();
  board.close();
  let readings = 0;
  const partitions = async () => {
    readings += 1;
    return [];
  };
  board = createDashboard({ cache, options: { interval: 3_600_000 }, partitions });
  server.removeAllListeners('request').on('request', board.handler);
  const { port } = server.address() as AddressInfo;
  const first = async () => {
    const response = await fetch(`http://127.0.0.1:${port}/events`, { method: 'POST', headers: withToken() });
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    // What was before, and then what is.
    while (!/\n\n.*\n\n$/s.test(text)) text += (await reader.read()).value;
    return text;
  };
  const texts = [await first(), await first(), await first()];
  expect(texts[0]).toMatch(/^event: past\ndata: \[\]\n\ndata: {"time":/);
  expect(new Set(texts).size).toBe(1);
  expect(readings).toBe(1);
});

test('a closed dashboard answers and streams nothing, also what was asked before', async () => {
  await serve();
  const { port } = server.address() as AddressInfo;
  const asked = request({
    ...{ port, host: '127.0.0.1', path: '/events', method: 'POST' },
    headers: { ...withToken(), 'content-length': 2 },
  });
  asked.flushHeaders();
  await once(server, 'request');
  board.close();
  asked.end('{}');
  const [answered] = (await once(asked, 'response')) as [IncomingMessage];
  expect(answered.statusCode).toBe(503);
  answered.resume();
  for (const name of ['events', 'figures', 'search', 'clear'])
    expect((await ask(`/${name}`, { headers: withToken(), body: '{"method":"m"}' })).status, name).toBe(503);
  expect((await ask('/', { method: 'GET' })).status).toBe(200);
});

test('figures are streamed before the files are read, which come with later ones', async () => {
  await serve();
  board.close();
  let finish = (_files: []) => {};
  const files = new Promise<[]>((resolve) => {
    finish = resolve;
  });
  board = createDashboard({ cache, options: { interval: 50 }, partitions: () => files });
  server.removeAllListeners('request').on('request', board.handler);
  const { port } = server.address() as AddressInfo;
  const response = await fetch(`http://127.0.0.1:${port}/events`, { method: 'POST', headers: withToken() });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  const readUntil = async (wanted: string) => {
    for (let text = ''; !text.includes(wanted); ) text += (await reader.read()).value;
  };
  await readUntil('"partitions":[]');
  const asked = ask('/figures', { headers: withToken() });
  finish([{ method: 'found' }] as never);
  await readUntil('"partitions":[{"method":"found"}]');
  expect((await asked).text).toContain('"partitions":[{"method":"found"}]');
});
