/** What a client sends, counted by MONITOR; clocks that are apart; TLS. */

import { connect } from 'node:net';
import { afterAll, afterEach, expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { redis } from '../../src/redis/index.js';
import { closeMachines, openMachine } from '../helper/redis-caches.js';
import { freePort, RedisServer, stopServers } from '../helper/redis-server.js';
import { RedisCertificate } from '../helper/redis-tls.js';

afterEach(closeMachines);
afterAll(stopServers);

/** The commands that clients send while a task runs, without those of scripts. */
async function commandsDuring(server: RedisServer, task: () => Promise<unknown>): Promise<string[]> {
  const socket = connect(server.port, '127.0.0.1');
  let said = '';
  socket.on('data', (bytes) => {
    said += String(bytes);
  });
  socket.write('MONITOR\r\n');
  await expect.poll(() => said).toContain('+OK');
  await task();
  await server.command('ECHO', 'that-was-all');
  await expect.poll(() => said).toContain('that-was-all');
  socket.destroy();
  const lines = said.split('\r\n').filter((line) => / \[\d+ (?!lua)/.test(line));
  return lines.map((line) => /"([A-Za-z]+)"/.exec(line)?.[1] ?? '').filter((name) => name !== 'ECHO');
}

it('sends 1 command for a hit, 3 for a miss, none for a hit in memory', async () => {
  const server = await RedisServer.start();
  const slow = { heartbeat: '30s' } as const;
  const [one, other] = [await openMachine(server, {}, slow), await openMachine(server, {}, slow)];
  const miss = await commandsDuring(server, async () => {
    await one.getOrSet('search', 1, () => 'value');
    await one.flush();
  });
  expect(miss).toEqual(['GET', 'EVALSHA', 'EVALSHA']);
  expect(await commandsDuring(server, () => other.getOrSet('search', 1, () => 'again'))).toEqual(['GET']);
  const inMemory = async () => {
    for (let at = 0; at < 100; at += 1) await other.getOrSet('search', 1, () => 'again');
  };
  expect(await commandsDuring(server, inMemory)).toEqual([]);
});

it('asks for many values by one command', async () => {
  const server = await RedisServer.start();
  const slow = { heartbeat: '30s' } as const;
  const [one, other] = [await openMachine(server, {}, slow), await openMachine(server, {}, slow)];
  const numbers = Array.from({ length: 100 }, (_, n) => n);
  await one.setMany(
    'search',
    numbers.map((n) => [n, `value ${n}`]),
  );
  await one.flush();
  const damaged = other.method('search').key(5);
  await server.command('SETRANGE', `toolstash:{${damaged.slice(0, 2)}}:${damaged}`, '66', '???');
  let found: unknown[] = [];
  const sent = await commandsDuring(server, async () => {
    found = await other.getMany('search', [...numbers, 'none']);
  });
  expect(sent).toEqual(['MGET']);
  expect(found).toEqual([...numbers.map((n) => (n === 5 ? undefined : `value ${n}`)), undefined]);
  expect(other.stats()).toMatchObject({ hits: 99, misses: 1, cacheErrors: 1 });
});

it('sends nothing but a sign of life when idle', async () => {
  const server = await RedisServer.start();
  await openMachine(server, {}, { heartbeat: 100 });
  const idle = await commandsDuring(server, () => new Promise((resolve) => setTimeout(resolve, 450)));
  expect(new Set(idle)).toEqual(new Set(['EVALSHA']));
  expect(idle.length).toBeLessThanOrEqual(5);
});

it('connects over TLS with a password', async () => {
  const certificate = new RedisCertificate();
  const port = await freePort();
  await RedisServer.start({ args: [...certificate.argsFor(port), '--requirepass', 'pass word'] });
  const { ca } = certificate;
  const remote = redis({
    url: `rediss://:pass word@localhost:${port}`,
    clientOptions: { socket: { ca } },
    remoteTimeout: '5s',
  });
  const [one, other] = [new CacheManager({ remote }), new CacheManager({ remote })];
  await one.open();
  await one.set('search', 1, 'over TLS');
  await one.flush();
  await other.open();
  expect(await other.get('search', 1)).toBe('over TLS');
  await Promise.all([one.close(), other.close()]);
  certificate.remove();
});
