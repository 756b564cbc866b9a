/** Machines whose clocks differ by seconds. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CacheManager, type Clock } from '../../src/index.js';
import { wait } from '../helper/child-process.js';
import { gate as makeGate } from '../helper/gate.js';
import { closeMachines, isOpen, machineOf, openMachine } from '../helper/redis-caches.js';
import { RedisProxy } from '../helper/redis-proxy.js';
import { RedisServer, stopServers } from '../helper/redis-server.js';

afterEach(closeMachines);
afterAll(stopServers);

/** A clock that is off by so many ms. */
const off = (ms: number): Clock => settable({ ms });
/** @param by what it is off by, and what has elapsed beyond the time that did, in ms */
const settable = (by: { ms: number; gained?: number }): Clock => ({
  now: () => Date.now() + by.ms,
  elapsed: () => performance.now() + (by.gained ?? 0),
  schedule: (callback, delay) => {
    const timer = setTimeout(callback, delay).unref();
    return { cancel: () => clearTimeout(timer) };
  },
});

it('goes by the clock of the server, whatever those of machines say', async () => {
  const server = await RedisServer.start();
  const [ahead, behind] = [
    await openMachine(server, { clock: off(10_000) }),
    await openMachine(server, { clock: off(-10_000) }),
  ];
  for (const [one, other] of [
    [ahead, behind],
    [behind, ahead],
  ] as const) {
    for (const change of ['set', 'delete', 'tag', 'clear', 'load'] as const) {
      await one.set('search', change, 'old', { tags: ['t'] });
      await one.flush();
      expect(await other.get('search', change), change).toBe('old');
      if (change === 'set') await other.set('search', change, 'new');
      else if (change === 'tag') await other.invalidateTags(['t']);
      else if (change === 'clear') await other.clear('search');
      else await other.delete('search', change);
      await other.flush();
      const right = change === 'set' ? 'new' : change === 'load' ? 'loaded' : undefined;
      if (change === 'load') expect(await other.getOrSet('search', change, () => 'loaded')).toBe('loaded');
      await expect.poll(() => one.get('search', change)).toBe(right);
      expect(await other.get('search', change), change).toBe(right);
      await one.clear('search');
      await one.flush();
    }
  }
});

it('answers from disk nothing beyond the bound that came from a machine whose clock is ahead', async () => {
  const persistDir = mkdtempSync(join(tmpdir(), 'toolstash-clocks-'));
  const server = await RedisServer.start();
  const proxy = await RedisProxy.before(server.port);
  const short = { heartbeat: 100, remoteTimeout: 100 };
  const ahead = await openMachine(server, { clock: off(10_000) }, short);
  const url = `redis://127.0.0.1:${proxy.port}`;
  const far = machineOf(server, { persist: true, persistDir }, { ...short, url });
  await expect
    .poll(() =>
      far.open().then(
        () => true,
        () => false,
      ),
    )
    .toBe(true);
  await ahead.set('search', 1, 'old');
  await ahead.flush();
  await expect.poll(() => far.get('search', 1)).toBe('old');
  proxy.mode = 'black hole';
  await ahead.set('search', 1, 'new');
  await expect
    .poll(() =>
      ahead.flush().then(
        () => true,
        () => false,
      ),
    )
    .toBe(true);
  // The bound is 100 + 100 + 400 ms.
  await wait(650);
  expect(await far.get('search', 1)).toBeUndefined();
  await closeMachines();
  await proxy.close();
  rmSync(persistDir, { recursive: true, force: true });
});

