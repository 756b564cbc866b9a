import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { Exchange } from '../../src/proxy/http-exchange.js';

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** What a client gets of an exchange. */
async function got(use: (exchange: Exchange) => void, owed?: number): Promise<Response> {
  server = createServer((_, response) => use(new Exchange(response, owed))).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

it('that is answered soon is a JSON body, whenever streams say that they are alive', async () => {
  const response = await got((exchange) => {
    exchange.keepAlive();
    exchange.send('{"id":1}', 1);
  }, 1);
  expect(response.headers.get('content-type')).toBe('application/json');
  expect(await response.text()).toBe('{"id":1}');
});

it('that takes long is a stream, which says that it is alive', async () => {
  const response = await got((exchange) => {
    exchange.keepAlive();
    exchange.keepAlive();
    exchange.send('{"id":1}', 1);
  }, 1);
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  expect(await response.text()).toMatch(/^:\n\n.*data: \{"id":1\}\n\n$/s);
});

it('of a session has begun before there is anything to say', async () => {
  const response = await got((exchange) => {
    exchange.keepAlive();
    exchange.end();
  });
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  expect(await response.text()).toBe(':\n\n:\n\n');
});
