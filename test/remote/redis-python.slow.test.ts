/** A real Python, with its own client and msgpack, reads what lies in Redis. */

import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, expect, it } from 'vitest';
import { runPython } from '../helper/python.js';
import { closeMachines, openMachine } from '../helper/redis-caches.js';
import { RedisServer, stopServers } from '../helper/redis-server.js';

const script = fileURLToPath(new URL('../../examples/python/redis_read.py', import.meta.url));
const modules = ['redis', 'msgpack'];

afterEach(closeMachines);
afterAll(stopServers);

it('Python reads values, small and compressed, and tells what is damaged or gone', async () => {
  const server = await RedisServer.start();
  const cache = await openMachine(server, {}, { prefix: 'py' });
  const value = { text: 'é ☃ 😀', list: [1, -2.5, null, true], big: 2 ** 40 };
  await cache.set('search', { q: 'a' }, value, { tags: ['t'] });
  await cache.getOrSet('search', { q: 'b' }, () => 'x'.repeat(20_000));
  await cache.flush();
  const read = (params: object) =>
    JSON.parse(runPython([script, server.url, 'py', 'search', JSON.stringify(params)], { modules }));
  const found = read({ q: 'a' }) as { result: unknown; metadata: Record<string, unknown> };
  expect(found.result).toEqual(value);
  expect(found.metadata).toMatchObject({ method: 'search', tags: ['t'], expires_at: null });
  expect(found.metadata['created_at']).toBeGreaterThan(Date.now() - 60_000);
  expect(read({ q: 'b' })).toMatchObject({ result: 'x'.repeat(20_000) });
  expect(() => read({ q: 'c' })).toThrow(/there is no value of search/);
  const key = cache.key('search', { q: 'a' });
  await server.command('SETRANGE', `py:{${key.slice(0, 2)}}:${key}`, '70', '?');
  expect(() => read({ q: 'a' })).toThrow(/fails its checksum/);
});
