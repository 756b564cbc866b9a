/** Folders of entries that were away while others changed what they hold. */

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import type { RedisOptions } from '../../src/redis/index.js';
import { wait } from '../helper/child-process.js';
import { closeMachines, isOpen, machineOf, openMachine } from '../helper/redis-caches.js';
import { RedisProxy } from '../helper/redis-proxy.js';
import { RedisServer, stopServers } from '../helper/redis-server.js';

let persistDir: string;
let server: RedisServer;
beforeEach(async () => {
  persistDir = mkdtempSync(join(tmpdir(), 'toolstash-away-'));
  server = await RedisServer.start();
});
afterEach(async () => {
  await closeMachines();
  await server.remove();
  rmSync(persistDir, { recursive: true, force: true });
});
afterAll(stopServers);

const withDisk = (more: RedisOptions = {}) =>
  openMachine(server, { persist: true, persistDir, maxSize: 1 }, more);
const isFlushed = (cache: CacheManager) => () =>
  cache.flush().then(
    () => true,
    () => false,
  );

describe('a folder that was away', () => {
  it.each([
    ['whose log is whole', 200, 10_000],
    ['whose log was trimmed', 2_000, 100],
  ])('%s, answers nothing that was changed meanwhile', async (_, count, logLength) => {
    const away = await withDisk({ logLength });
    const other = await openMachine(server, {}, { logLength });
    for (let at = 0; at < count; at += 1) await away.set('search', at, `old ${at}`, { tags: [`t${at}`] });
    await away.flush();
    await away.close();
    const kept = Math.floor(count * 0.9);
    for (let at = 0; at < kept; at += 1) {
      if (at % 3 === 0) await other.set('search', at, `new ${at}`);
      else if (at % 100 === 1) await other.invalidateTags([`t${at}`]);
      else await other.delete('search', at);
    }
    await other.flush();
    const back = await withDisk({ logLength });
    const wrong: unknown[] = [];
    for (let at = 0; at < count; at += 1) {
      const found = await back.get('search', at);
      const right = at >= kept ? `old ${at}` : at % 3 === 0 ? `new ${at}` : undefined;
      if (found !== right) wrong.push([at, found, right]);
    }
    expect(wrong).toEqual([]);
    expect(back.stats().cacheErrors).toBe(0);
  });

  it('answers from disk without Redis what was not changed', async () => {
    const away = await withDisk();
    await away.set('search', 1, 'old');
    await away.flush();
    await away.close();
    const back = await withDisk();
    await server.command('CONFIG', 'RESETSTAT');
    expect(await back.get('search', 1)).toBe('old');
    expect(await server.command('INFO', 'commandstats')).not.toMatch(/cmdstat_m?get:/);
  });

  it('keeps what a process of it sets and renews, and what another machine has set once that was read', async () => {
    const farDir = mkdtempSync(join(tmpdir(), 'toolstash-far-'));
    const shared = { persist: true, persistDir, mode: 'multi', syncInterval: 50 } as const;
    const [one, other] = [await openMachine(server, shared), await openMachine(server, shared)];
    const far = await openMachine(server, { persist: true, persistDir: farDir });
    const numbers = Array.from({ length: 10 }, (_, n) => n);
    for (const round of ['old', 'new']) {
      await other.set('search', 'mark', round);
      await other.flush();
      for (const n of numbers) {
        await one.set('search', n, `${round} ${n}`);
        await one.refresh('renewed', n, () => `${round} ${n}`);
      }
      await one.flush();
      // What was told before is heard before.
      await one.delete('search', 'mark');
      await expect.poll(() => other.peek('search', 'mark')).toBeUndefined();
      for (const method of ['search', 'renewed']) {
        const right = numbers.map((n) => `${round} ${n}`);
        await expect.poll(() => far.getMany(method, numbers)).toEqual(right);
      }
    }
    await closeMachines();
    for (const folder of [persistDir, farDir]) {
      const alone = new CacheManager({ persist: true, persistDir: folder });
      for (const method of ['search', 'renewed'])
        expect(await alone.getMany(method, numbers), folder).toEqual(numbers.map((n) => `new ${n}`));
      await alone.close();
    }
    rmSync(farDir, { recursive: true, force: true });
  });

  it('answers nothing from before an epoch that it has missed', async () => {
    const away = await withDisk();
    await away.set('search', 1, 'old');
    await away.flush();
    await away.close();
    await server.command('FLUSHALL');
    expect(await (await withDisk()).get('search', 1)).toBeUndefined();
  });

  it('confirms what lay there when an epoch began, also in the next process', async () => {
    const proxy = await RedisProxy.before(server.port);
    const far = { url: `redis://127.0.0.1:${proxy.port}`, remoteTimeout: 100 };
    const first = await withDisk(far);
    await first.set('search', 1, 'old');
    await first.flush();
    const other = await openMachine(server);
    proxy.mode = 'black hole';
    await server.command('FLUSHALL');
    await other.set('search', 1, 'new');
    await expect.poll(isFlushed(other), { timeout: 10_000 }).toBe(true);
    for (const key of [1, 2]) await other.set('search', key, 'new');
    await other.flush();
    proxy.mode = 'open';
    proxy.cut();
    await expect.poll(() => first.get('search', 2), { timeout: 10_000 }).toBe('new');
    await first.close();
    expect(await (await withDisk(far)).get('search', 1)).toBe('new');
    await closeMachines();
    await proxy.close();
  });

  // They have 2.5 s, in which a busy machine may not get through this.
  const again = { retry: 3 };

  it('trusts no Redis that is back before others had the time to tell what it has lost', again, async () => {
    const soon = { remoteTimeout: 100 };
    const proxy = await RedisProxy.before(server.port);
    const other = await openMachine(server, {}, { ...soon, url: `redis://127.0.0.1:${proxy.port}` });
    const first = await withDisk(soon);
    for (const key of [1, 2]) await other.set('search', key, 'old');
    await other.flush();
    expect(await first.get('search', 1)).toBe('old');
    await first.close();
    await server.command('SAVE');
    for (const key of [1, 2]) await other.set('search', key, 'new');
    await other.flush();
    proxy.mode = 'black hole';
    await server.stop();
    // Beyond the bound.
    await wait(800);
    await server.start();
    const back = machineOf(server, { persist: true, persistDir, maxSize: 1 }, soon);
    // It is the first that connects, on disk lies the one value, and in Redis are both.
    const opened = back.open();
    for (const key of [1, 2]) expect(await back.get('search', key)).toBeUndefined();
    await wait(300);
    for (const key of [1, 2]) expect(await back.get('search', key)).toBeUndefined();
    proxy.mode = 'open';
    proxy.cut();
    await opened;
    for (const key of [1, 2]) expect(await back.get('search', key)).toBeUndefined();
    await closeMachines();
    await proxy.close();
  });

  it('trusts a Redis that has come back and lost nothing', async () => {
    const first = await withDisk();
    await first.set('search', 1, 'old');
    await first.flush();
    await server.command('SAVE');
    await server.stop();
    await server.start();
    await expect.poll(isOpen(first), { timeout: 10_000 }).toBe(true);
    expect(await (await openMachine(server)).get('search', 1)).toBe('old');
  });

  it('tells of a Redis that has come back without what a process of it had changed last', async () => {
    const proxy = await RedisProxy.before(server.port);
    const more = { url: `redis://127.0.0.1:${proxy.port}` };
    const away = await withDisk({ ...more, heartbeat: '30s' });
    await away.set('search', 1, 'old');
    await away.flush();
    await server.command('SAVE');
    // It ends before it hears of its own change what others do.
    proxy.messageDelay = 20_000;
    await away.set('search', 1, 'new');
    await away.close();
    await server.stop();
    proxy.messageDelay = 0;
    await server.start();
    const back = machineOf(server, { persist: true, persistDir, maxSize: 1 }, more);
    await expect.poll(isOpen(back)).toBe(true);
    expect(await (await openMachine(server)).get('search', 1)).not.toBe('old');
    await closeMachines();
    await proxy.close();
  });

  it('confirms each entry of a folder that never knew this Redis', async () => {
    const alone = machineOf(server, { persist: true, persistDir, maxSize: 1 }, { prefix: 'another' });
    await alone.open();
    await alone.set('search', 1, 'old');
    await alone.flush();
    await alone.close();
    expect(await (await withDisk()).get('search', 1)).toBeUndefined();
  });

  it('sends what an earlier process could not, before it reads', async () => {
    const other = await openMachine(server, {}, { heartbeat: 100, remoteTimeout: 100 });
    const first = await withDisk({ heartbeat: 100, remoteTimeout: 100 });
    await first.set('search', 1, 'old');
    await first.flush();
    expect(await other.get('search', 1)).toBe('old');
    await server.command('SAVE');
    await server.stop();
    await expect.poll(isFlushed(first), { timeout: 10_000 }).toBe(true);
    await expect
      .poll(
        () =>
          first.open().then(
            () => true,
            () => false,
          ),
        { timeout: 10_000 },
      )
      .toBe(false);
    await first.delete('search', 1);
    await first.close();
    expect(readdirSync(join(persistDir, '.remote')).join()).toContain('.outbox');
    await server.start();
    await expect
      .poll(
        () =>
          other.open().then(
            () => true,
            () => false,
          ),
        { timeout: 10_000 },
      )
      .toBe(true);
    await withDisk();
    await expect.poll(() => other.get('search', 1), { timeout: 10_000 }).toBeUndefined();
    expect(readdirSync(join(persistDir, '.remote')).join()).not.toContain('.outbox');
  });
});
