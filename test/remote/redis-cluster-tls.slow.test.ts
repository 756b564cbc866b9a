/** A cluster that lets nobody in but with a password, by TLS. */

import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { type RedisOptions, redis } from '../../src/redis/index.js';
import { isOpen } from '../helper/redis-caches.js';
import { RedisCluster } from '../helper/redis-cluster.js';
import { stopServers } from '../helper/redis-server.js';
import { RedisCertificate } from '../helper/redis-tls.js';

const secret = 'a b,c/d@e#?%';
let certificate: RedisCertificate;
let cluster: RedisCluster;
beforeAll(async () => {
  certificate = new RedisCertificate();
  cluster = await RedisCluster.start({ certificate });
  await cluster.closeAllButTls(secret);
}, 120_000);

const opened: CacheManager[] = [];
afterEach(async () => {
  delete process.env['REDIS_URL'];
  await Promise.all(opened.splice(0).map((cache) => cache.close().catch(() => undefined)));
});
afterAll(async () => {
  await stopServers();
  certificate.remove();
});

const numbers = Array.from({ length: 30 }, (_, at) => at);
const urls = (password = secret) => cluster.tlsPorts.map((port) => `rediss://:${password}@localhost:${port}`);
const ca = () => ({ socket: { ca: certificate.ca } });

async function machine(place: RedisOptions): Promise<CacheManager> {
  const cache = new CacheManager({ remote: redis({ remoteTimeout: '5s', ...place }) });
  opened.push(cache);
  await expect.poll(isOpen(cache), { timeout: 30_000 }).toBe(true);
  return cache;
}

it.each<[string, () => RedisOptions]>([
  [
    'the nodes of `cluster`, whose defaults say all',
    () => ({
      cluster: {
        rootNodes: cluster.tlsPorts.map((port) => ({ socket: { host: '127.0.0.1', port } })),
        defaults: { password: secret, socket: { tls: true, ca: certificate.ca } },
      },
    }),
  ],
  [
    'the URL of one node, as which the others are',
    () => ({ cluster: { rootNodes: [{ url: urls()[2]! }] }, clientOptions: ca() }),
  ],
  ['`url`', () => ({ url: urls().join(','), clientOptions: ca() })],
  [
    'REDIS_URL',
    () => {
      process.env['REDIS_URL'] = urls().join(', ');
      return { clientOptions: ca() };
    },
  ],
])('is connected to by %s', async (_, place) => {
  const [one, other] = [await machine(place()), await machine(place())];
  // On a busy machine a first attempt to connect may take too long.
  const errors = () => other.stats().cacheErrors + one.stats().cacheErrors;
  const before = errors();
  await one.clear();
  for (const n of numbers) await one.set('search', n, `value ${n}`);
  await one.flush();
  expect(await other.getMany('search', numbers)).toEqual(numbers.map((n) => `value ${n}`));
  for (const n of numbers) await one.delete('search', n);
  await one.flush();
  for (const n of numbers) await expect.poll(() => other.get('search', n)).toBeUndefined();
  expect(errors()).toBe(before);
});

it.each([
  ['a wrong password', () => ({ url: urls(`wrong ${secret}`).join(','), clientOptions: ca() })],
  ['a certificate that is not trusted', () => ({ url: urls().join(',') })],
])('shows no password in an error about %s, and calls go on to the tool', async (_, place) => {
  const cache = new CacheManager({ remote: redis({ ...place(), remoteTimeout: 200 }) });
  opened.push(cache);
  const told: unknown[] = [];
  cache.on('error', (event) => told.push(event));
  const failure: unknown = await cache.open().then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(Error);
  expect(await cache.getOrSet('search', 1, () => 'from the tool')).toBe('from the tool');
  const said = inspect([failure, told, cache.stats()], { depth: 12, showHidden: true });
  expect(told.length).toBeGreaterThan(0);
  expect(said).not.toContain(secret);
  expect(said).not.toContain(encodeURIComponent(secret));
});
