/** What must not reach another client, nor hold one up: what stands before and after the cache in a Node server. */

import { once } from 'node:events';
import { connect, createServer as createHttp2Server, type Http2Server } from 'node:http2';
import { type AddressInfo, connect as connectSocket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { responseCache } from '../../src/http/index.js';
import type { NodeRequest } from '../../src/http/node-types.js';
import { CacheManager } from '../../src/index.js';
import { gate } from '../helper/gate.js';
import { MapTier } from '../helper/map-tier.js';
import { askServer, closeSites, fetchSite, listen, nodeSite } from './site.js';

const caches: CacheManager[] = [];
afterEach(async () => {
  await closeSites();
  await Promise.all(caches.splice(0).map((cache) => cache.close()));
});

function pagesWith(options: Partial<Parameters<typeof responseCache>[0]> = {}) {
  const cache = options.cache ?? new CacheManager();
  caches.push(cache);
  return responseCache({ ttl: '1m', ...options, cache });
}

describe('a hidden query parameter', () => {
  /** A server that does to a request what a framework does before the cache. */
  async function seen(prepare: (request: NodeRequest & { query?: unknown }) => void, target: string) {
    const pages = pagesWith({ query: ['page'] });
    let runs = 0;
    const port = await listen((incoming, response) => {
      const request = incoming as NodeRequest & { query?: unknown };
      prepare(request);
      void pages(request, response, () => {
        const { url, originalUrl, query } = request;
        response.end(JSON.stringify({ run: ++runs, seen: [url, originalUrl, query] }));
      });
    });
    const ask = async (each: string) => JSON.parse((await askServer(port, each)).text) as { run: number };
    return { first: JSON.stringify(await ask(target)), ask };
  }
  const mounted = (request: NodeRequest) => {
    const { url = '' } = request;
    request.originalUrl = url;
    const rest = url.slice('/api'.length);
    request.url = rest.startsWith('/') ? rest : `/${rest}`;
  };
  const parsed = (request: NodeRequest & { query?: unknown }) => {
    request.query = Object.fromEntries(new URL(request.url ?? '', 'http://x').searchParams);
  };

  it.each(['/api?evil=1', '/api/?evil=1', '/api/a?page=1&evil=1'])(
    'is not in %s for a route below a mount path',
    async (target) => {
      const { first, ask } = await seen(mounted, target);
      expect(first).not.toContain('evil');
      expect(await ask(target.replace(/&?evil=1/, ''))).toMatchObject({ run: 1 });
    },
  );

  it('is taken out of a query that was parsed before', async () => {
    const { first, ask } = await seen(parsed, '/?evil=1&page=2');
    expect(JSON.parse(first)).toEqual({ run: 1, seen: ['/?page=2', null, { page: '2' }] });
    expect(await ask('/?page=2')).toMatchObject({ run: 1 });
  });

  it('makes a difference where what was parsed can’t be told apart', async () => {
    const odd = (request: NodeRequest & { query?: unknown }) => {
      // As some parsers read `[page]=evil`.
      request.query = { page: request.url?.includes('evil') ? 'evil' : '2' };
    };
    const { first, ask } = await seen(odd, '/?[page]=evil&page=2');
    expect(first).toContain('evil');
    const { run } = await ask('/?page=2');
    expect(run).toBe(2);
  });

  it('makes a difference where it has led to another route', async () => {
    const rewritten = (request: NodeRequest) => {
      request.originalUrl = request.url ?? '';
      request.url = request.originalUrl.includes('evil') ? '/evil' : '/good';
    };
    const { ask } = await seen(rewritten, '/?evil=1');
    expect(await ask('/')).toMatchObject({ run: 2, seen: ['/good', '/', null] });
  });
});

describe.each([
  ['cookie', 'alice'],
  ['authorization', 'Basic YTpi'],
])('a page for who sends %s', (name, value) => {
  it('is not stored where it is taken off the request later: Node', async () => {
    const pages = pagesWith();
    let runs = 0;
    const port = await listen((request, response) => {
      void pages(request, response, () => {
        const who = request.headers[name] ?? 'nobody';
        delete request.headers[name];
        response.end(`${++runs} ${who}`);
      });
    });
    expect((await askServer(port, '/', { headers: { [name]: value } })).text).toBe(`1 ${value}`);
    expect((await askServer(port, '/')).text).toBe('2 nobody');
  });

  it('is not stored where it is taken off the request later: Fetch', async () => {
    let runs = 0;
    const handler = pagesWith().fetch((request: Request) => {
      const who = request.headers.get(name) ?? 'nobody';
      request.headers.delete(name);
      return new Response(`${++runs} ${who}`);
    });
    const ask = async (headers: Record<string, string>) =>
      (await handler(new Request('http://site.test/', { headers }))).text();
    expect(await ask({ [name]: value })).toBe(`1 ${value}`);
    expect(await ask({})).toBe('2 nobody');
  });
});

it('keeps languages apart where a language is normalised later', async () => {
  const pages = pagesWith();
  const port = await listen((request, response) => {
    void pages(request, response, () => {
      const language = request.headers['accept-language'];
      request.headers['accept-language'] = 'en';
      response.setHeader('Vary', 'Accept-Language');
      response.end(language);
    });
  });
  const ask = async (language: string) =>
    (await askServer(port, '/', { headers: { 'accept-language': language } })).text;
  expect([await ask('de'), await ask('en'), await ask('de')]).toEqual(['de', 'en', 'de']);
});

it.each(
  ['at once', 'in pieces'].flatMap((how) =>
    [
      ['Set-Cookie', 'session=1'],
      ['Cache-Control', 'max-age=60, Private'],
    ].map(([name, value]) => [how, name, value] as [string, string, string]),
  ),
)('does not store a body whose head, sent %s, gets %s: %s late', async (how, name, value) => {
  const pages = pagesWith();
  let runs = 0;
  const port = await listen((request, response) => {
    // As `on-headers` does it.
    const { writeHead } = response;
    response.writeHead = ((...args: Parameters<typeof writeHead>) => {
      response.setHeader(name, value);
      return writeHead.apply(response, args);
    }) as typeof writeHead;
    void pages(request, response, () => {
      if (how === 'in pieces') response.write('token ');
      response.end(`${++runs}`);
    });
  });
  await askServer(port, '/');
  expect((await askServer(port, '/')).text).toMatch(/2$/);
});

it('does not wait for a client that has left during the look-up', async () => {
  const held = gate();
  const tier = new MapTier();
  // A look-up that takes a while, as one in Redis.
  tier.beforeAnswer = () => held.promise;
  const cache = new CacheManager({ tiers: [tier] });
  const pages = pagesWith({ cache, waitTimeout: '1h' });
  let closes = 0;
  const port = await listen((request, response) => {
    response.once('close', () => closes++);
    void pages(request, response, () => response.end('answer'));
  });
  const client = connectSocket(port, '127.0.0.1');
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await expect.poll(() => tier.lookups).toBe(1);
  client.destroy();
  await expect.poll(() => closes).toBe(1);
  const waiting = askServer(port, '/', { headers: { host: 'a' } });
  await expect.poll(() => cache.stats('http').coalesced).toBe(1);
  held.open();
  expect((await waiting).text).toBe('answer');
});

it.each([
  ['a Node server', nodeSite],
  ['a Fetch-style handler', fetchSite],
])(
  'stores for all what a client wants not to be stored, where its directives are ignored: %s',
  async (_, make) => {
    const site = await make(({ run }) => ({ body: `run ${run}` }), { clientDirectives: 'ignore' });
    const headers = { 'cache-control': 'no-store' };
    expect((await site.ask('/', { headers })).text).toBe('run 1');
    expect((await site.ask('/', { headers })).text).toBe('run 1');
  },
);

it.each([
  ['a Node server', nodeSite],
  ['a Fetch-style handler', fetchSite],
])('answers writes and HEAD beside a cache that is closed: %s', async (_, make) => {
  const site = await make(({ run }) => ({ body: `run ${run}` }));
  await site.cache.close();
  const rejections: unknown[] = [];
  const note = (reason: unknown) => rejections.push(reason);
  process.on('unhandledRejection', note);
  try {
    expect((await site.ask('/', { method: 'POST', body: 'x' })).text).toBe('run 1');
    expect((await site.ask('/', { method: 'HEAD' })).status).toBe(200);
    const cached = { 'cache-control': 'only-if-cached' };
    expect((await site.ask('/', { headers: cached })).status).toBe(504);
    await new Promise((resolve) => setImmediate(resolve));
    expect(rejections).toEqual([]);
  } finally {
    process.off('unhandledRejection', note);
  }
});

it('tells the client of a handler that throws after the cache has given it up', async () => {
  const handler = pagesWith({ cache: new CacheManager({ hardTimeout: 5 }) }).fetch(async () => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    throw new Error('late');
  });
  await expect(handler(new Request('http://site.test/'))).rejects.toThrow('late');
});

