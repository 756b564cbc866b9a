/** How the remote tier stands, as `stats()` and exporters tell it. */

import { Registry } from 'prom-client';
import { afterAll, afterEach, beforeEach, expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { prometheusMetrics } from '../../src/metrics/index.js';
import { redis } from '../../src/redis/index.js';
import { MemoryRemote } from '../../src/testing/index.js';
import { closeMachines, machineOf } from '../helper/redis-caches.js';
import { RedisServer, stopServers } from '../helper/redis-server.js';

let server: RedisServer;
beforeEach(async () => {
  server = await RedisServer.start();
});
afterEach(async () => {
  await closeMachines();
  await server.remove();
});
afterAll(stopServers);

it('tells whether it is asked, how old the last contact is, and what waits to be sent', async () => {
  const cache = machineOf(server, {}, { heartbeat: 50, remoteTimeout: 100 });
  expect(cache.stats().remote).toEqual({
    ...{ isConnected: false, contactAgeMs: Number.POSITIVE_INFINITY, pendingChanges: 0 },
    problem: 'Redis is not connected yet',
  });
  await cache.open();
  await cache.set('search', 1, 'one');
  await cache.flush();
  expect(cache.stats().remote).toMatchObject({ isConnected: true, pendingChanges: 0, problem: undefined });
  expect(cache.stats('search').remote).toBeUndefined();
  const registry = new Registry();
  await prometheusMetrics(cache, { registry });
  const scraped = async (name: string) => {
    const { values } = await registry.getSingleMetric(`toolstash_${name}`)!.get();
    return values.map(({ labels, value }) => ({ ...labels, value }));
  };
  expect(await scraped('remote_connected')).toEqual([{ cache: 'default', value: 1 }]);

  await server.stop();
  await expect.poll(() => cache.stats().remote?.isConnected).toBe(false);
  await cache.delete('search', 1);
  const { remote } = cache.stats();
  expect(remote).toMatchObject({ pendingChanges: 1, problem: expect.stringContaining('Redis') });
  await expect.poll(() => cache.stats().remote!.contactAgeMs).toBeGreaterThan(remote!.contactAgeMs);
  expect(await scraped('remote_connected')).toEqual([{ cache: 'default', value: 0 }]);
  expect(await scraped('remote_pending_changes')).toEqual([{ cache: 'default', value: 1 }]);
  expect(await scraped('remote_contact_age_seconds')).toEqual([
    { cache: 'default', value: expect.any(Number) },
  ]);

  await server.start();
  await expect
    .poll(() => cache.stats().remote, { timeout: 20_000 })
    .toMatchObject({
      ...{ isConnected: true, pendingChanges: 0, problem: undefined },
    });
});

it('shows no password of a server that is away', async () => {
  await server.stop();
  const url = `redis://ada:hunter2@127.0.0.1:${server.port}`;
  const cache = new CacheManager({ remote: redis({ url, remoteTimeout: 50 }) });
  try {
    await expect.poll(() => cache.stats().remote?.problem).toMatch(/^Redis can't be reached/);
    expect(JSON.stringify(cache.stats())).not.toContain('hunter2');
  } finally {
    await cache.close();
  }
});

it('is nothing without a remote tier, or with one that has no connection', () => {
  expect(new CacheManager().stats().remote).toBeUndefined();
  const cache = new CacheManager({ remote: new MemoryRemote() });
  expect(cache.stats().remote).toBeUndefined();
});
