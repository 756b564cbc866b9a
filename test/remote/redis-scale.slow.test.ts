/** Many changes while a folder was away, and many calls while Redis is. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inForm } from '../helper/form.js';
import { closeMachines, openMachine } from '../helper/redis-caches.js';
import { RedisProxy } from '../helper/redis-proxy.js';
import { RedisServer, stopServers } from '../helper/redis-server.js';
import { measured, usedBytes } from '../helper/used-memory.js';

const deletions = inForm({ short: 2_000, long: 20_000 });
const logLength = deletions / 20;
const calls = inForm({ short: 30_000, long: 200_000 });
/** What a call may leave behind, in bytes. */
const leftPerCall = 250;

let server: RedisServer;
beforeEach(async () => {
  server = await RedisServer.start();
});
afterEach(async () => {
  await closeMachines();
  await server.remove();
});
afterAll(stopServers);

/** Calls for all numbers below `count`, a thousand at once. */
async function forEach(count: number, call: (at: number) => Promise<unknown>): Promise<void> {
  for (let from = 0; from < count; from += 1_000)
    await Promise.all(Array.from({ length: Math.min(1_000, count - from) }, (_, at) => call(from + at)));
}

it(`of ${deletions} deletions, which the log no longer has, a folder that was away answers none`, async () => {
  const persistDir = mkdtempSync(join(tmpdir(), 'toolstash-away-'));
  const withDisk = () =>
    openMachine(server, { persist: true, persistDir, maxSize: 1 }, { logLength, remoteTimeout: '60s' });
  try {
    const away = await withDisk();
    await forEach(deletions + 100, (at) => away.set('search', at, `old ${at}`));
    await away.flush();
    await away.close();
    const other = await openMachine(server, {}, { logLength, remoteTimeout: '60s' });
    await forEach(deletions, (at) => other.delete('search', at));
    await other.flush();
    const back = await withDisk();
    const found: unknown[] = [];
    await forEach(deletions + 100, async (at) => {
      const value = await back.get('search', at);
      if (value !== undefined) found.push(value);
    });
    expect(found.sort()).toEqual(Array.from({ length: 100 }, (_, at) => `old ${deletions + at}`).sort());
    expect(back.stats().cacheErrors).toBe(0);
  } finally {
    await closeMachines();
    rmSync(persistDir, { recursive: true, force: true });
  }
}, 300_000);

describe(`an outage of ${calls} calls of as many keys takes less than ${(calls * leftPerCall) / 1e6} MB`, () => {
  it.each<[string, (proxy: RedisProxy) => Promise<void>]>([
    ['Redis is stopped', () => server.stop()],
    [
      'nothing comes back',
      async (proxy) => {
        proxy.mode = 'black hole';
      },
    ],
  ])('while %s, and all of them get their answers', { ...measured, timeout: 300_000 }, async (_, cut) => {
    const proxy = await RedisProxy.before(server.port);
    const cache = await openMachine(
      server,
      { maxSize: 100 },
      { url: `redis://127.0.0.1:${proxy.port}`, remoteTimeout: 100 },
    );
    cache.on('error', () => undefined);
    let runs = 0;
    const ask = (at: number) =>
      cache.getOrSet('search', at, () => {
        runs += 1;
        return at;
      });
    await forEach(1_000, ask);
    await cut(proxy);
    await expect.poll(() => cache.stats().remote?.isConnected).toBe(false);
    const before = (await usedBytes()).all;
    let wrong = 0;
    await forEach(calls, async (at) => {
      if ((await ask(1_000 + at)) !== 1_000 + at) wrong += 1;
    });
    expect([wrong, runs]).toEqual([0, calls + 1_000]);
    expect((await usedBytes()).all - before).toBeLessThan(calls * leftPerCall);
    await proxy.close();
  });
});
