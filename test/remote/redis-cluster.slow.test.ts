/** A cluster of three masters: what one machine changes another hears of, when slots move and when a node is gone too. */

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { CacheManager, type Clock, hashKey } from '../../src/index.js';
import { type RedisOptions, redis } from '../../src/redis/index.js';
import { isOpen } from '../helper/redis-caches.js';
import { RedisCluster } from '../helper/redis-cluster.js';
import { RedisProxy } from '../helper/redis-proxy.js';
import { freePort, RedisServer, stopServers } from '../helper/redis-server.js';

let cluster: RedisCluster;
beforeAll(async () => {
  cluster = await RedisCluster.start();
}, 120_000);
afterAll(stopServers);

const opened: CacheManager[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((cache) => cache.close().catch(() => undefined)));
});

async function machine(more: RedisOptions = {}): Promise<CacheManager> {
  const remote = redis({ cluster: cluster.options, remoteTimeout: '5s', heartbeat: 200, ...more });
  const cache = new CacheManager({ remote });
  opened.push(cache);
  await expect.poll(isOpen(cache), { timeout: 30_000 }).toBe(true);
  return cache;
}

const numbers = Array.from({ length: 30 }, (_, at) => at);
const isFlushed = (cache: CacheManager) => () =>
  cache.flush().then(
    () => true,
    () => false,
  );

it('shares values over all nodes, loads each key once, and tells the others of every change', async () => {
  const [one, other] = [await machine(), await machine()];
  let loads = 0;
  const load = async (cache: CacheManager, n: number) =>
    await cache.getOrSet('search', n, async () => {
      loads += 1;
      await new Promise((resolve) => setTimeout(resolve, 20));
      return { n, tags: 1 };
    });
  await Promise.all(numbers.flatMap((n) => [load(one, n), load(other, n)]));
  expect(loads).toBe(numbers.length);
  for (const node of cluster.nodes) expect(await node.command('DBSIZE')).not.toBe(':0\r\n');

  await one.set('book', 1, 'tagged', { tags: ['t'] });
  await one.flush();
  expect(await other.get('book', 1)).toBe('tagged');
  const asked = await other.getMany('search', [...numbers]);
  expect(asked).toEqual(numbers.map((n) => ({ n, tags: 1 })));
  for (const n of numbers.slice(0, 10)) await one.delete('search', n);
  for (const n of numbers.slice(10, 20)) await one.set('search', n, 'new');
  await one.invalidateTags(['t']);
  await one.flush();
  for (const n of numbers) {
    const right = n < 10 ? undefined : n < 20 ? 'new' : { n, tags: 1 };
    await expect.poll(() => other.get('search', n)).toEqual(right);
  }
  await expect.poll(() => other.get('book', 1)).toBeUndefined();
  await one.clear('search');
  await one.flush();
  for (const n of numbers) await expect.poll(() => other.get('search', n)).toBeUndefined();
  // What is loaded after a clearing counts, whichever server has stamped it.
  for (const n of numbers) await load(one, n);
  await one.flush();
  const before = loads;
  for (const n of numbers) await load(await lateMachine(), n);
  expect(loads).toBe(before);
});

it.each(['a table', 'a function'])('reaches nodes where %s says that they are', async (kind) => {
  const proxies = await Promise.all(cluster.nodes.map(({ port }) => RedisProxy.before(port)));
  const map = Object.fromEntries(
    cluster.nodes.map(({ port }, at) => [
      `127.0.0.1:${port}`,
      { host: 'localhost', port: proxies[at]!.port },
    ]),
  );
  const rootNodes = [{ url: `redis://127.0.0.1:${proxies[0]!.port}` }];
  const nodeAddressMap = kind === 'a table' ? map : (name: string) => map[name];
  const cache = await machine({
    cluster: { rootNodes, nodeAddressMap },
    prefix: 'mapped',
    remoteTimeout: 300,
  });
  for (const n of numbers) await cache.set('search', n, n);
  await expect.poll(isFlushed(cache)).toBe(true);
  expect(await (await machine({ prefix: 'mapped' })).getMany('search', numbers)).toEqual(numbers);
  for (const proxy of proxies) proxy.mode = 'black hole';
  await cache.get('search', 'asked');
  expect(cache.stats().remote?.isConnected).toBe(false);
  await cache.close().catch(() => undefined);
  for (const proxy of proxies) await proxy.close();
});

