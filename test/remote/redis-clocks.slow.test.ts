/** Machines whose clocks differ by seconds. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, it } from 'vitest';
import type { Clock } from '../../src/index.js';
import { wait } from '../helper/child-process.js';
import { closeMachines, machineOf, openMachine } from '../helper/redis-caches.js';
import { RedisProxy } from '../helper/redis-proxy.js';
import { RedisServer, stopServers } from '../helper/redis-server.js';

afterEach(closeMachines);
afterAll(stopServers);

/** A clock that is off by so many ms. */
const off = (ms: number): Clock => ({
  now: () => Date.now() + ms,
  elapsed: () => performance.now(),
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
