/** Caches that share a Redis, as machines would; closed after each test. */

import { CacheManager, type CacheOptions } from '../../src/index.js';
import { type RedisOptions, redis } from '../../src/redis/index.js';
import type { RedisServer } from './redis-server.js';

const opened: CacheManager[] = [];

/** Another machine. Its deadline is long, so that a slow test machine changes no outcome. */
export function machineOf(
  server: RedisServer,
  options: CacheOptions = {},
  more: RedisOptions = {},
): CacheManager {
  const cache = new CacheManager({
    remote: redis({ url: server.url, remoteTimeout: '2s', heartbeat: 200, ...more }),
    ...options,
  });
  opened.push(cache);
  return cache;
}

/** The same, once it is connected. */
export async function openMachine(
  server: RedisServer,
  options: CacheOptions = {},
  more: RedisOptions = {},
): Promise<CacheManager> {
  const cache = machineOf(server, options, more);
  await cache.open();
  return cache;
}

/** Whether a cache opens, for `expect.poll`: a busy machine may take more than one attempt. */
export const isOpen = (cache: CacheManager) => (): Promise<boolean> =>
  cache.open().then(
    () => true,
    () => false,
  );

/** Closes all. What can't be told a Redis that is gone any more is no failure here. */
export async function closeMachines(): Promise<void> {
  await Promise.all(opened.splice(0).map((cache) => cache.close().catch(() => undefined)));
}
