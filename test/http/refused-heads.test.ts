/** Routes whose response Node refuses: an error page comes in its place, which must not pass for what the route meant. */

import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect, createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { cacheControl, type NodeMiddleware, responseCache } from '../../src/http/index.js';
import { CacheManager } from '../../src/index.js';
import { askServer, closeSites, listen } from './site.js';

let cache: CacheManager | undefined;
afterEach(async () => {
  await closeSites();
  await cache?.close();
});

/** A server that answers what its route throws by an error page, as frameworks do. */
function serverBehind(middleware: NodeMiddleware, route: (response: ServerResponse) => void) {
  return listen((request, response) => {
    void middleware(request, response, () => {
      try {
        route(response);
      } catch {
        response.statusMessage = 'Failed';
        response.statusCode = 500;
        response.end('failed');
      }
    });
  });
}

const refused: readonly [string, (response: ServerResponse) => void][] = [
  ['a body that is a number', (response) => response.end(42)],
  ['a body that is an object', (response) => response.setHeader('content-type', 'a/b').end({ a: 1 })],
  ['a message of two lines', (response) => response.writeHead(200, 'bad\nmessage').end('page')],
  [
    'a message of two lines, set before',
    (response) => {
      response.statusMessage = 'bad\nmessage';
      response.end('page');
    },
  ],
  [
    'a message of two lines, found by a piece',
    (response) => {
      response.statusMessage = 'bad\nmessage';
      response.write('piece');
    },
  ],
  [
    'a header with a wrong character, after a right one',
    (response) => response.writeHead(200, { 'cache-control': 'max-age=60', 'x-name': 'ā' }).end('page'),
  ],
];

it.each(refused)('stores no error page under %s', async (_, route) => {
  cache = new CacheManager();
  const port = await serverBehind(responseCache({ cache, ttl: '1m', cacheStatus: true }), route);
  for (let time = 0; time < 2; time++) {
    const { status, text, headers } = await askServer(port, '/');
    expect([status, text, headers['cache-status']]).toEqual([500, 'failed', 'toolstash; fwd=miss']);
    expect(headers).not.toHaveProperty('cache-control');
    expect(headers).not.toHaveProperty('etag');
  }
  expect(cache.stats('http').entries).toBe(0);
});

it.each(refused)('lets nobody keep the error page that comes for %s', async (_, route) => {
  const port = await serverBehind(cacheControl(), route);
  const { status, headers } = await askServer(port, '/assets/a');
  expect([status, headers['cache-control']]).toEqual([500, 'no-cache, no-store, must-revalidate, max-age=0']);
});

it('stores nothing of a response of which Node refused a piece', async () => {
  cache = new CacheManager();
  const port = await serverBehind(responseCache({ cache, ttl: '1m' }), (response) => {
    response.write('a piece, ');
    response.write({ a: 1 });
  });
  for (let time = 0; time < 2; time++) expect((await askServer(port, '/')).text).toBe('a piece, failed');
  expect(cache.stats('http')).toMatchObject({ entries: 0, hits: 0 });
});

it('waits for no response that its route wrote on the stream of HTTP/2 itself', async () => {
  cache = new CacheManager();
  const pages = responseCache({ cache, ttl: '1m' });
  let ended = 0;
  const server = createServer(async (request, response) => {
    await pages(request as never, response as never, () => {
      response.stream.respond({ ':status': 200 });
      response.stream.end('own');
    });
    ended++;
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  let text = '';
  for await (const chunk of client.request({ ':path': '/' }).setEncoding('utf8')) text += chunk;
  expect(text).toBe('own');
  await expect.poll(() => ended).toBe(1);
  client.close();
  server.close();
});
