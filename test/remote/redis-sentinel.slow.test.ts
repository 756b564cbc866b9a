/** A server that sentinels watch, and the one that takes its place. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'redis';
import { afterAll, expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { redis } from '../../src/redis/index.js';
import { isOpen } from '../helper/redis-caches.js';
import { freePort, RedisServer, serverProgram, stopServers } from '../helper/redis-server.js';

const folder = mkdtempSync(join(tmpdir(), 'toolstash-sentinel-'));
let sentinel: ChildProcess | undefined;

afterAll(async () => {
  if (sentinel !== undefined) {
    const ended = once(sentinel, 'exit');
    sentinel.kill('SIGKILL');
    await ended;
  }
  await stopServers();
  rmSync(folder, { recursive: true, force: true });
});

it('follows the server that sentinels name, and trusts nothing that the other may not have', async () => {
  const main = await RedisServer.start();
  const other = await RedisServer.start({ args: ['--replicaof', '127.0.0.1', String(main.port)] });
  await expect.poll(() => other.command('INFO', 'replication')).toContain('master_link_status:up');
  const port = await freePort();
  const file = join(folder, 'sentinel.conf');
  const watched = `sentinel monitor tools 127.0.0.1 ${main.port} 1\nsentinel down-after-milliseconds tools 500\n`;
  writeFileSync(
    file,
    `port ${port}\nbind 127.0.0.1\ndir ${folder}\n${watched}sentinel failover-timeout tools 3000\n`,
  );
  sentinel = spawn(serverProgram(), [file, '--sentinel'], { stdio: 'ignore' });

  const nobody = { host: '127.0.0.1', port: await freePort() };
  const place = { name: 'tools', sentinelRootNodes: [nobody, { host: '127.0.0.1', port }] };
  const remote = redis({ sentinel: place, remoteTimeout: '2s', heartbeat: 200 });
  const [one, two] = [new CacheManager({ remote }), new CacheManager({ remote })];
  await expect.poll(isOpen(one), { timeout: 30_000 }).toBe(true);
  await expect.poll(isOpen(two), { timeout: 30_000 }).toBe(true);
  await one.set('search', 1, 'before');
  await one.flush();
  expect(await two.get('search', 1)).toBe('before');

  // Without a replica that it knows to be well it names nobody, and tries again after long.
  const asked = await createClient({ url: `redis://127.0.0.1:${port}` }).connect();
  const replicas = async () => JSON.stringify(await asked.sendCommand(['SENTINEL', 'REPLICAS', 'tools']));
  await expect.poll(replicas, { timeout: 60_000 }).toMatch(/"flags":"slave".*"master-link-status":"ok"/);
  asked.destroy();
  await main.stop();
  await expect.poll(() => other.command('INFO', 'replication'), { timeout: 60_000 }).toContain('role:master');
  await one.delete('search', 1);
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
  await expect.poll(isOpen(two), { timeout: 60_000 }).toBe(true);
  await expect.poll(() => two.get('search', 1), { timeout: 60_000 }).toBeUndefined();
  await two.set('search', 2, 'after');
  await two.flush();
  expect(await one.get('search', 2)).toBe('after');
  await Promise.all([one.close(), two.close()]);
});

it('says that no sentinel knows the server', async () => {
  const place = { name: 'tools', sentinelRootNodes: [{ host: '127.0.0.1', port: await freePort() }] };
  const cache = new CacheManager({ remote: redis({ sentinel: place }) });
  await expect(cache.open()).rejects.toThrow(/No sentinel knows the server of `tools`/);
  await cache.close();
});
