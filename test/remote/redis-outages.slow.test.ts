import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { type RedisOptions, redis } from '../../src/redis/index.js';
import { wait } from '../helper/child-process.js';
import { gate } from '../helper/gate.js';
import { closeMachines, isOpen, machineOf, openMachine } from '../helper/redis-caches.js';
import { RedisProxy } from '../helper/redis-proxy.js';
import { freePort, RedisServer, stopServers } from '../helper/redis-server.js';

afterEach(closeMachines);
afterAll(stopServers);

const short: RedisOptions = { remoteTimeout: 100, heartbeat: 100 };
const isFlushed = (cache: CacheManager) => () =>
  cache.flush().then(
    () => true,
    () => false,
  );
/** Within which a machine must be back, in ms. */
const back = { timeout: 15_000, interval: 50 };

/** How long 1,000 calls take at once, when each runs its tool. */
async function callMany(cache: CacheManager, from: number): Promise<void> {
  const calls = Array.from({ length: 1_000 }, (_, at) => cache.getOrSet('search', from + at, () => at));
  expect(await Promise.all(calls)).toEqual(Array.from({ length: 1_000 }, (_, at) => at));
}

/** The failures of a cache for which a call has waited. */
function lateOnes(cache: CacheManager): unknown[] {
  const late: unknown[] = [];
  cache.on('error', ({ error }) => {
    if (/did not answer within/.test(inspect(error))) late.push(error);
  });
  return late;
}

