/** Folders of entries that were away while others changed in a cluster what they hold. */

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { CacheManager, type CacheOptions, hashKey } from '../../src/index.js';
import { redis } from '../../src/redis/index.js';
import { isOpen } from '../helper/redis-caches.js';
import { RedisCluster } from '../helper/redis-cluster.js';
import { stopServers } from '../helper/redis-server.js';

let cluster: RedisCluster;
let persistDir: string;
beforeAll(async () => {
  cluster = await RedisCluster.start();
}, 120_000);
afterAll(stopServers);

const opened: CacheManager[] = [];
beforeEach(() => {
  persistDir = mkdtempSync(join(tmpdir(), 'toolstash-away-'));
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((cache) => cache.close().catch(() => undefined)));
  rmSync(persistDir, { recursive: true, force: true });
});

async function machine(prefix: string, options: CacheOptions = {}): Promise<CacheManager> {
  const remote = redis({ cluster: cluster.options, remoteTimeout: '5s', logLength: 100, prefix });
  const cache = new CacheManager({ remote, ...options });
  opened.push(cache);
  await expect.poll(isOpen(cache), { timeout: 30_000 }).toBe(true);
  return cache;
}

const withDisk = (prefix: string) => machine(prefix, { persist: true, persistDir, maxSize: 1 });

/** How often all nodes were asked for values since `resetCounts`. */
async function reads(): Promise<number> {
  let all = 0;
  for (const node of cluster.nodes) {
    const said = await node.command('INFO', 'commandstats');
    for (const [, calls] of said.matchAll(/cmdstat_m?get:calls=(\d+)/g)) all += Number(calls);
  }
  return all;
}
async function resetCounts(): Promise<void> {
  for (const node of cluster.nodes) await node.command('CONFIG', 'RESETSTAT');
}

const numbers = Array.from({ length: 300 }, (_, n) => n);

/** Stores values, and lets the folder rest. */
async function filled(prefix: string): Promise<void> {
  const away = await withDisk(prefix);
  for (const n of numbers) await away.set('search', n, `old ${n}`, { tags: [`t${n}`] });
  await away.flush();
  await away.close();
}

it('applies what was changed meanwhile, and confirms nothing else', async () => {
  await filled('changed');
  const other = await machine('changed');
  const change = async (n: number) => {
    if (n % 4 === 0) await other.set('search', n, `new ${n}`);
    else if (n % 4 === 1) await other.delete('search', n);
    else if (n % 40 === 2) await other.invalidateTags([`t${n}`]);
  };
  for (const n of numbers.slice(0, 200)) await change(n);
  await other.flush();
  const back = await withDisk('changed');
  await resetCounts();
  const kept = numbers.filter((n) => n >= 200 || (n % 4 !== 0 && n % 4 !== 1 && n % 40 !== 2));
  for (const n of kept) expect(await back.get('search', n)).toBe(`old ${n}`);
  expect(await reads()).toBe(0);
  for (const n of numbers.filter((each) => !kept.includes(each)))
    expect(await back.get('search', n), `${n}`).toBe(n % 4 === 0 ? `new ${n}` : undefined);
  expect(back.stats().cacheErrors).toBe(0);
});

it.each<[string, (other: CacheManager) => Promise<unknown>]>([
  [
    'the log of a part was trimmed',
    async (other) => {
      const part = hashKey('search', 7).slice(0, 2);
      const [n = 0] = Array.from({ length: 9_000 }, (_, at) => 1_000 + at).filter((at) =>
        hashKey('search', at).startsWith(part),
      );
      for (let time = 0; time < 500; time += 1) {
        await other.set('search', n, time);
        if (time % 100 === 0) await other.flush();
      }
    },
  ],
  ['a node was emptied', async () => await cluster.nodes[1]!.command('FLUSHALL')],
  [
    'it is not clear how far a process had come',
    async () => {
      const folder = join(persistDir, '.remote');
      const [name] = readdirSync(folder).filter((each) => each.endsWith('.cursor'));
      writeFileSync(join(folder, name!), '{');
    },
  ],
])('confirms what lies there where %s', async (what, lose) => {
  const prefix = what.replaceAll(' ', '-');
  await filled(prefix);
  const other = await machine(prefix);
  for (const n of numbers.slice(0, 20)) await other.delete('search', n);
  await other.flush();
  await lose(other);
  await other.flush();
  const back = await withDisk(prefix);
  await resetCounts();
  for (const n of numbers.slice(0, 20)) expect(await back.get('search', n), `${n}`).toBeUndefined();
  const kept = await back.getMany('search', numbers.slice(20));
  expect(kept.filter((value) => value !== undefined).length).toBeGreaterThan(100);
  expect(await reads()).toBeGreaterThan(0);
  // The next process is to know it too.
  await back.close();
  expect(await (await withDisk(prefix)).getMany('search', numbers.slice(0, 20))).not.toContain('old 7');
});