it('answers stale where a handler throws, within `stale-if-error`', async () => {
  const site = await fetchSite(({ run }) => {
    if (run > 1) throw new Error('down');
    return { headers: { 'cache-control': 'max-age=10, stale-if-error=20' }, body: 'up' };
  });
  await site.ask('/');
  site.clock.advance(15_000);
  expect((await site.ask('/')).text).toBe('up');
  site.clock.advance(16_000);
  await expect(site.ask('/')).rejects.toThrow('down');
});

it('invalidates a path as its client sent it', async () => {
  const site = await nodeSite(({ run }) => ({ body: `run ${run}` }));
  const headers = { host: 'site.test' };
  await site.ask('/a|b/../c', { headers });
  await site.pages.invalidate('http://site.test/a|b/../c?x');
  expect((await site.ask('/a|b/../c', { headers })).text).toBe('run 2');
});

describe('over HTTP/2', () => {
  let server: Http2Server | undefined;
  afterEach(
    () => new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve()))),
  );

  it('goes by `Host` beside `:authority`, and by whether there is a body', async () => {
    const pages = pagesWith();
    let runs = 0;
    server = createHttp2Server((request, response) => {
      void pages(request as never, response as never, () => {
        request.resume();
        response.end(`${++runs} ${request.headers['host']}`);
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const ask = async (headers: Record<string, string>, body?: string) => {
      const all = { ':path': '/', ':authority': 'good.test', ...headers };
      const stream = session.request(all, { endStream: body === undefined });
      if (body !== undefined) stream.end(body);
      let text = '';
      for await (const chunk of stream.setEncoding('utf8')) text += chunk;
      return text;
    };
    try {
      expect(await ask({ host: 'evil.test' })).toBe('1 evil.test');
      expect(await ask({})).toBe('2 undefined');
      expect(await ask({})).toBe('2 undefined');
      expect(await ask({}, 'body')).toBe('3 undefined');
    } finally {
      session.close();
    }
  });
});

it.each(['x-api-key', 'api-key', 'x-auth-token', 'x-access-token'])(
  'keeps apart who asks by %s',
  async (name) => {
    const site = await nodeSite(({ header }) => ({ body: `for ${header(name)}` }));
    const asked = async (on: typeof site, key: string) =>
      (await on.ask('/', { headers: { [name]: key } })).text;
    expect([await asked(site, 'alice'), await asked(site, 'bob')]).toEqual(['for alice', 'for bob']);
    await site.ask('/');
    expect(await asked(site, 'alice')).toBe('for alice');
    const keyed = await nodeSite(({ header, run }) => ({ body: `for ${header(name)}: ${run}` }), {
      headers: [name],
    });
    const got: string[] = [];
    for (const key of ['alice', 'bob', 'alice']) got.push(await asked(keyed, key));
    expect(got).toEqual(['for alice: 1', 'for bob: 2', 'for alice: 1']);
  },
);

it.each([
  ['a certificate', { authorized: true }],
  [
    'a certificate that nobody vouches for',
    {
      authorized: false,
      authorizationError: 'DEPTH_ZERO_SELF_SIGNED_CERT',
      getPeerX509Certificate: () => ({}),
    },
  ],
])('keeps apart who asks by %s', async (_, certificate) => {
  const pages = pagesWith();
  let runs = 0;
  const port = await listen((request, response) => {
    // As a server of `node:https` with `requestCert` has it.
    const none = {
      authorized: false,
      authorizationError: 'UNABLE_TO_GET_ISSUER_CERT',
      getPeerX509Certificate: () => undefined,
    };
    const isNone = request.headers['x-test'] === 'none';
    Object.assign(request.socket, { encrypted: true }, isNone ? none : certificate);
    void pages(request, response, () => response.end(`run ${++runs}`));
  });
  const asked = async (by: string) => (await askServer(port, '/', { headers: { 'x-test': by } })).text;
  expect([await asked('certificate'), await asked('certificate')]).toEqual(['run 1', 'run 2']);
  expect([await asked('none'), await asked('none'), await asked('certificate')]).toEqual([
    'run 3',
    'run 3',
    'run 4',
  ]);
});