/** How often each command runs on all nodes while a task does, also in scripts. */
async function callsDuring(task: () => Promise<unknown>): Promise<Record<string, number>> {
  for (const node of cluster.nodes) await node.command('CONFIG', 'RESETSTAT');
  await task();
  const calls: Record<string, number> = {};
  for (const node of cluster.nodes) {
    const said = await node.command('INFO', 'commandstats');
    for (const [, name, count] of said.matchAll(/cmdstat_(\w+):calls=(\d+)/g))
      calls[name!] = (calls[name!] ?? 0) + Number(count);
  }
  return calls;
}

it('asks each server once for its run, and each part for its log only where that has gone on', async () => {
  const more = { prefix: 'counted', heartbeat: '1h' } as const;
  let one: CacheManager | undefined;
  const first = await callsDuring(async () => {
    one = await machine(more);
  });
  expect(first).toMatchObject({ info: 3, evalsha: 257 });

  const again = await callsDuring(async () => {
    const lost = new Promise((resolve) => void one!.on('error', resolve));
    await cluster.nodes[0]!.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await lost;
    await expect.poll(isOpen(one!), { timeout: 30_000 }).toBe(true);
  });
  // One of each script: whether the place that is known is still in the log.
  expect(again).toMatchObject({ info: 3, evalsha: 257, xrange: 257 });
});

it('keeps what is set and loaded right after a clearing', async () => {
  // What no server's clock has passed is far ahead of all of them then.
  const fast: Clock = { ...systemClock, elapsed: () => performance.now() * 20 };
  const place = { cluster: cluster.options, remoteTimeout: '5s', bound: '1h' } as const;
  const one = new CacheManager({ remote: redis({ ...place, prefix: 'after' }), clock: fast });
  opened.push(one);
  await one.open();
  const other = await machine({ prefix: 'after' });
  await one.clear();
  for (const n of numbers) await one.set('search', n, `set ${n}`);
  await one.invalidateTags(['t']);
  const load = (n: number) => one.getOrSet('search', `load ${n}`, () => `loaded ${n}`, { tags: ['t'] });
  for (const n of numbers) await load(n);
  await one.flush();
  expect(await other.getMany('search', numbers)).toEqual(numbers.map((n) => `set ${n}`));
  const loaded = await other.getMany(
    'search',
    numbers.map((n) => `load ${n}`),
  );
  expect(loaded).toEqual(numbers.map((n) => `loaded ${n}`));
});

it('brings nothing back that was set between two clearings', async () => {
  const [one, other] = [await machine({ prefix: 'between' }), await machine({ prefix: 'between' })];
  void one.clear('search');
  for (const n of numbers) void one.set('search', n, 'between');
  void one.clear('search');
  for (const n of numbers) void one.set('book', n, 'tagged', { tags: ['t'] });
  void one.invalidateTags(['t']);
  await one.flush();
  const nothing = numbers.map(() => undefined);
  for (const cache of [one, other])
    for (const method of ['search', 'book']) expect(await cache.getMany(method, numbers)).toEqual(nothing);
});