describe('a machine whose clock was ahead before it was connected', () => {
  const short = { heartbeat: 100, remoteTimeout: 500 };
  const ahead = { clock: off(10_000) };
  let server: RedisServer;
  beforeEach(async () => {
    server = await RedisServer.start();
  });
  afterEach(async () => {
    await closeMachines();
    await server.remove();
  });

  it('lets go of what it has loaded at once as another deletes it', async () => {
    const near = await openMachine(server);
    const fast = machineOf(server, ahead, short);
    await fast.set('search', 'stamped', 'by its own clock');
    await fast.open();
    const search = fast.wrapSync((_: number) => 'old', { name: 'search' });
    // Each is stamped, and only the last are deleted.
    for (let n = 0; n < 100; n += 1) search(n);
    expect(fast.peek('search', [90])).toBe('old');
    for (let n = 90; n < 100; n += 1) await near.delete('search', [n]);
    await near.flush();
    for (let n = 90; n < 100; n += 1) await expect.poll(() => fast.peek('search', [n])).toBeUndefined();
  });

  it('leaves the others in agreement on what Redis has evicted', async () => {
    const fast = machineOf(server, ahead, short);
    // The server's stamps are ahead from here on.
    await fast.set('search', 'stamped', 'by its own clock');
    await fast.open();
    await fast.flush();
    const machines = [await openMachine(server), await openMachine(server)];
    for (const [at, one] of machines.entries()) {
      const other = machines[1 - at]!;
      await one.getOrSet('search', at, () => 'old');
      await one.flush();
      const key = one.key('search', at);
      expect(await server.command('DEL', `toolstash:{${key.slice(0, 2)}}:${key}`)).toBe(':1\r\n');
      await other.delete('search', at);
      await other.flush();
      await expect.poll(() => one.get('search', at)).toBeUndefined();
    }
  });

  it('keeps nothing of a load that began then, and of a folder nothing unconfirmed', async () => {
    const persistDir = mkdtempSync(join(tmpdir(), 'toolstash-clocks-'));
    const disk = { persist: true, persistDir, maxSize: 1 };
    const near = await openMachine(server);
    const proxy = await RedisProxy.before(server.port);
    const far = { ...short, url: `redis://127.0.0.1:${proxy.port}` };
    const first = await openMachine(server, disk, far);
    await first.set('search', 'first', 'known');
    await first.close();
    // Without Redis, so that its next process goes on where the first has left off.
    const alone = new CacheManager({ ...disk, ...ahead });
    await alone.set('search', 'alone', 'old');
    await alone.close();
    proxy.mode = 'black hole';
    const fast = machineOf(server, { ...disk, ...ahead }, far);
    const [begun, gate] = [makeGate(), makeGate()];
    const load = fast.getOrSet('search', 'loaded', async () => {
      begun.open();
      await gate.promise;
      return 'old';
    });
    await begun.promise;
    proxy.mode = 'open';
    proxy.cut();
    await expect
      .poll(() =>
        fast.open().then(
          () => true,
          () => false,
        ),
      )
      .toBe(true);
    gate.open();
    expect(await load).toBe('old');
    for (const key of ['loaded', 'alone']) await near.delete('search', key);
    await near.flush();
    for (const key of ['loaded', 'alone']) await expect.poll(() => fast.get('search', key)).toBeUndefined();
    await closeMachines();
    await proxy.close();
    rmSync(persistDir, { recursive: true, force: true });
  });
});

describe('a machine whose clock is set while it runs', () => {
  const short = { heartbeat: 100, remoteTimeout: 500 };

  it('lets go of what it has loaded at once as another deletes it', async () => {
    const server = await RedisServer.start();
    const near = await openMachine(server);
    const by = { ms: 0 };
    const far = await openMachine(server, { clock: settable(by) }, short);
    const search = far.wrapSync((_: number) => 'old', { name: 'search' });
    by.ms = 60_000;
    search(1);
    // Until it has heard from Redis again it may have been asleep.
    await expect.poll(() => far.peek('search', [1])).toBe('old');
    await near.delete('search', [1]);
    await near.flush();
    await expect.poll(() => far.peek('search', [1])).toBeUndefined();
  });

  it.each([true, false])(
    'stores what it loads at once after a clearing, connected: %s',
    async (isConnected) => {
      const server = await RedisServer.start();
      const by = { ms: 0 };
      const clock = settable(by);
      const far = isConnected
        ? await openMachine(server, { clock }, short)
        : machineOf(server, { clock }, { url: 'redis://127.0.0.1:1' });
      const search = far.wrapSync((_: number) => 'new', { name: 'search' });
      search(1);
      await far.clear('search');
      if (isConnected) await far.flush();
      by.ms = -3_600_000;
      search(1);
      expect(far.peek('search', [1])).toBe('new');
    },
  );
});