describe('while Redis', () => {
  it('refuses connections, calls go on to the tool, and it is used once it is there', async () => {
    const port = await freePort();
    const cache = new CacheManager({ remote: redis({ url: `redis://127.0.0.1:${port}`, ...short }) });
    await expect(cache.open()).rejects.toMatchObject({ code: 'ERR_STORAGE' });
    await callMany(cache, 0);
    expect(cache.stats()).toMatchObject({ loads: 1_000, misses: 1_000 });
    expect(cache.stats().cacheErrors).toBeGreaterThanOrEqual(1_000);
    const server = await RedisServer.start({ port });
    await expect.poll(isOpen(cache), back).toBe(true);
    await cache.getOrSet('search', 'later', () => 'stored');
    await cache.flush();
    const other = await openMachine(server);
    expect(await other.get('search', 'later')).toBe('stored');
    await cache.close();
  });

  it('is frozen, a call pays the deadline once, and it is used again when it goes on', async () => {
    const server = await RedisServer.start();
    const cache = await openMachine(server, {}, short);
    const other = await openMachine(server, {}, short);
    await cache.set('search', 'kept', 'kept');
    await cache.flush();
    const late = lateOnes(cache);
    server.pause();
    await callMany(cache, 0);
    const paid = late.length;
    expect(paid).toBeGreaterThan(0);
    for (let at = 0; at < 500; at += 1) await cache.getOrSet('search', `one ${at}`, () => at);
    await callMany(cache, 1_000);
    expect(late.length).toBe(paid);
    server.resume();
    await expect.poll(isOpen(cache), back).toBe(true);
    await expect.poll(() => other.get('search', 'kept'), back).toBe('kept');
    await expect
      .poll(async () => {
        await cache.set('search', 'after', 'after');
        return other.get('search', 'after');
      }, back)
      .toBe('after');
  });

  it('wants another password, says so without showing any', async () => {
    const server = await RedisServer.start({ args: ['--requirepass', 'p@ss/w:rd#?%'] });
    const errors: unknown[] = [];
    const cache = new CacheManager({
      remote: redis({ url: `redis://:geheim-1@127.0.0.1:${server.port}`, ...short }),
    });
    cache.on('error', ({ error }) => errors.push(error));
    await expect(cache.open()).rejects.toThrow(/Redis can't be reached: .*WRONGPASS/);
    expect(await cache.getOrSet('search', 1, () => 'loaded')).toBe('loaded');
    await callMany(cache, 2);
    expect(inspect(errors, { depth: 20, showHidden: true })).not.toContain('geheim-1');
    await cache.close().catch(() => undefined);
    for (const url of [
      `redis://:p@ss/w:rd#?%@127.0.0.1:${server.port}`,
      `redis://default:${encodeURIComponent('p@ss/w:rd#?%')}@127.0.0.1:${server.port}/0`,
    ]) {
      const right = new CacheManager({ remote: redis({ url, ...short, remoteTimeout: '2s' }) });
      await right.open();
      await right.set('search', 1, 'there');
      await right.flush();
      await right.close();
    }
  });

  it('is out of memory, results are not stored there, and deletions still are', async () => {
    const server = await RedisServer.start();
    const [one, other] = [await openMachine(server), await openMachine(server)];
    await one.set('search', 'old', 'old');
    await one.flush();
    expect(await other.get('search', 'old')).toBe('old');
    await server.command('CONFIG', 'SET', 'maxmemory', '1');
    expect(await one.getOrSet('search', 'new', () => 'loaded')).toBe('loaded');
    await callMany(one, 0);
    await one.delete('search', 'old');
    await one.flush();
    await expect.poll(() => other.peek('search', 'old'), back).toBeUndefined();
    await server.command('CONFIG', 'SET', 'maxmemory', '0');
    expect(await other.get('search', 'old')).toBeUndefined();
    expect(await other.get('search', 'new')).toBeUndefined();
  });

  it('refuses changes, `flush` says so, and they get through once it does not', async () => {
    const server = await RedisServer.start();
    const [one, other] = [await openMachine(server), await openMachine(server)];
    await one.set('search', 1, 'old');
    await one.flush();
    expect(await other.get('search', 1)).toBe('old');
    await server.command('CONFIG', 'SET', 'min-replicas-to-write', '1');
    await one.delete('search', 1);
    await expect(one.flush()).rejects.toThrow(/1 changes wait, as Redis refuses one: NOREPLICAS/);
    await server.command('CONFIG', 'SET', 'min-replicas-to-write', '0');
    await expect.poll(isFlushed(one), back).toBe(true);
    await expect.poll(() => other.get('search', 1), back).toBeUndefined();
  });

  it('has become a replica and keeps its connections, it is left until it takes changes again', async () => {
    const [server, next] = [await RedisServer.start(), await RedisServer.start()];
    const cache = await openMachine(server, {}, short);
    const follow = async (one: RedisServer, other: RedisServer) => {
      await one.command('REPLICAOF', '127.0.0.1', String(other.port));
      await expect.poll(() => one.command('INFO', 'replication'), back).toContain('master_link_status:up');
    };
    await follow(next, server);
    await next.command('REPLICAOF', 'NO', 'ONE');
    await follow(server, next);
    await cache.delete('search', 1);
    await expect.poll(() => cache.open().catch((error: Error) => error.message), back).toMatch(/READONLY/);
    expect(await cache.getOrSet('search', 1, () => 'loaded')).toBe('loaded');
    await server.command('REPLICAOF', 'NO', 'ONE');
    await expect.poll(isFlushed(cache), back).toBe(true);
  });

  it('evicts at will, what is there is right', async () => {
    const server = await RedisServer.start({
      args: ['--maxmemory', '10mb', '--maxmemory-policy', 'allkeys-lru'],
    });
    const [one, other] = [
      await openMachine(server, { maxSize: 10 }),
      await openMachine(server, { maxSize: 10 }),
    ];
    const versions = new Map<number, number>();
    for (let round = 0; round < 3; round += 1) {
      for (let at = 0; at < 1_200; at += 1) {
        versions.set(at, round);
        await one.set('search', at, `${round} ${randomBytes(8_000).toString('hex')}`);
      }
      await expect.poll(isFlushed(one), back).toBe(true);
      await expect.poll(isOpen(other), back).toBe(true);
      for (let at = 0; at < 1_200; at += 1) {
        const found = await other.get<string>('search', at);
        if (found !== undefined) expect(found.startsWith(`${versions.get(at)} `), `key ${at}`).toBe(true);
      }
    }
    expect(await server.command('INFO', 'stats')).not.toContain('evicted_keys:0\r\n');
  });

  it('is away for more changes than wait, they become one clearing of everything', async () => {
    const server = await RedisServer.start({ args: ['--save', '3600 1'] });
    const one = await openMachine(server, {}, { ...short, queueLimit: 100 });
    const other = await openMachine(server, {}, short);
    for (let at = 0; at < 150; at += 1) await one.set('search', at, 'old');
    await one.set('kept', 1, 'old');
    await one.flush();
    for (let at = 0; at < 150; at += 1) expect(await other.get('search', at)).toBe('old');
    await server.stop('SIGTERM');
    for (let at = 0; at < 150; at += 1) await one.delete('search', at);
    await server.start();
    await expect.poll(isFlushed(one), back).toBe(true);
    const marks = await server.command('ZRANGE', 'toolstash:{all}:markers', '0', '-1');
    expect(marks).toBe('*1\r\n$1\r\na\r\n');
    await expect.poll(isOpen(other), back).toBe(true);
    for (let at = 0; at < 150; at += 1) await expect.poll(() => other.get('search', at)).toBeUndefined();
    await expect.poll(() => other.get('kept', 1)).toBeUndefined();
  });

  it('is frozen for more changes than wait, they become one clearing of everything', async () => {
    const server = await RedisServer.start();
    const one = await openMachine(server, {}, { ...short, queueLimit: 100 });
    const other = await openMachine(server, {}, short);
    await one.set('search', 'kept', 'old');
    await one.flush();
    expect(await other.get('search', 'kept')).toBe('old');
    server.pause();
    await one.get('search', 'asked');
    expect(one.stats().remote?.isConnected).toBe(false);
    for (let at = 0; at < 150; at += 1) await one.delete('search', at);
    server.resume();
    await expect.poll(isFlushed(one), back).toBe(true);
    expect(await server.command('ZRANGE', 'toolstash:{all}:markers', '0', '-1')).toBe('*1\r\n$1\r\na\r\n');
    await expect.poll(() => other.get('search', 'kept'), back).toBeUndefined();
  });

  it('is still loading what it has kept, calls go on to the tool, and it is used once that is done', async () => {
    const server = await RedisServer.start({ args: ['--save', '3600 1'] });
    const cache = await openMachine(server, {}, short);
    await cache.set('search', 'kept', 'kept');
    await cache.flush();
    // Two seconds of loading.
    for (let at = 0; at < 40; at += 1)
      await server.command('SET', `filler-${at}`, randomBytes(500).toString('hex'));
    await server.stop('SIGTERM');
    await server.start({
      args: ['--key-load-delay', '50000', '--loading-process-events-interval-bytes', '1024'],
      isReady: (said) => said.includes('Server init'),
    });
    let isLoading = false;
    for (let at = 0; at < 20; at += 1) {
      expect(await cache.getOrSet('search', `during ${at}`, () => at)).toBe(at);
      isLoading ||= (await server.command('PING')).startsWith('-LOADING');
    }
    expect(isLoading).toBe(true);
    await expect.poll(isOpen(cache), back).toBe(true);
    await expect.poll(() => cache.get('search', 'kept'), back).toBe('kept');
  });

  it('is away, deletions wait, and reach the others before anything is read', async () => {
    const server = await RedisServer.start({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
    const [one, other] = [await openMachine(server, {}, short), await openMachine(server, {}, short)];
    for (let at = 0; at < 100; at += 1) await one.set('search', at, 'old', { tags: [`t${at}`] });
    await one.flush();
    for (let at = 0; at < 100; at += 1) expect(await other.get('search', at)).toBe('old');
    await server.stop();
    await expect
      .poll(
        () =>
          one
            .flush()
            .then(
              () => one.open(),
              () => false,
            )
            .then(
              () => true,
              () => false,
            ),
        back,
      )
      .toBe(false);
    for (let at = 0; at < 50; at += 1) await one.delete('search', at);
    await one.set('search', 50, 'while away');
    await one.invalidateTags(['t51']);
    await expect(one.flush()).rejects.toThrow(/wait until Redis can be reached/);
    await server.start();
    await expect.poll(isFlushed(one), back).toBe(true);
    await expect.poll(isOpen(other), back).toBe(true);
    for (let at = 0; at < 52; at += 1) await expect.poll(() => other.get('search', at), back).toBeUndefined();
    expect(await other.get('search', 60)).toBe('old');
    // What was set meanwhile was not kept back, so nobody goes on with it.
    expect(await one.get('search', 50)).toBeUndefined();
  });

  it('comes back while changes are made, each gets through', async () => {
    const server = await RedisServer.start();
    const proxy = await RedisProxy.before(server.port);
    const cache = new CacheManager({ remote: redis({ url: `redis://127.0.0.1:${proxy.port}`, ...short }) });
    await cache.open();
    const other = await openMachine(server);
    for (let at = 0; at < 200; at += 1) await other.set('search', at, 'old');
    await other.flush();
    // Each step of connecting takes a while, and so does sending what has waited.
    proxy.mode = 'slow';
    proxy.cut();
    await expect.poll(() => cache.stats().remote?.isConnected).toBe(false);
    let changed = 0;
    while (cache.stats().remote?.isConnected === false) {
      await cache.delete('search', changed % 200);
      changed += 1;
      await wait(3);
    }
    proxy.mode = 'open';
    expect(changed).toBeGreaterThan(40);
    await expect.poll(isFlushed(cache), back).toBe(true);
    for (let at = 0; at < Math.min(changed, 200); at += 1) {
      expect(await other.get('search', at), String(at)).toBeUndefined();
    }
    await cache.close();
    await proxy.close();
  });

  it('comes back with an older snapshot, nobody trusts what it holds', async () => {
    const server = await RedisServer.start();
    const [one, other] = [
      await openMachine(server, {}, short),
      await openMachine(server, { maxSize: 1 }, short),
    ];
    await one.set('search', 1, 'old');
    await one.flush();
    await server.command('SAVE');
    await one.set('search', 1, 'new');
    await one.delete('search', 2);
    await one.flush();
    expect(await other.get('search', 1)).toBe('new');
    await server.stop();
    await server.start();
    await expect.poll(isOpen(one), back).toBe(true);
    await expect.poll(isOpen(other), back).toBe(true);
    expect(await other.get('search', 1)).not.toBe('old');
    expect(await one.get('search', 1)).not.toBe('old');
  });

  it.each<[string, (cache: CacheManager) => Promise<unknown>]>([
    ['a deletion', (cache) => cache.delete('search', 1)],
    ['a value', (cache) => cache.set('search', 1, 'new')],
    ['a refresh', (cache) => cache.refresh('search', 1, () => 'new')],
    ['an invalidation', (cache) => cache.invalidateTags(['t'])],
  ])('comes back without %s that it had acknowledged, and told nobody of', async (_, change) => {
    const server = await RedisServer.start();
    const proxy = await RedisProxy.before(server.port);
    const cache = await openMachine(server, {}, { url: `redis://127.0.0.1:${proxy.port}`, heartbeat: '30s' });
    await cache.set('search', 1, 'old', { tags: ['t'] });
    await cache.flush();
    await server.command('SAVE');
    proxy.messageDelay = 20_000;
    await change(cache);
    await cache.flush();
    await server.stop();
    proxy.messageDelay = 0;
    await server.start();
    await expect.poll(isOpen(cache), back).toBe(true);
    expect(await cache.get('search', 1)).not.toBe('old');
    const other = await openMachine(server);
    expect(await other.get('search', 1)).not.toBe('old');
    await closeMachines();
    await proxy.close();
  });

  it('swallows everything, as behind a black hole, nobody answers beyond the bound', async () => {
    const server = await RedisServer.start();
    const proxy = await RedisProxy.before(server.port);
    const near = machineOf(server, {}, short);
    const url = `redis://127.0.0.1:${proxy.port}`;
    const far = new CacheManager({ remote: redis({ url, ...short }) });
    const lax = new CacheManager({ remote: redis({ url, ...short }), coherence: 'available' });
    await Promise.all([near.open(), far.open(), lax.open()]);
    await near.set('search', 1, 'old');
    await near.flush();
    for (const cache of [far, lax]) expect(await cache.get('search', 1)).toBe('old');
    proxy.mode = 'black hole';
    const slow = gate<string>();
    const early = [far, lax].map((cache) => cache.getOrSet('search', 'slow', () => slow.promise));
    // They have called the tool: whoever comes now joins them.
    await wait(250);
    early.push(far.getOrSet('search', 'slow', () => 'joined too late'));
    await near.set('search', 1, 'new');
    await near.flush();
    // The bound is 100 + 100 + 400 ms.
    await wait(650);
    expect(await far.getOrSet('search', 1, () => 'loaded')).toBe('loaded');
    expect(await lax.getOrSet('search', 1, () => 'loaded')).toBe('old');
    // A load that began longer ago may have read what others have changed since.
    expect(await far.getOrSet('search', 'slow', () => 'loaded')).toBe('loaded');
    early.push(lax.getOrSet('search', 'slow', () => 'loaded'));
    slow.open('early');
    expect(await Promise.all(early)).toEqual(['early', 'early', 'early', 'early']);
    expect(await far.get('search', 'slow')).toBe('loaded');
    expect(await lax.get('search', 'slow')).toBe('early');
    // Nor may what one came to be answered, though it was stored just now.
    const late = () => wait(700).then(() => 'read long ago');
    expect(await far.getOrSet('search', 3, late)).toBe('read long ago');
    expect(await far.getOrSet('search', 3, () => 'loaded')).toBe('loaded');
    proxy.mode = 'open';
    proxy.cut();
    for (const cache of [far, lax]) {
      await expect.poll(isOpen(cache), back).toBe(true);
      await expect.poll(() => cache.get('search', 1), back).toBe('new');
      await cache.close().catch(() => undefined);
    }
    await proxy.close();
  });
});

it('throws no remembered error beyond the bound, but where what is known counts, or it is known again', async () => {
  const server = await RedisServer.start();
  const proxy = await RedisProxy.before(server.port);
  const near = machineOf(server);
  const url = `redis://127.0.0.1:${proxy.port}`;
  const options = { remote: redis({ url, ...short }), cacheErrors: () => '1h' as const };
  const far = new CacheManager(options);
  const lax = new CacheManager({ ...options, coherence: 'available' });
  for (const cache of [near, far, lax]) await expect.poll(isOpen(cache), back).toBe(true);
  const failing = () => Promise.reject(new Error('there is none'));
  for (const cache of [far, lax]) {
    for (const key of [1, 2])
      await expect(cache.getOrSet('search', key, failing)).rejects.toThrow('there is none');
    expect(cache.stats().loadErrors).toBe(2);
  }
  proxy.mode = 'black hole';
  await near.set('search', 1, 'there it is');
  await near.flush();
  // The bound is 100 + 100 + 400 ms.
  await wait(650);
  expect(await far.getOrSet('search', 1, () => 'loaded')).toBe('loaded');
  await expect(lax.getOrSet('search', 1, () => 'loaded')).rejects.toThrow('there is none');
  proxy.mode = 'open';
  proxy.cut();
  for (const cache of [far, lax]) {
    await expect.poll(isOpen(cache), back).toBe(true);
    await expect.poll(() => cache.get('search', 1), back).toBe('there it is');
    await expect(cache.getOrSet('search', 2, () => 'loaded')).rejects.toThrow('there is none');
    await cache.close();
  }
  await proxy.close();
});

it('a deadline that only we have missed does not count against Redis', async () => {
  const server = await RedisServer.start();
  const [one, other] = [await openMachine(server), await openMachine(server, {}, { remoteTimeout: 100 })];
  const value = 'x'.repeat(100_000);
  for (let at = 0; at < 1_000; at += 1) await one.set('search', at, `${at}${value}`);
  await one.flush();
  let loads = 0;
  const load = () => {
    loads += 1;
    return 'tool';
  };
  await Promise.all(Array.from({ length: 1_000 }, (_, at) => other.getOrSet('search', at, load)));
  // Late ones went on to the tool, and are counted; the next is answered.
  expect(other.stats().remote?.isConnected).toBe(true);
  expect(other.stats().cacheErrors).toBeGreaterThanOrEqual(loads);
  const { cacheErrors } = other.stats();
  for (const key of ['nothing', 'nothing either']) expect(await other.get('search', key)).toBeUndefined();
  expect(other.stats().cacheErrors).toBe(cacheErrors);
});

it('an answer that came while we were busy counts, though its deadline is over', async () => {
  const server = await RedisServer.start();
  const [one, other] = [await openMachine(server), await openMachine(server, {}, { remoteTimeout: 100 })];
  for (let at = 0; at < 5; at += 1) await one.set('search', at, `value ${at}`);
  await one.flush();
  for (let at = 0; at < 5; at += 1) {
    const asked = other.get('search', at);
    // It is sent by then, and the timer set.
    await Promise.resolve().then(() => undefined);
    await new Promise((resolve) => void setImmediate(resolve));
    const until = performance.now() + 250;
    while (performance.now() < until);
    expect(await asked).toBe(`value ${at}`);
  }
  expect(other.stats().cacheErrors).toBe(0);
});