it('lets values through between clearings that never end', async () => {
  const [one, other] = [await machine({ prefix: 'steady' }), await machine({ prefix: 'steady' })];
  let isOver = false;
  const clearing = (async () => {
    for (let n = 0; !isOver; n += 1) {
      void one.invalidateTags([`t${n % 50}`]);
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  await one.set('search', 1, 'set');
  await expect.poll(() => other.get('search', 1)).toBe('set');
  isOver = true;
  await clearing;
});

let late: CacheManager | undefined;
async function lateMachine(): Promise<CacheManager> {
  late ??= await machine();
  return late;
}

it('goes on where a slot has moved, and misses no change on the way', async () => {
  const [one, other] = [await machine({ prefix: 'moving' }), await machine({ prefix: 'moving' })];
  const key = hashKey('search', 'moved');
  await one.set('search', 'moved', 'old');
  await one.flush();
  expect(await other.get('search', 'moved')).toBe('old');
  const { slot, from, to } = await cluster.ownerOf(`moving:{${key.slice(0, 2)}}:x`);
  await cluster.migrate(slot, from, to);
  await one.set('search', 'moved', 'new');
  await expect
    .poll(
      () =>
        one.flush().then(
          () => true,
          () => false,
        ),
      { timeout: 30_000 },
    )
    .toBe(true);
  // What was set to where the slot was no more has become a deletion.
  await expect.poll(() => other.get('search', 'moved'), { timeout: 30_000 }).toBeUndefined();
  await expect.poll(isOpen(other), { timeout: 30_000 }).toBe(true);
  await expect.poll(isOpen(one), { timeout: 30_000 }).toBe(true);
  await one.set('search', 'moved', 'new');
  await one.flush();
  await expect.poll(() => other.get('search', 'moved')).toBe('new');
});

it('takes a slot that has moved for none of a server that was started again', async () => {
  const cache = await machine({ prefix: 'whole' });
  const { slot, from, to } = await cluster.ownerOf('whole:{5a}:x');
  const lost = new Promise((resolve) => void cache.on('error', resolve));
  await cluster.migrate(slot, from, to);
  await lost;
  await expect.poll(isOpen(cache), { timeout: 30_000 }).toBe(true);
  const runOf = async (node: RedisServer) => /run_id:(\w+)/.exec(await node.command('INFO', 'server'))![1];
  const known = await to.command('HMGET', 'whole:{5a}:state', 'run', 'met');
  // Nobody waits for those who know better what it held.
  expect(known.split('\r\n').filter((line) => /^\w*$/.test(line))).toEqual([await runOf(to), '', '']);
});

describe('a slot that is half-way to another node', () => {
  /** Calls whose keys share a part. */
  const calls = Array.from({ length: 3_000 }, (_, n) => n)
    .filter((n) => hashKey('search', n).startsWith('5a'))
    .slice(0, 6);
  it.each([
    ['none of its keys', () => false],
    ['some values', (key: string) => /[0-7]$/.test(key)],
    ['all values', (key: string) => /[0-9a-f]{32}$/.test(key)],
    ['everything', () => true],
  ])('of which has moved: %s, is read, also by who comes only then', async (what, isMoved) => {
    const prefix = what.replaceAll(' ', '-');
    const one = await machine({ prefix });
    for (const n of calls) await one.set('search', n, `value ${n}`);
    await one.flush();
    const other = await machine({ prefix });
    const { slot, from, to } = await cluster.ownerOf(`${prefix}:{5a}:x`);
    const right = calls.map((n) => `value ${n}`);
    await cluster.migrate(
      slot,
      from,
      to,
      async () => {
        const late = await machine({ prefix });
        for (const n of calls.slice(0, 3)) expect(await other.get('search', n)).toBe(`value ${n}`);
        expect(await other.getMany('search', calls)).toEqual(right);
        expect(await late.getMany('search', [...calls, 'none'])).toEqual([...right, undefined]);
        expect(await late.get('search', 'none')).toBeUndefined();
        expect(other.stats().cacheErrors + late.stats().cacheErrors).toBe(0);
      },
      isMoved,
    );
  });

  it('is asked for no lease, and loses no change that is made then', async () => {
    const more = { prefix: 'changed', remoteTimeout: 500 };
    const [one, other] = [await machine(more), await machine(more)];
    const [deleted, set, loaded, cold] = calls as [number, number, number, number];
    for (const n of [deleted, set, loaded]) {
      await one.set('search', n, 'old');
      await one.flush();
      expect(await other.get('search', n)).toBe('old');
    }
    const { slot, from, to } = await cluster.ownerOf('changed:{5a}:x');
    await cluster.migrate(
      slot,
      from,
      to,
      async () => {
        await one.delete('search', deleted);
        await one.set('search', set, 'new');
        await one.delete('search', loaded);
        expect(await one.getOrSet('search', loaded, () => 'new')).toBe('new');
        expect(await one.getOrSet('search', cold, () => 'new')).toBe('new');
        expect(await one.get('search', set)).toBe('new');
        expect(await one.get('search', deleted)).toBeUndefined();
        expect(one.stats().cacheErrors).toBeGreaterThan(0);
      },
      (key) => /[0-7]$/.test(key),
    );
    await expect.poll(isFlushed(one), { timeout: 30_000 }).toBe(true);
    await expect.poll(isOpen(other), { timeout: 30_000 }).toBe(true);
    // What was set to where no script runs has become a deletion.
    for (const n of [deleted, set, loaded])
      await expect.poll(() => other.get('search', n), { timeout: 30_000 }).not.toBe('old');
    expect(await other.get('search', deleted)).toBeUndefined();
    expect(await (await machine(more)).getMany('search', calls.slice(0, 3))).not.toContain('old');
  });
});

it('trusts no node that does not serve its part any more, though it answers', async () => {
  const cache = await machine({ prefix: 'apart', remoteTimeout: 500 });
  for (const n of numbers) await cache.set('search', n, 'old');
  await cache.flush();
  const { slot, from } = await cluster.ownerOf('another');
  // As one that the others have lost sight of: it takes the cluster for down, while they may serve what was its.
  await from.command('CLUSTER', 'DELSLOTS', String(slot));
  const found = () => cache.getMany('search', numbers);
  await expect.poll(found).toEqual(numbers.map(() => undefined));
  await from.command('CLUSTER', 'ADDSLOTS', String(slot));
  await cluster.isWhole();
  await expect.poll(isOpen(cache), { timeout: 30_000 }).toBe(true);
  expect(await cache.getMany('search', numbers)).toEqual(numbers.map(() => 'old'));
});

it('answers from the tool while a node is gone, and agrees again once it is back', async () => {
  const short = { prefix: 'gone', remoteTimeout: 500 };
  const [one, other] = [await machine(short), await machine(short)];
  for (const n of numbers) await one.set('search', n, 'old');
  await one.flush();
  for (const n of numbers) expect(await other.get('search', n)).toBe('old');
  const [, node] = cluster.nodes;
  await node!.stop();
  for (const n of numbers) {
    await one.delete('search', n);
    expect(await one.getOrSet('search', n, () => `loaded ${n}`)).toBe(`loaded ${n}`);
  }
  await node!.start();
  await cluster.isWhole();
  await expect
    .poll(
      () =>
        one.flush().then(
          () => true,
          () => false,
        ),
      { timeout: 60_000 },
    )
    .toBe(true);
  await expect.poll(isOpen(other), { timeout: 60_000 }).toBe(true);
  for (const n of numbers) {
    await expect.poll(() => other.getOrSet('search', n, () => `again ${n}`)).not.toBe('old');
  }
});

it('goes by what another node says where the one that is named first has lost sight of all others', async () => {
  const args = ['--cluster-enabled', 'yes', '--cluster-port', String(await freePort())];
  const lost = await RedisServer.start({ args });
  await lost.command('CLUSTER', 'ADDSLOTSRANGE', '0', '5460');
  const rootNodes = [{ url: lost.url }, ...cluster.options.rootNodes];
  const cache = await machine({ prefix: 'lost', cluster: { rootNodes } });
  for (const n of numbers) await cache.set('search', n, n);
  await cache.flush();
  expect(await (await machine({ prefix: 'lost' })).getMany('search', numbers)).toEqual(numbers);
});