describe('a machine by which more or less time elapses than by Redis', () => {
  const short = { heartbeat: 100, remoteTimeout: 500 };
  /** Resolves once a heartbeat has begun and ended since as much was gained. */
  const measured = (far: CacheManager, gained: number) =>
    expect.poll(() => far.stats().remote!.contactAgeMs).toBeLessThan(gained / 2);

  it('lets go of what it has loaded before and after it is measured, as another deletes it', async () => {
    const server = await RedisServer.start();
    const near = await openMachine(server);
    const by = { ms: 0, gained: 0 };
    const far = await openMachine(server, { clock: settable(by) }, short);
    const search = far.wrapSync((_: number) => 'old', { name: 'search' });
    by.gained = 60_000;
    search(1);
    await measured(far, by.gained);
    search(2);
    expect(far.peek('search', [2])).toBe('old');
    for (const n of [1, 2]) await near.delete('search', [n]);
    await near.flush();
    for (const n of [1, 2]) await expect.poll(() => far.peek('search', [n])).toBeUndefined();
  });

  it('keeps nothing of a load that was under way as it was measured', async () => {
    const server = await RedisServer.start();
    const near = await openMachine(server);
    const by = { ms: 0, gained: 0 };
    const far = await openMachine(server, { clock: settable(by) }, short);
    // What is not ours stays, and is loaded without a lease.
    const key = far.key('search', 1);
    await server.command('LPUSH', `toolstash:{${key.slice(0, 2)}}:${key}`, 'foreign');
    by.gained = 60_000;
    const [begun, gate] = [makeGate(), makeGate()];
    const load = far.getOrSet('search', 1, async () => {
      begun.open();
      await gate.promise;
      return 'old';
    });
    await begun.promise;
    await measured(far, by.gained);
    gate.open();
    expect(await load).toBe('old');
    await near.delete('search', 1);
    await near.flush();
    await expect.poll(() => far.peek('search', 1)).toBeUndefined();
  });

  it('stores what it loads at once after a clearing, though it stood still', async () => {
    const server = await RedisServer.start();
    const near = await openMachine(server);
    // As much less has elapsed when it is gone.
    const by = { ms: 0, gained: 60_000 };
    const far = await openMachine(server, { clock: settable(by) }, short);
    by.gained = 0;
    await expect.poll(() => far.stats().remote!.contactAgeMs).toBeGreaterThan(0);
    const search = far.wrapSync((_: number) => 'new', { name: 'search' });
    search(1);
    expect(far.peek('search', [1])).toBe('new');
    await near.clear('search');
    await near.flush();
    await expect.poll(() => far.peek('search', [1])).toBeUndefined();
    const storedAnew = () => {
      search(1);
      return far.peek('search', [1]);
    };
    await expect.poll(storedAnew).toBe('new');
  });

  it('answers nothing beyond the bound when it wakes up', async () => {
    const server = await RedisServer.start();
    const proxy = await RedisProxy.before(server.port);
    const near = await openMachine(server);
    const by = { ms: 0 };
    // Which of its own time is never over.
    const far = { heartbeat: '1m', remoteTimeout: 500, url: `redis://127.0.0.1:${proxy.port}` } as const;
    const cache = await openMachine(server, { clock: settable(by) }, far);
    await near.set('search', 1, 'old');
    await near.flush();
    expect(await cache.get('search', 1)).toBe('old');
    proxy.mode = 'black hole';
    await near.set('search', 1, 'new');
    await near.flush();
    expect(await cache.get('search', 1)).toBe('old');
    by.ms = 3_600_000;
    expect(await cache.get('search', 1)).toBeUndefined();
    expect(cache.peek('search', 1)).toBeUndefined();
    await closeMachines();
    await proxy.close();
  });
});

it('uses a Redis again whose clock was set back after it had been started again', async () => {
  const server = await RedisServer.start();
  await openMachine(server);
  // When it was met in this run, by the clock as it was then.
  const met = String((Date.now() + 3_600_000) * 1_000);
  await server.command('HSET', 'toolstash:{all}:state', 'met', met);
  const cache = machineOf(server);
  await expect.poll(isOpen(cache)).toBe(true);
});

it('answers nothing from disk beyond the bound by a clock that was set back to when it was loaded', async () => {
  const server = await RedisServer.start();
  const proxy = await RedisProxy.before(server.port);
  const folder = mkdtempSync(join(tmpdir(), 'toolstash-set-back-'));
  const by = { ms: 0 };
  const far = await openMachine(
    server,
    { clock: settable(by), persist: true, persistDir: folder, maxSize: 1 },
    { heartbeat: 100, remoteTimeout: 500, url: `redis://127.0.0.1:${proxy.port}` },
  );
  const near = await openMachine(server);
  await far.getOrSet('search', 1, () => 'old');
  const loadedAt = Date.now();
  await far.flush();
  proxy.mode = 'black hole';
  await near.set('search', 1, 'new');
  await near.flush();
  // Takes the place in memory.
  await far.getOrSet('search', 2, () => 'other');
  // The bound is 100 + 500 + 400 ms.
  await wait(1_300);
  expect(await far.get('search', 1)).toBeUndefined();
  by.ms = loadedAt - Date.now();
  expect(await far.get('search', 1)).toBeUndefined();
  proxy.mode = 'open';
  await closeMachines();
  await proxy.close();
  rmSync(folder, { recursive: true, force: true });
});
