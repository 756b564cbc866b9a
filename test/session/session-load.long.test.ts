/**
 * What sessions cost Redis: counted for 1,000 of them on 4 processes, and simulated for a million on 200 nodes
 * (`TOOLSTASH_SESSIONS=1000000`, which takes some GB; 20,000 by default), of which only the sessions' size grows with their number.
 */

import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createClient } from 'redis';
import { afterAll, expect, it } from 'vitest';
import { SessionRegistry } from '../../src/session/index.js';
import { SessionKeys } from '../../src/session/session-keys.js';
import { sessionScripts } from '../../src/session/session-scripts.js';
import { buildScript, Child, killChildren, makeWorkFolder, wait } from '../helper/child-process.js';
import { RedisServer, stopServers } from '../helper/redis-server.js';

const work = makeWorkFolder('session-load');

afterAll(async () => {
  await killChildren();
  await stopServers();
  rmSync(work, { recursive: true, force: true });
});

/** A number that `INFO` tells. */
async function infoOf(server: RedisServer, section: string, name: string): Promise<number> {
  const text = await server.command('INFO', section);
  return Number(new RegExp(`${name}[:=]([\\d.]+)`).exec(text)?.[1] ?? 0);
}

it('1,000 sessions on 4 processes: one renewal per process and refresh, however many sessions it has', async () => {
  const server = await RedisServer.start();
  const script = await buildScript(fileURLToPath(new URL('./load-process.ts', import.meta.url)), work);
  const empty = await infoOf(server, 'memory', 'used_memory');
  const nodes = ['a', 'b', 'c', 'd'].map(
    (name) => new Child({ script, args: [String(server.port), name, '250'], nodeArgs: ['--expose-gc'] }),
  );
  const ready = await Promise.all(nodes.map((node) => node.next('ready')));
  const heapBytesPerSession = ready.map(([, each]) => each);
  const bytes = (await infoOf(server, 'memory', 'used_memory')) - empty;
  await server.command('CONFIG', 'RESETSTAT');
  const seconds = 20;
  await wait(seconds * 1_000);
  const beats = await infoOf(server, 'commandstats', 'cmdstat_evalsha:calls');
  const pings = await infoOf(server, 'commandstats', 'cmdstat_ping:calls');
  const commands = await infoOf(server, 'stats', 'total_commands_processed');
  const kilobytesInRedis = Math.round(bytes / 1_024);
  console.log({ kilobytesInRedis, heapBytesPerSession, seconds, beats, pings, commands });
  // Every 5 s each, and one more each at the edges.
  expect(beats).toBeLessThanOrEqual(4 * (seconds / 5 + 1));
  expect(beats).toBeGreaterThan(0);
});

it('a million sessions on 200 nodes: what a renewal and a session cost', async () => {
  const total = Number(process.env['TOOLSTASH_SESSIONS'] ?? 20_000);
  const server = await RedisServer.start();
  const keys = new SessionKeys({ prefix: 'toolstash-sessions', database: 0, shards: 16 });
  const client = createClient({ url: server.url });
  await client.connect();
  const nodes = Array.from({ length: 200 }, (_, at) => `${String(at).padStart(16, '0')}.1`);
  const beat = (incarnation: string, mode: string) =>
    client.eval(sessionScripts.beat.text, {
      keys: [...keys.living],
      arguments: ['', incarnation, '3600000000', mode, '3600000000 node', 'events', '16', '0'],
    });
  for (const node of nodes) await beat(node, 'join');
  const before = await infoOf(server, 'memory', 'used_memory');
  for (let at = 0; at < total; ) {
    const slice = Array.from({ length: Math.min(1_000, total - at) }, () => {
      const [id, node] = [`chat ${at}`, nodes[at % 200]!];
      at += 1;
      const shard = keys.shardOf(id);
      return client.eval(sessionScripts.claim.text, {
        keys: [keys.session(id), keys.heldBy(shard, node), keys.last(shard)],
        arguments: ['', '9000000000000000', id, node, '0', '', `user ${at}`, '10.0.0.7:8080', 'events'],
      });
    });
    await Promise.all(slice);
  }
  const bytes = (await infoOf(server, 'memory', 'used_memory')) - before;
  await server.command('CONFIG', 'RESETSTAT');
  for (let round = 0; round < 5; round += 1) await Promise.all(nodes.map((node) => beat(node, 'renew')));
  const micros = await infoOf(server, 'commandstats', 'cmdstat_eval:calls=\\d+,usec=\\d+,usec_per_call');
  const calls = await infoOf(server, 'commandstats', 'cmdstat_eval:calls');
  console.log({
    total,
    bytesPerSession: Math.round(bytes / total),
    microsPerRenewal: micros,
    renewalsPerSecond: 200 / 5,
  });
  expect(calls).toBe(1_000);
  // One of them dies: a real node takes what it had.
  const adopted = new Set<string>();
  const survivor = await SessionRegistry.open({
    url: server.url,
    ttl: '60s',
    adopt: ({ id }) => void adopted.add(id),
  });
  await server.command('CONFIG', 'RESETSTAT');
  const began = performance.now();
  const buried = {
    keys: [...keys.living],
    arguments: ['', nodes[0]!, '1', 'toolstash-sessions:{nodes}:0:events'],
  };
  await client.eval(sessionScripts.bury.text, buried);
  while (adopted.size < total / 200 && performance.now() - began < 60_000) await wait(2);
  const takenMs = Math.round(performance.now() - began);
  const scripts = await infoOf(server, 'commandstats', 'cmdstat_evalsha:calls');
  const each = await infoOf(server, 'commandstats', 'cmdstat_evalsha:calls=\\d+,usec=\\d+,usec_per_call');
  console.log({ orphans: adopted.size, takenMs, scripts, redisMs: Math.round((scripts * each) / 1_000) });
  expect(adopted.size).toBe(total / 200);
  await survivor.close();
  client.destroy();
}, 900_000);
