import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { CacheManager } from '../../src/index.js';
import { gate as makeGate } from '../helper/gate.js';
import { closeMachines, machineOf, openMachine } from '../helper/redis-caches.js';
import { RedisProxy } from '../helper/redis-proxy.js';
import { RedisServer, stopServers } from '../helper/redis-server.js';

/** A load whose tool has begun, and ends when the gate is opened. */
async function beginLoad(cache: CacheManager) {
  const [begun, gate] = [makeGate(), makeGate()];
  const late = cache.getOrSet('search', 1, async () => {
    begun.open();
    await gate.promise;
    return 'late';
  });
  await begun.promise;
  return { late, gate };
}

describe('a cache on Redis', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterEach(async () => {
    await closeMachines();
    await server.command('FLUSHALL');
  });
  afterAll(stopServers);

  const keyOf = (cache: CacheManager, params: unknown) => {
    const key = cache.key('search', params);
    return `toolstash:{${key.slice(0, 2)}}:${key}`;
  };

  it('finds what another machine has loaded, whatever it is', async () => {
    const [one, other] = [await openMachine(server), await openMachine(server)];
    const values = [undefined, null, 'text', { list: [1, new Date(5)] }, 10n ** 30n, 'x'.repeat(100_000)];
    for (const [at, value] of values.entries()) await one.getOrSet('search', at, () => value);
    await one.flush();
    const found = await Promise.all(
      values.map((_, at) => other.getOrSet('search', at, () => Promise.reject(new Error('loaded again')))),
    );
    expect(found).toEqual(values);
    expect(other.stats()).toMatchObject({ hits: values.length, loads: 0, cacheErrors: 0 });
  });

  it('lets values end with their ttl, and with `maxTtl` at the latest', async () => {
    const cache = await openMachine(server, {}, { maxTtl: '1h' });
    await cache.set('search', 1, 'value', { ttl: '10m', staleIfError: '5m' });
    await cache.set('search', 2, 'value');
    await cache.flush();
    const left = async (params: number) =>
      Number((await server.command('PTTL', keyOf(cache, params))).slice(1));
    expect(await left(1)).toBeGreaterThan(14 * 60_000);
    expect(await left(1)).toBeLessThanOrEqual(15 * 60_000);
    expect(await left(2)).toBeGreaterThan(59 * 60_000);
    expect(await left(2)).toBeLessThanOrEqual(60 * 60_000);
  });

  it.each([
    ['a damaged value', (key: string) => server.command('SETRANGE', key, '70', '???')],
    ['a damaged stamp', (key: string) => server.command('SETRANGE', key, '30', 'z')],
    ['a damaged epoch is another epoch', (key: string) => server.command('SETRANGE', key, '2', 'zz')],
    ['a value of a newer release', (key: string) => server.command('SETRANGE', key, '0', '\x02')],
    ['a value cut short', (key: string) => server.command('SET', key, '\x01abc')],
    [
      'a list',
      async (key: string) => {
        await server.command('DEL', key);
        return server.command('RPUSH', key, 'x');
      },
    ],
  ])('%s is an error and not an answer', async (what, damage) => {
    const [one, other] = [await openMachine(server), await openMachine(server)];
    await one.set('search', 1, 'a value that is long enough to be damaged');
    await one.flush();
    await damage(keyOf(one, 1));
    expect(await other.getOrSet('search', 1, () => 'loaded')).toBe('loaded');
    expect(other.stats().cacheErrors).toBe(what.includes('epoch') ? 0 : 1);
    expect(other.stats().misses).toBe(1);
    await other.flush();
    // A newer release's value, and what is somebody else's, is left alone; what is damaged is replaced.
    const isLeft = /newer|list/.test(what);
    expect(await (await openMachine(server)).get('search', 1).catch(() => 'error')).toBe(
      isLeft ? undefined : 'loaded',
    );
  });

  it.each(['T0123', `T1${'0'.repeat(16)}1`, `T${'x'.repeat(100)}`])(
    'waits for no token that nobody holds: %s',
    async (text) => {
      const cache = await openMachine(server, {}, { waitTimeout: '60s' });
      await server.command('SET', keyOf(cache, 1), text);
      expect(await cache.getOrSet('search', 1, () => 'loaded')).toBe('loaded');
      // It is another's, and stays.
      expect(await server.command('GET', keyOf(cache, 1))).toContain(text);
    },
  );

  it('waits for the first connection for a moment, so that first calls find what is there', async () => {
    const one = await openMachine(server);
    await one.set('search', 1, 'there');
    await one.flush();
    const other = machineOf(server, {}, { remoteTimeout: '20s' });
    expect(await other.getOrSet('search', 1, () => 'loaded')).toBe('there');
    expect(other.stats()).toMatchObject({ hits: 1, cacheErrors: 0 });
  });

  it('keeps connections that a server ends when idle', async () => {
    await server.command('CONFIG', 'SET', 'timeout', '1');
    const cache = await openMachine(server, {}, { heartbeat: 50 });
    const errors: unknown[] = [];
    cache.on('error', ({ error }) => errors.push(error));
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    await server.command('CONFIG', 'SET', 'timeout', '0');
    expect(await cache.getOrSet('search', 1, () => 'loaded')).toBe('loaded');
    expect(errors).toEqual([]);
  });

  it('notices single bits that have changed', async () => {
    const one = await openMachine(server);
    await one.set('search', 1, { some: 'value' });
    await one.flush();
    const key = keyOf(one, 1);
    const length = Number((await server.command('STRLEN', key)).slice(1));
    const other = await openMachine(server, { maxSize: 1 });
    for (let bit = 0; bit < 8 * length; bit += 7) {
      const old = (await server.command('GETBIT', key, String(bit))).startsWith(':1') ? '1' : '0';
      await server.command('SETBIT', key, String(bit), old === '1' ? '0' : '1');
      const found = await other.lookup('search', 1);
      expect(found.outcome, `bit ${bit}`).not.toBe('hit');
      await server.command('SETBIT', key, String(bit), old);
    }
    expect(await other.get('search', 1)).toEqual({ some: 'value' });
  });

  it('stores nothing that was loaded before the key was evicted', async () => {
    const [one, other] = [await openMachine(server), await openMachine(server)];
    const { late, gate } = await beginLoad(one);
    await server.command('DEL', keyOf(one, 1));
    gate.open();
    expect(await late).toBe('late');
    await one.flush();
    expect(await other.get('search', 1)).toBeUndefined();
  });

  it('stores nothing that was loaded over a connection that was lost', async () => {
    const [one, other] = [await openMachine(server), await openMachine(server)];
    const { late, gate } = await beginLoad(one);
    await server.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await expect
      .poll(() =>
        one.open().then(
          () => true,
          () => false,
        ),
      )
      .toBe(true);
    gate.open();
    await late;
    await one.flush();
    expect(await other.get('search', 1)).toBeUndefined();
  });

  it('holds a load for as long as it lasts', async () => {
    const [one, other] = [await openMachine(server, {}, { leaseTtl: 1_500 }), await openMachine(server)];
    const gate = makeGate();
    const long = one.getOrSet('search', 1, () => gate.promise.then(() => 'long'));
    await expect.poll(() => server.command('EXISTS', keyOf(one, 1))).toBe(':1\r\n');
    await new Promise((resolve) => setTimeout(resolve, 3_200));
    let loads = 0;
    const waiting = other.getOrSet('search', 1, () => {
      loads += 1;
      return 'again';
    });
    gate.open();
    expect(await long).toBe('long');
    expect(await waiting).toBe('long');
    expect(loads).toBe(0);
  });

  it('does not wait for the lease of a load of its own that was overtaken, and that waits for it', async () => {
    const [one, other] = [await openMachine(server, {}, { waitTimeout: 500 }), await openMachine(server)];
    const first = one.getOrSet('search', 1, () => 'first');
    await one.delete('search', 1);
    const second = one.getOrSet('search', 1, () => 'second');
    expect(await Promise.all([first, second])).toEqual(['second', 'second']);
    await one.flush();
    // After a wait in vain it would have loaded it for itself alone.
    expect(await other.get('search', 1)).toBe('second');
  });

  it('shares what a refresh has loaded, though an earlier call that it has overtaken comes to its lease later', async () => {
    const [one, other] = [await openMachine(server), await openMachine(server)];
    const early = one.getOrSet('search', 1, () => 'early');
    const renewed = one.refresh('search', 1, async () => {
      // Over the same connection: whatever the earlier call asks for is answered before.
      for (const param of ['a', 'b', 'c']) await one.get('another', param);
      return 'renewed';
    });
    expect(await Promise.all([early, renewed])).toEqual(['renewed', 'renewed']);
    await one.flush();
    expect(await other.get('search', 1)).toBe('renewed');
  });

  it('loads for itself when another takes too long', async () => {
    const [one, other] = [await openMachine(server), await openMachine(server, {}, { waitTimeout: 100 })];
    const gate = makeGate();
    const long = one.getOrSet('search', 1, () => gate.promise.then(() => 'long'));
    await expect.poll(() => server.command('EXISTS', keyOf(one, 1))).toBe(':1\r\n');
    expect(await other.getOrSet('search', 1, () => 'own')).toBe('own');
    gate.open();
    await long;
  });

  it('hears at once of changes that came while its messages were cut off', async () => {
    const [one, other] = [await openMachine(server), await openMachine(server)];
    for (let at = 0; at < 50; at += 1) {
      await one.set('search', at, 'old', { tags: ['t'] });
      await one.flush();
      expect(await other.get('search', at)).toBe('old');
    }
    await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    for (let at = 0; at < 25; at += 1) await one.delete('search', at);
    await one.invalidateTags(['t']);
    await expect
      .poll(() =>
        one.flush().then(
          () => true,
          () => false,
        ),
      )
      .toBe(true);
    await expect
      .poll(() =>
        other.open().then(
          () => true,
          () => false,
        ),
      )
      .toBe(true);
    for (let at = 0; at < 50; at += 1) expect(await other.get('search', at), `key ${at}`).toBeUndefined();
  });

  it('brings nothing back by `expire` that others have deleted, cleared, invalidated or replaced since', async () => {
    const proxy = await RedisProxy.before(server.port);
    const short = { heartbeat: 500, remoteTimeout: '5s' } as const;
    const stale = { ttl: '1h', staleWhileRevalidate: '1h' } as const;
    const [first, near] = [await openMachine(server, stale), await openMachine(server, stale, short)];
    const url = `redis://127.0.0.1:${proxy.port}`;
    const far = await openMachine(server, stale, { ...short, url });
    const changes = [
      ['search', 'delete'],
      ['other', 'clear'],
      ['search', 'invalidate'],
      ['search', 'set'],
      ['search', 'none'],
    ] as const;
    for (const [method, change] of changes) {
      await first.set(method, change, 'old', { tags: [change] });
      await first.flush();
      expect(await far.get(method, change)).toBe('old');
    }
    await server.command('CONFIG', 'RESETSTAT');
    proxy.mode = 'late replies';
    const expiring = changes.map(([method, change]) => far.expire(method, change));
    // It has read the old values, and does not know yet.
    await expect.poll(() => server.command('INFO', 'commandstats')).toMatch(/cmdstat_m?get:/);
    await near.delete('search', 'delete');
    await near.clear('other');
    await near.invalidateTags(['invalidate']);
    await near.set('search', 'set', 'new');
    await near.flush();
    expect(await Promise.all(expiring)).toEqual([true, true, true, true, true]);
    proxy.mode = 'open';
    await far.flush();
    for (const cache of [near, far]) {
      const outcomes = async () => {
        const found = await Promise.all(changes.map(([method, change]) => cache.lookup(method, change)));
        return found.map((each) => ('value' in each ? `${each.outcome}: ${each.value}` : each.outcome));
      };
      await expect.poll(outcomes).toEqual(['miss', 'miss', 'miss', 'miss', 'stale: old']);
    }
    await closeMachines();
    await proxy.close();
  });

  it('tells of a change that was made before it was connected, though it is closed at once', async () => {
    const other = await openMachine(server);
    await other.set('search', 1, 'old');
    await other.flush();
    const short = machineOf(server);
    await short.set('search', 1, 'new');
    await expect(short.close()).resolves.toBeUndefined();
    await expect.poll(() => other.get('search', 1)).toBe(undefined);
  });

  it('leaves out what bounds, caches or ends the connections of a given client', async () => {
    const options = {
      url: server.url,
      commandsQueueMaxLength: 1,
      clientSideCache: { ttl: 0, maxEntries: 0, evictPolicy: 'LRU' },
      commandOptions: { timeout: 1, typeMapping: { 58: String } },
      socket: { socketTimeout: 100 },
    };
    const cache = await openMachine(server, {}, {
      url: undefined,
      client: { options },
      heartbeat: 500,
    } as object);
    const items = Array.from({ length: 500 }, (_, at): [number, number] => [at, at]);
    await cache.setMany('search', items);
    await cache.flush();
    await new Promise((resolve) => setTimeout(resolve, 400));
    const other = await openMachine(server);
    expect(await other.get('search', 499)).toBe(499);
    expect(cache.stats().cacheErrors).toBe(0);
  });

  it('works for a user who may not ask for INFO', async () => {
    await server.command('ACL', 'SETUSER', 'app', 'on', '>pass', '~*', '&*', '+@all', '-@dangerous');
    const user = { url: `redis://app:pass@127.0.0.1:${server.port}` };
    const [one, other] = [await openMachine(server, {}, user), await openMachine(server, {}, user)];
    await one.getOrSet('search', 1, () => 'loaded');
    await one.flush();
    expect(await other.getOrSet('search', 1, () => 'again')).toBe('loaded');
    await other.delete('search', 1);
    await other.flush();
    await expect.poll(() => one.get('search', 1)).toBe(undefined);
  });

  it('gives back what it is loading when it is closed', async () => {
    const lease = { leaseTtl: '60s', waitTimeout: '60s' } as const;
    const [one, other] = [await openMachine(server, {}, lease), await openMachine(server, {}, lease)];
    const gate = makeGate();
    let isBegun = false;
    const load = one.getOrSet('search', 1, async () => {
      isBegun = true;
      await gate.promise;
      return 'one';
    });
    await expect.poll(() => isBegun).toBe(true);
    await one.close();
    expect(await other.getOrSet('search', 1, () => 'other')).toBe('other');
    gate.open();
    expect(await load).toBe('one');
  });

  it('begins anew after FLUSHALL', async () => {
    const [one, other] = [await openMachine(server), await openMachine(server)];
    await one.set('search', 1, 'old');
    await one.flush();
    await server.command('FLUSHALL');
    expect(await other.getOrSet('search', 1, () => 'new')).toBe('new');
    await expect
      .poll(() =>
        other.open().then(
          () => true,
          () => false,
        ),
      )
      .toBe(true);
    await other.set('search', 2, 'set');
    await expect
      .poll(() =>
        other.flush().then(
          () => true,
          () => false,
        ),
      )
      .toBe(true);
    await expect.poll(() => one.get('search', 2)).toBe('set');
  });

  it('reads many keys of one tick with few commands', async () => {
    const [one, other] = [await openMachine(server), await openMachine(server)];
    const params = Array.from({ length: 100 }, (_, at) => at);
    await one.setMany(
      'search',
      params.map((at) => [at, `value ${at}`]),
    );
    await one.flush();
    await server.command('CONFIG', 'RESETSTAT');
    expect(await other.getMany('search', params)).toEqual(params.map((at) => `value ${at}`));
    const stats = await server.command('INFO', 'commandstats');
    expect(stats).toContain('cmdstat_mget:calls=1,');
    expect(stats).not.toContain('cmdstat_get:');
  });
});
