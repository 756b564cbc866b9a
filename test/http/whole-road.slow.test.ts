/**
 * The whole road of a request, with its real parts: client, Express with both middlewares, memory, disk, Redis, an SQLite file;
 * and of an update, all the way back.
 */

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sqlite from 'node-sqlite3-wasm';
import { afterAll, afterEach, beforeEach, expect, it } from 'vitest';
import { assetRules, cacheControl, responseCache } from '../../src/http/index.js';
import type { CacheManager } from '../../src/index.js';
import { cacheAside } from '../../src/source/index.js';
import { wait } from '../helper/child-process.js';
import { librariesOf } from '../helper/libraries.js';
import { closeMachines, openMachine } from '../helper/redis-caches.js';
import { RedisServer, stopServers } from '../helper/redis-server.js';
import { askServer } from './site.js';

const load = await librariesOf(new URL('libraries/', import.meta.url));

interface App {
  use(...handlers: unknown[]): App;
  get(path: string, handler: Handler): void;
  put(path: string, handler: Handler): void;
  listen(port: number): Server;
}
type Handler = (
  req: IncomingMessage & { readonly params: { readonly id: string } },
  res: ServerResponse,
) => Promise<void>;

interface Settings {
  readonly theme: string;
}

const times = { heartbeat: 100, remoteTimeout: 200 };
/** Within which other machines hear of a change, in ms: heartbeat, deadline, delivery. */
const bound = 100 + 200 + 400;

/** The name under which all machines are known. */
const headers = { host: 'settings.example' };

let folder: string;
let redis: RedisServer;
let database: InstanceType<typeof sqlite.Database>;
/** How often the database was asked. */
let queries: number;
const machines: Machine[] = [];

/** One machine's server before the database that all share. */
class Machine {
  readonly #name: string;
  #cache: CacheManager | undefined;
  #server: Server | undefined;
  #port = 0;
  /** What has answered what, since it was asked for the last time. */
  #hits: string[] = [];

  private constructor(name: string) {
    this.#name = name;
  }

  static async start(name: string): Promise<Machine> {
    const machine = new Machine(name);
    machines.push(machine);
    await machine.#start();
    return machine;
  }

