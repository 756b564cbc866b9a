/** Servers that take each other's place while machines keep their connections. */

import { afterAll, afterEach, expect, it } from 'vitest';
import { closeMachines, isOpen, openMachine } from '../helper/redis-caches.js';
import { RedisProxy } from '../helper/redis-proxy.js';
import { RedisServer, stopServers } from '../helper/redis-server.js';

afterEach(closeMachines);
afterAll(stopServers);

const follow = async (one: RedisServer, other: RedisServer) => {
  await one.command('REPLICAOF', '127.0.0.1', String(other.port));
  await expect.poll(() => one.command('INFO', 'replication')).toContain('master_link_status:up');
};

it('leaves a server that has become a replica, also where all that is asked for is there', async () => {
  const [server, next] = [await RedisServer.start(), await RedisServer.start()];
  const far = await openMachine(server, { maxSize: 1 });
  for (const n of [1, 2]) await far.set('search', n, 'old');
  await far.flush();
  await follow(next, server);
  await next.command('REPLICAOF', 'NO', 'ONE');
  // Nobody is there from whom it would hear of what is changed.
  await server.command('REPLICAOF', '127.0.0.1', '1');
  const near = await openMachine(next);
  await near.clear('search');
  await near.flush();
  await expect.poll(() => far.getMany('search', [1, 2])).toEqual([undefined, undefined]);
  await expect.poll(() => far.open().catch((error: Error) => error.message)).toMatch(/READONLY/);
  // It is no use to come again, either.
  expect(await far.getMany('search', [1, 2])).toEqual([undefined, undefined]);
});

it('trusts nothing of a server that was given what lacks a change it had acknowledged, though its log was trimmed', async () => {
  const more = { logLength: 100, heartbeat: '30s' } as const;
  const [server, before] = [await RedisServer.start(), await RedisServer.start()];
  const proxy = await RedisProxy.before(server.port);
  const far = await openMachine(server, {}, { ...more, url: `redis://127.0.0.1:${proxy.port}` });
  await far.set('search', 1, 'old');
  await far.flush();
  // From now on it hears nothing of what is changed.
  proxy.messageDelay = 60_000;
  const near = await openMachine(server, {}, more);
  for (let n = 0; n < 1_000; n += 1) await near.set('other', n, n);
  await near.close();
  await follow(before, server);
  await before.command('REPLICAOF', 'NO', 'ONE');
  await far.delete('search', 1);
  await far.flush();
  await follow(server, before);
  await server.command('REPLICAOF', 'NO', 'ONE');
  proxy.messageDelay = 0;
  const lost = new Promise((resolve) => void far.on('error', resolve));
  proxy.cut();
  await lost;
  await expect.poll(isOpen(far)).toBe(true);
  expect(await far.get('search', 1)).toBeUndefined();
  await closeMachines();
  await proxy.close();
});

it('trusts nothing of a server that was given what another had before', async () => {
  const [server, before] = [await RedisServer.start(), await RedisServer.start()];
  const [one, other] = [await openMachine(server), await openMachine(server)];
  for (const n of [1, 2]) await one.set('search', n, 'old');
  await one.flush();
  await follow(before, server);
  await before.command('REPLICAOF', 'NO', 'ONE');
  await other.delete('search', 1);
  await other.set('search', 2, 'new');
  await other.flush();
  await expect.poll(() => one.getMany('search', [1, 2])).toEqual([undefined, 'new']);
  await follow(server, before);
  await server.command('REPLICAOF', 'NO', 'ONE');
  for (const cache of [one, other]) {
    // It has found out when what it held does not count any more.
    await expect.poll(() => cache.getMany('search', [1, 2])).toEqual([undefined, undefined]);
    await expect.poll(isOpen(cache)).toBe(true);
    expect(await cache.getMany('search', [1, 2])).toEqual([undefined, undefined]);
  }
});
