/** Figures of real processes that are killed, in a folder and in a real Redis. */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { shareFigures } from '../../src/metrics/index.js';
import { RedisTools } from '../../src/remote/redis-tools.js';
import { buildScript, Child, killChildren, makeWorkFolder } from '../helper/child-process.js';
import { closeMachines, openMachine } from '../helper/redis-caches.js';
import { RedisServer, stopServers } from '../helper/redis-server.js';

const work = makeWorkFolder('figures');
let script: string;
let server: RedisServer;
beforeAll(async () => {
  script = await buildScript(fileURLToPath(new URL('./sharing-process.ts', import.meta.url)), work);
  server = await RedisServer.start();
});
afterEach(async () => {
  await killChildren();
  await closeMachines();
});
afterAll(async () => {
  await stopServers();
  rmSync(work, { recursive: true });
});

/** Two processes that have left their figures, one of which is killed. */
async function started(args: readonly string[]): Promise<void> {
  const children = [1, 2].map(() => new Child({ script, args }));
  await Promise.all(children.map((child) => child.next('left')));
  await children[0]!.kill();
}

function fail(error: Error): never {
  throw error;
}

const summed = { loads: 6, hits: 2, misses: 6 };

it('count after SIGKILL, among those of a folder', async () => {
  const persistDir = join(work, 'cache');
  await started([persistDir]);
  const cache = await CacheManager.open({ persist: true, persistDir, mode: 'multi' });
  try {
    const { stats, processes } = await shareFigures(cache).sum();
    expect(stats).toMatchObject(summed);
    expect(processes.map(({ name }) => name).sort()).toEqual(['child', 'child', 'process']);
  } finally {
    await cache.close();
  }
});

it('count after SIGKILL, among those of a Redis, whose entries stay what they are', async () => {
  await started([server.url, 'redis']);
  const cache = await openMachine(server);
  await cache.getOrSet('other', 1, () => 1);
  const figures = shareFigures(cache);
  const { stats } = await figures.sum();
  expect(stats).toMatchObject({ loads: summed.loads + 1, hits: summed.hits });
  const tools = new RedisTools({ options: { url: server.url }, writes: false, onError: fail });
  await tools.open();
  const found: string[] = [];
  for await (const { method } of tools.entries()) found.push(method);
  tools.close();
  expect(found.sort()).toEqual(['other', ...Array.from({ length: 6 }, () => 'search')]);
  await figures.stop();
  const [name = ''] = /toolstash:\{notes\}:of:\w+/.exec(await server.command('KEYS', '*')) ?? [];
  const [, ttl] = /^:(\d+)/.exec(await server.command('PTTL', name)) ?? [];
  expect(Number(ttl)).toBeGreaterThan(6 * 86_400_000);
});

it('wait for a Redis that does not answer no longer than it takes to close, and no call waits for it', async () => {
  const cache = await openMachine(server);
  const errors: string[] = [];
  cache.on('error', ({ error }) => errors.push(error.message));
  const figures = shareFigures(cache, { interval: 50 });
  await vi.waitFor(async () =>
    expect((await figures.sum()).processes.some(({ isRunning }) => isRunning)).toBe(true),
  );
  await server.remove();
  await vi.waitFor(() => expect(errors).toContain('Leaving figures for other processes failed'), 10_000);
  expect(await cache.getOrSet('search', 1, () => 'found')).toBe('found');
  await figures.stop();
});
