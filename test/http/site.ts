/** A site with a cache before its one route, as a bare Node server and as a Fetch-style handler, and a client of it. */

import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  request as send,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ResponseCache, type ResponseCacheOptions, responseCache } from '../../src/http/index.js';
import { CacheManager } from '../../src/index.js';
import { FakeClock } from '../../src/testing/index.js';

/** What a route is asked. */
export interface Asked {
  readonly method: string;
  /** As the route sees it. */
  readonly target: string;
  readonly header: (name: string) => string | undefined;
  /** How often it has run, this time included. */
  readonly run: number;
}

/** What it answers. */
export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** One text, or pieces that come one after another. */
  readonly body?: string | Uint8Array | AsyncIterable<string | Uint8Array>;
}

export type Route = (asked: Asked) => Answer | Promise<Answer>;

/** What a client got. */
export interface Got {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface Question {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Site {
  readonly cache: CacheManager;
  readonly clock: FakeClock;
  readonly pages: ResponseCache;
  /** How often the route has run. */
  readonly runs: () => number;
  readonly ask: (target: string, question?: Question) => Promise<Got>;
  /** Begins a request, and goes away after the head; resolves once the server has noticed. */
  readonly leave: (target: string) => Promise<void>;
}

export type SiteOptions = Partial<ResponseCacheOptions>;

const servers: { close(): void; closeAllConnections(): void }[] = [];
const caches: CacheManager[] = [];

/** Ends what a test has begun. */
export async function closeSites(): Promise<void> {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
  await Promise.all(caches.splice(0).map((cache) => cache.close()));
}

function prepare(options: SiteOptions) {
  const clock = new FakeClock(Date.UTC(2026, 0, 1));
  const cache = options.cache ?? new CacheManager({ clock });
  caches.push(cache);
  const pages = responseCache({ ttl: '1m', clock, ...options, cache });
  return { clock, cache, pages };
}

/** A server on a port of its own. */
export async function listen(listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A client's request by Node's own client, which adds nothing to it. */
export async function askServer(port: number, target: string, question: Question = {}): Promise<Got> {
  const { method = 'GET', headers = {}, body } = question;
  const request = send({ port, host: '127.0.0.1', path: target, method, headers, agent: false });
  request.end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  return { status: response.statusCode ?? 0, headers: response.headers, text };
}

/** A bare Node server. */
export async function nodeSite(route: Route, options: SiteOptions = {}): Promise<Site> {
  const made = prepare(options);
  let runs = 0;
  let closes = 0;
  const port = await listen((request, response) => {
    response.once('close', () => closes++);
    void made.pages(request, response, async () => {
      const header = (name: string) => request.headers[name]?.toString();
      const asked = { method: request.method ?? '', target: request.url ?? '', header, run: ++runs };
      const { status = 200, headers = {}, body = '' } = await route(asked);
      response.writeHead(status, headers as Record<string, string>);
      if (typeof body === 'string' || body instanceof Uint8Array) return response.end(body);
      try {
        for await (const chunk of body) {
          if (response.destroyed) return undefined;
          response.write(chunk);
        }
      } catch {
        return response.destroy();
      }
      return response.end();
    });
  });
  return {
    ...made,
    runs: () => runs,
    ask: (target, question) => askServer(port, target, question),
    async leave(target) {
      const before = closes;
      const request = send({ port, host: '127.0.0.1', path: target, agent: false });
      request.on('error', () => undefined);
      request.end();
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      response.on('error', () => undefined);
      await once(response, 'data');
      request.destroy();
      while (closes === before) await new Promise((resolve) => setTimeout(resolve, 2));
    },
  };
}

/** A Fetch-style handler. */
export async function fetchSite(route: Route, options: SiteOptions = {}): Promise<Site> {
  const made = prepare(options);
  let runs = 0;
  const handler = made.pages.fetch(async (request: Request) => {
    const { pathname, search } = new URL(request.url);
    const header = (name: string) => request.headers.get(name) ?? undefined;
    const asked = { method: request.method, target: pathname + search, header, run: ++runs };
    const { status = 200, headers = {}, body = '' } = await route(asked);
    const list = Object.entries(headers).flatMap(([name, value]) =>
      [value].flat().map((each): [string, string] => [name, each]),
    );
    const isBare = request.method === 'HEAD' || status === 204 || status === 304;
    const stream = typeof body === 'string' || body instanceof Uint8Array ? body : streamOf(body);
    return new Response(isBare ? null : (stream as string), { status, headers: list });
  });
  const call = (target: string, { method = 'GET', headers = {}, body }: Question = {}) => {
    const { host = 'site.test', ...others } = headers;
    const init = { method, headers: others, ...(body !== undefined && { body }) };
    return handler(new Request(`http://${host}${target}`, init));
  };
  return {
    ...made,
    runs: () => runs,
    async ask(target, question) {
      const response = await call(target, question);
      const text = await response.text();
      return { status: response.status, headers: Object.fromEntries(response.headers), text };
    },
    async leave(target) {
      const reader = (await call(target)).body!.getReader();
      await reader.read();
      await reader.cancel();
    },
  };
}

function streamOf(chunks: AsyncIterable<string | Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await iterator.next();
      if (done) return controller.close();
      controller.enqueue(typeof value === 'string' ? new TextEncoder().encode(value) : value);
    },
    cancel: () => void iterator.return?.(),
  });
}