  async #start(): Promise<void> {
    const persistDir = join(folder, this.#name);
    const cache = await openMachine(redis, { persist: true, persistDir, flushInterval: 20 }, times);
    cache.on('error', () => undefined);
    cache.on('hit', ({ method, tier }) => this.#hits.push(`${method} from ${tier}`));
    const settings = cacheAside<string, Settings>({
      ...{ cache, method: 'settings', ttl: '1h', flushTimeout: '500ms' },
      load: async (id) => {
        queries += 1;
        const row = database.get('SELECT json FROM settings WHERE id = ?', [id]);
        return row === null || row === undefined ? undefined : JSON.parse(String(row['json']));
      },
      store: async (id, record) =>
        database.run('UPDATE settings SET json = ? WHERE id = ?', [JSON.stringify(record), id]),
    });
    const pages = responseCache({ cache, ttl: '1h', tags: ['settings'] });
    const app = (load('express') as () => App)();
    app.use(cacheControl(assetRules())).use('/api', pages);
    const send = (res: ServerResponse, value: unknown) => {
      // What comes before it says that nothing is to be kept: a route's own header wins.
      res.setHeader('Cache-Control', 'max-age=3600');
      res.setHeader('Content-Type', 'application/json');
      res.end(JSON.stringify(value));
    };
    app.get('/api/settings/:id', async (req, res) => send(res, await settings.get(req.params.id)));
    app.get('/api/themes', async (_req, res) => send(res, [(await settings.get('ada'))?.theme]));
    app.put('/api/settings/:id', async (req, res) => {
      const chunks: Buffer[] = [];
      for await (const chunk of req) chunks.push(chunk as Buffer);
      await settings.update(req.params.id, JSON.parse(Buffer.concat(chunks).toString()));
      await cache.invalidateTags(['settings']);
      res.end();
    });
    this.#cache = cache;
    const server = app.listen(0);
    this.#server = server;
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
  }

  /** What a client gets, and who has answered. */
  async ask(path: string): Promise<[body: unknown, hits: readonly string[], toldToKeep: unknown]> {
    this.#hits = [];
    const { text, headers: told } = await askServer(this.#port, path, { headers });
    return [JSON.parse(text), this.#hits, told['cache-control']];
  }

  async update(id: string, settings: Settings): Promise<void> {
    const init = { method: 'PUT', body: JSON.stringify(settings), headers };
    expect((await askServer(this.#port, `/api/settings/${id}`, init)).status).toBe(200);
  }

  /** Resolves once disk and Redis have all. */
  async flush(): Promise<void> {
    await this.#cache?.flush();
  }

  async restart(): Promise<void> {
    await this.close();
    await this.#start();
  }

  async close(): Promise<void> {
    this.#server?.close();
    this.#server?.closeAllConnections();
    await this.#cache?.close().catch(() => undefined);
  }
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'toolstash-road-'));
  redis = await RedisServer.start();
  database = new sqlite.Database(join(folder, 'settings.db'));
  database.exec('CREATE TABLE settings (id TEXT PRIMARY KEY, json TEXT NOT NULL)');
  database.run('INSERT INTO settings VALUES (?, ?)', ['ada', JSON.stringify({ theme: 'light' })]);
  queries = 0;
});
afterEach(async () => {
  await Promise.all(machines.splice(0).map((machine) => machine.close()));
  await closeMachines();
  await redis.remove();
  database.close();
  rmSync(folder, { recursive: true, force: true });
});
afterAll(stopServers);

const paths = ['/api/settings/ada', '/api/themes'] as const;
const bodies = (theme: string) => [{ theme }, [theme]];
const all = (machine: Machine) => Promise.all(paths.map(async (path) => (await machine.ask(path))[0]));

it('each layer answers in its turn, and an update reaches all of them', async () => {
  const [one, other] = [await Machine.start('one'), await Machine.start('other')];
  expect(await one.ask('/api/settings/ada')).toEqual([{ theme: 'light' }, [], 'no-cache']);
  // The record is there already, the response is not.
  expect(await one.ask('/api/themes')).toEqual([['light'], ['settings from memory'], 'no-cache']);
  expect(queries).toBe(1);
  expect((await one.ask('/api/settings/ada'))[1]).toEqual(['http from memory']);
  await one.flush();
  expect((await other.ask('/api/settings/ada'))[1]).toEqual(['http from remote']);
  expect((await other.ask('/api/settings/ada'))[1]).toEqual(['http from memory']);
  expect((await other.ask('/api/themes'))[1]).toEqual(['http from remote']);
  await other.restart();
  for (const path of paths) expect((await other.ask(path))[1]).toEqual(['http from disk']);
  expect(queries).toBe(1);

  await one.update('ada', { theme: 'dark' });
  expect(await all(one)).toEqual(bodies('dark'));
  await wait(bound);
  expect(await all(other)).toEqual(bodies('dark'));
  await other.restart();
  expect(await all(other)).toEqual(bodies('dark'));
  expect(queries).toBeLessThanOrEqual(3);
});

it('an update while Redis is away is told too, by nobody’s answering for longer than the bound', async () => {
  const [one, other] = [await Machine.start('one'), await Machine.start('other')];
  expect(await all(one)).toEqual(bodies('light'));
  await expect.poll(async () => (await other.ask('/api/themes'))[1]).toContain('http from memory');
  await redis.stop();
  await one.update('ada', { theme: 'dark' });
  expect(await all(one)).toEqual(bodies('dark'));
  await wait(bound);
  expect(await all(other)).toEqual(bodies('dark'));
  await one.update('ada', { theme: 'blue' });
  expect(await all(one)).toEqual(bodies('blue'));
  await redis.start();
  await wait(bound);
  await expect.poll(() => all(other)).toEqual(bodies('blue'));
  // Nothing old comes from Redis or the folder.
  await other.restart();
  expect(await all(other)).toEqual(bodies('blue'));
  expect(await all(one)).toEqual(bodies('blue'));
});
