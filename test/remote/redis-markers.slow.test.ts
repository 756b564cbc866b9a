/** Markers of what was cleared: the oldest give way to a watermark, which counts for everything that is older. */

import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { redisScripts } from '../../src/remote/redis-scripts.js';
import { closeMachines, openMachine } from '../helper/redis-caches.js';
import { RedisServer, stopServers } from '../helper/redis-server.js';

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterEach(closeMachines);
afterAll(stopServers);

const keys = ['markers', 'state', 'log'].map((name) => `toolstash:{all}:${name}`);

/** Invalidates a tag where so many markers are kept. */
async function mark(tag: string, kept: number): Promise<void> {
  const epoch = (await server.command('HGET', keys[1]!, 'epoch')).split('\r\n')[1]!;
  const args = [epoch, 'toolstash:{all}:0:changes', '10000', '0', '0'.repeat(16), `t${tag}`, String(kept)];
  expect(await server.command('EVAL', redisScripts.mark.text, '3', ...keys, ...args)).toContain('marked');
}

it('a value that is older than the markers that are kept is not answered, a newer one is', async () => {
  const one = await openMachine(server);
  await one.set('search', 'old', 'old', { tags: ['a'] });
  await one.flush();
  for (const tag of ['a', 'b', 'c', 'd', 'e']) await mark(tag, 3);
  expect(await server.command('ZCARD', keys[0]!)).toBe(':3\r\n');
  const watermark = (await server.command('HGET', keys[1]!, 'watermark')).split('\r\n')[1]!;
  expect(watermark).toMatch(/^\d{16}$/);
  await one.set('search', 'new', 'new', { tags: ['a'] });
  await one.flush();
  // Neither has heard of the marker of `a` itself.
  const other = await openMachine(server);
  expect(await other.get('search', 'old')).toBeUndefined();
  expect(await other.get('search', 'new')).toBe('new');
  await expect.poll(() => one.get('search', 'old')).toBeUndefined();
});

it('of many markers beyond what is kept each step takes 1,000 at most', async () => {
  await openMachine(server);
  const members = Array.from({ length: 3_000 }, (_, at) => [String(at + 1), `tm${at}`]).flat();
  await server.command('ZADD', keys[0]!, ...members);
  const before = Number((await server.command('ZCARD', keys[0]!)).slice(1));
  await mark('more', 500);
  const after = Number((await server.command('ZCARD', keys[0]!)).slice(1));
  expect(before + 1 - after).toBe(1_000);
});

it('more changes on their way than may wait in an outage clear nothing', async () => {
  const one = await openMachine(server, {}, { queueLimit: 100, remoteTimeout: '60s' });
  const other = await openMachine(server);
  await one.set('burst', 'first', 'there');
  await one.flush();
  const all = Array.from({ length: 2_000 }, (_, at) => at);
  await Promise.all(all.map((at) => one.set('burst', at, `value ${at}`)));
  await one.flush();
  expect(await other.getMany('burst', all)).toEqual(all.map((at) => `value ${at}`));
  await Promise.all(all.map((at) => one.delete('burst', at)));
  await one.flush();
  await expect.poll(() => other.get('burst', 1_999)).toBeUndefined();
  expect(await other.get('burst', 'first')).toBe('there');
});

it('an awaited `set` is in Redis with `awaitWrites`', async () => {
  const cache = await openMachine(server, {}, { awaitWrites: true, remoteTimeout: '20s' });
  for (let at = 0; at < 50; at += 1) {
    await cache.set('awaited', at, 'there');
    const key = cache.key('awaited', at);
    expect(await server.command('EXISTS', `toolstash:{${key.slice(0, 2)}}:${key}`)).toBe(':1\r\n');
  }
});
