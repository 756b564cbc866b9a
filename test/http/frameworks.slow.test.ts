/** The HTTP layer in the frameworks themselves, at their current versions, with a real client. */

import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  assetRules,
  cacheControl,
  type HonoMiddleware,
  type NodeMiddleware,
  type ResponseCache,
  responseCache,
} from '../../src/http/index.js';
import { CacheManager } from '../../src/index.js';
import { FakeClock } from '../../src/testing/index.js';
import { librariesOf } from '../helper/libraries.js';
import { askServer, type Question } from './site.js';

const load = await librariesOf(new URL('libraries/', import.meta.url));

interface ExpressApp {
  (...args: unknown[]): unknown;
  use(...handlers: unknown[]): ExpressApp;
  get(
    path: string,
    handler: (req: never, res: ExpressResponse, next: (error: unknown) => void) => unknown,
  ): void;
  post(path: string, handler: (req: never, res: ExpressResponse) => unknown): void;
  listen(port: number): Server;
}
interface ExpressResponse {
  set(name: string, value: string): void;
  json(value: unknown): void;
  sendStatus(status: number): void;
}
type ExpressModule = () => ExpressApp;
interface FastifyReply {
  header(name: string, value: string): FastifyReply;
}
interface FastifyApp {
  register(plugin: unknown): Promise<void>;
  use(middleware: NodeMiddleware): void;
  get(path: string, handler: (request: { url: string }, reply: FastifyReply) => unknown): void;
  post(path: string, handler: () => unknown): void;
  listen(at: { port: number; host: string }): Promise<string>;
  close(): Promise<void>;
  readonly server: Server;
}
interface HonoContext {
  header(name: string, value: string): void;
  json(value: unknown): Response;
  readonly req: { readonly url: string };
}
interface HonoApp {
  use(middleware: HonoMiddleware): void;
  get(path: string, handler: (context: HonoContext) => unknown): void;
  post(path: string, handler: (context: HonoContext) => unknown): void;
  fetch(request: Request, ...rest: unknown[]): Response | Promise<Response>;
}

interface Started {
  readonly server: Server;
  close?(): Promise<void>;
}

/** The same site in each framework. `count` counts what its routes are asked. */
interface SiteInit {
  readonly pages: ResponseCache;
  readonly policy: ReturnType<typeof cacheControl>;
  readonly count: () => number;
}

function express(name: string) {
  return async ({ pages, policy, count }: SiteInit): Promise<Started> => {
    const app = (load(name) as ExpressModule)();
    app.use(policy).use('/api', pages);
    app.get('/api/items', (_req, res) => {
      res.set('Cache-Control', 'max-age=10, stale-while-revalidate=30');
      res.json({ run: count(), text: 'ü'.repeat(2_000) });
    });
    app.get('/api/mine', (_req, res) => {
      res.set('Cache-Control', 'private');
      res.json({ run: count() });
    });
    app.get('/api/fails', (_req, _res, next) => next(new Error(`run ${count()}`)));
    app.post('/api/items', (_req, res) => res.json({ run: count() }));
    app.get('/assets/app.js', (_req, res) => res.json({}));
    // Express prints what its last handler is given.
    app.use((_error: unknown, _req: unknown, res: ExpressResponse, _next: unknown) => res.sendStatus(500));
    return { server: app.listen(0) };
  };
}

async function connect({ pages, policy, count }: SiteInit): Promise<Started> {
  const app = (load('connect') as ExpressModule)();
  app.use(policy).use('/api', pages);
  const json = (res: import('node:http').ServerResponse, value: unknown) => {
    res.setHeader('Content-Type', 'application/json; charset=utf-8');
    res.end(JSON.stringify(value));
  };
  app.use((req: import('node:http').IncomingMessage, res: import('node:http').ServerResponse) => {
    if (req.url === '/api/fails') res.statusCode = 500;
    if (req.url === '/assets/none.js') res.statusCode = 404;
    if (req.url === '/api/mine') res.setHeader('Cache-Control', 'private');
    if (req.url === '/api/items') res.setHeader('Cache-Control', 'max-age=10, stale-while-revalidate=30');
    json(res, { run: req.url?.startsWith('/api') ? count() : 0, text: 'ü'.repeat(2_000) });
  });
  return { server: app.listen(0) };
}

async function fastify({ pages, policy, count }: SiteInit): Promise<Started> {
  const app = (load('fastify') as () => FastifyApp)();
  await app.register(load('@fastify/middie'));
  app.use(policy);
  app.use(pages);
  app.get('/api/items', (_request, reply) => {
    reply.header('Cache-Control', 'max-age=10, stale-while-revalidate=30');
    return { run: count(), text: 'ü'.repeat(2_000) };
  });
  app.get('/api/mine', (_request, reply) => {
    reply.header('Cache-Control', 'private');
    return { run: count() };
  });
  app.get('/api/fails', () => {
    throw new Error(`run ${count()}`);
  });
  app.post('/api/items', () => ({ run: count() }));
  app.get('/assets/app.js', () => ({}));
  await app.listen({ port: 0, host: '127.0.0.1' });
  return { server: app.server, close: () => app.close() };
}

