/** Two proxies that share a Redis and a folder. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type BuiltCommandLine, buildCommandLine } from '../cli/built-command-line.js';
import { RedisServer, stopServers } from '../helper/redis-server.js';
import { HttpClient, type Value } from './http-client.js';
import { end, endAll, said, start } from './proxy-process.js';
import { configOf } from './raw-client.js';

let commandLine: BuiltCommandLine;
let folder: string;
let server: RedisServer;
beforeAll(async () => {
  commandLine = await buildCommandLine();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toolstash-proxy-'));
  server = await RedisServer.start();
});
afterEach(async () => {
  await endAll();
  await server.remove();
  await rm(folder, { recursive: true });
});
afterAll(async () => {
  await stopServers();
  await commandLine.remove();
});

const shared = {
  ...{ identity: 'raw', principal: null },
  tools: {
    count: {},
    get: { effect: { reads: ['state:{key}'] } },
    put: { effect: { writes: ['state:{key}'] } },
  },
} as const;

/** Starts a proxy on the Redis, on the folder or on both. */
async function proxy(on: { redis?: boolean; folder?: boolean }) {
  const config = join(folder, 'proxy.json');
  const cache = {
    ...(on.redis && { redis: { url: server.url } }),
    ...(on.folder && { persist: true, persistDir: join(folder, 'cache'), mode: 'multi' }),
  };
  await writeFile(config, JSON.stringify({ ...configOf(shared), listen: { port: 0 }, cache }));
  const child = start([commandLine.script, 'proxy', '--config', config]);
  return { child, url: await said(child, /listening on (\S+)/) };
}

const sourceOf = (answer: Value) => answer.result._meta['toolstash/answer'].source;
const textOf = (answer: Value) => answer.result.content[0].text;
const rollout = (id: number) => ({ _meta: { 'toolstash/task': 't', 'toolstash/rollout': id } });

it('answer each other, also by what has happened in rollouts, and lose nothing to SIGKILL', async () => {
  const [one, other] = [
    await proxy({ redis: true, folder: true }),
    await proxy({ redis: true, folder: true }),
  ];
  const [first, second] = [await HttpClient.connect(one.url), await HttpClient.connect(other.url)];
  expect(sourceOf(await first.call('count', { n: 1 }))).toBe('tool');
  const found = await second.call('count', { n: 1 });
  expect(['disk', 'remote']).toContain(sourceOf(found));
  expect(textOf(found)).toBe('run 1 {"n":1}');
  // Calls at once, one of which runs.
  const atOnce = await Promise.all(
    [first, second, first, second].map((each) => each.call('count', { n: 2 })),
  );
  expect(new Set(atOnce.map(textOf)).size).toBe(1);
  const get = async (client: HttpClient, id: number) => {
    const answer = await client.call('get', { key: 'a' }, rollout(id));
    return [textOf(answer), sourceOf(answer) === 'tool'];
  };
  expect([await get(first, 0), await get(second, 1)]).toEqual([
    ['nothing', true],
    ['nothing', false],
  ]);
  for (const [id, client] of [first, second].entries())
    await client.call('put', { key: 'a', value: '1' }, rollout(id));
  expect([await get(first, 0), await get(second, 1)]).toEqual([
    ['1', true],
    ['1', false],
  ]);
  await second.call('put', { key: 'a', value: '2' }, rollout(1));
  expect([await get(second, 1), await get(first, 0)]).toEqual([
    ['2', true],
    ['1', false],
  ]);
  // Without a rollout, what was done elsewhere is not known: nothing is taken from there.
  for (const client of [first, second]) expect(sourceOf(await client.call('get', { key: 'a' }))).toBe('tool');
  for (const { child } of [one, other]) await end(child, 'SIGKILL');
  const again = await HttpClient.connect((await proxy({ redis: true, folder: true })).url);
  expect(sourceOf(await again.call('count', { n: 1 }))).not.toBe('tool');
});

it('share a folder alone', async () => {
  const [one, other] = [await proxy({ folder: true }), await proxy({ folder: true })];
  const [first, second] = [await HttpClient.connect(one.url), await HttpClient.connect(other.url)];
  // Its own first run.
  await second.call('count', { n: 9 });
  expect(sourceOf(await first.call('count', { n: 1 }))).toBe('tool');
  // Others pull in by and by what it has written.
  await end(one.child);
  await expect
    .poll(async () => {
      const answer = await second.call('count', { n: 1 });
      return textOf(answer);
    })
    .toBe('run 1 {"n":1}');
});

it('go on without their Redis, and with it again', async () => {
  const client = await HttpClient.connect((await proxy({ redis: true })).url);
  expect(sourceOf(await client.call('count', { n: 1 }))).toBe('tool');
  server.pause();
  expect(sourceOf(await client.call('count', { n: 2 }))).toBe('tool');
  expect(sourceOf(await client.call('count', { n: 2 }))).toBe('memory');
  server.resume();
  const other = await HttpClient.connect((await proxy({ redis: true })).url);
  await other.call('count', { n: 9 });
  expect(textOf(await other.call('count', { n: 1 }))).toBe('run 1 {"n":1}');
});