function hono(how: 'around' | 'middleware') {
  return async ({ pages, policy, count }: SiteInit): Promise<Started> => {
    const { Hono } = load('hono') as { Hono: new () => HonoApp };
    const { serve } = load('@hono/node-server') as { serve(options: object): Server };
    const app = new Hono();
    if (how === 'middleware') {
      app.use(policy.hono);
      app.use(pages.hono);
    }
    app.get('/api/items', (c) => {
      c.header('Cache-Control', 'max-age=10, stale-while-revalidate=30');
      return c.json({ run: count(), text: 'ü'.repeat(2_000) });
    });
    app.get('/api/mine', (c) => {
      c.header('Cache-Control', 'private');
      return c.json({ run: count() });
    });
    app.get('/api/fails', () => new Response(`run ${count()}`, { status: 500 }));
    app.post('/api/items', (c) => c.json({ run: count() }));
    app.get('/assets/app.js', (c) => c.json({}));
    const fetch = how === 'middleware' ? app.fetch : policy.fetch(pages.fetch(app.fetch));
    return { server: serve({ fetch, port: 0 }) };
  };
}

describe.each<[string, (init: SiteInit) => Promise<Started>]>([
  ['Express 5', express('express')],
  ['Express 4', express('express-4')],
  ['Connect', connect],
  ['Fastify', fastify],
  ['Hono, around its fetch', hono('around')],
  ['Hono, as a middleware', hono('middleware')],
])('in %s', (_, start) => {
  let started: Started;
  let clock: FakeClock;
  let cache: CacheManager;
  let runs: number;
  let port: number;

  beforeEach(async () => {
    clock = new FakeClock();
    cache = new CacheManager({ clock });
    runs = 0;
    const pages = responseCache({ cache, clock, tags: ['items'] });
    started = await start({ pages, policy: cacheControl(assetRules()), count: () => ++runs });
    if (!started.server.listening) await once(started.server, 'listening');
    ({ port } = started.server.address() as AddressInfo);
  });
  afterEach(async () => {
    started.server.closeAllConnections();
    await (started.close?.() ?? new Promise<void>((resolve) => started.server.close(() => resolve())));
    await cache.close();
  });

  // Node's own client: `fetch` adds `Cache-Control: no-cache` to conditional requests.
  const ask = (path: string, question?: Question) => askServer(port, path, question);
  const run = async (path = '/api/items') => (JSON.parse((await ask(path)).text) as { run: number }).run;

  it('answers from the cache, 304 to those who have it, and HEAD', async () => {
    const first = await ask('/api/items');
    const second = await ask('/api/items');
    expect(second.text).toBe(first.text);
    expect(second.headers).toMatchObject({
      'content-type': first.headers['content-type'],
      'cache-control': 'no-cache',
      age: '0',
    });
    const etag = String(second.headers['etag']);
    expect((await ask('/api/items', { headers: { 'if-none-match': etag } })).status).toBe(304);
    expect(await ask('/api/items', { method: 'HEAD' })).toMatchObject({
      status: 200,
      text: '',
      headers: { age: '0' },
    });
    expect(runs).toBe(1);
  });

  it('runs the route once for many', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => run()));
    expect(new Set(all)).toEqual(new Set([1]));
  });

  it('keeps errors and private responses out', async () => {
    for (const path of ['/api/mine', '/api/fails']) {
      const before = runs;
      await ask(path);
      const { status } = await ask(path);
      expect(status).toBe(path === '/api/fails' ? 500 : 200);
      expect(runs).toBe(before + 2);
    }
    expect(cache.stats('http').entries).toBe(0);
  });

  it('is invalidated by tag and by writes', async () => {
    expect(await run()).toBe(1);
    await cache.invalidateTags(['items']);
    expect(await run()).toBe(2);
    await ask('/api/items', { method: 'POST' });
    expect(runs).toBe(3);
    expect(await run()).toBe(4);
    expect(await run()).toBe(4);
  });

  it('renews what is stale', async () => {
    await run();
    clock.advance(15_000);
    const answers = await Promise.all([run(), run(), run()]);
    // Where a route needs its client, the first one waits for it; the others may come when it is done.
    expect(new Set([1, 2])).toEqual(new Set([...answers, 1, 2]));
    await expect.poll(() => run()).toBe(2);
    await pause(10);
    expect(runs).toBe(2);
  });

  it('sets caching headers by path', async () => {
    expect((await ask('/assets/app.js')).headers['cache-control']).toBe('public, max-age=2592000, immutable');
    expect((await ask('/assets/none.js')).headers['cache-control']).toMatch(/no-store/);
    expect((await ask('/api/mine')).headers['cache-control']).toBe('private');
  });
});
