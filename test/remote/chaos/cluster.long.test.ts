/** The same on a cluster of three masters, whose nodes end and whose slots move. */

import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildScript, killChildren, makeWorkFolder, wait } from '../../helper/child-process.js';
import { RedisCluster } from '../../helper/redis-cluster.js';
import { stopServers } from '../../helper/redis-server.js';
import { disturbWays, runChaos, type Shared } from './chaos.js';

const seconds = Number(process.env['TOOLSTASH_CHAOS_SECONDS'] ?? 60);
const seed = Number(process.env['TOOLSTASH_SEED'] ?? 0);
const work = makeWorkFolder('chaos-cluster');
let script: string;

beforeAll(async () => {
  script = await buildScript(fileURLToPath(new URL('./chaos-process.ts', import.meta.url)), work);
});
afterAll(async () => {
  await killChildren();
  await stopServers();
  rmSync(work, { recursive: true, force: true });
});

/** Others take a node for gone that says nothing for 1 s, and then none serves anything for seconds. */
const shortMs = 600;

async function shareCluster(): Promise<Shared> {
  const cluster = await RedisCluster.start();
  const [first, second, third] = cluster.nodes;
  return {
    servers: cluster.nodes,
    optionsFor(ports) {
      const reached = cluster.nodes.map(({ port }, at) => [
        `127.0.0.1:${port}`,
        { host: '127.0.0.1', port: ports[at]! },
      ]);
      const rootNodes = ports.map((port) => ({ url: `redis://127.0.0.1:${port}` }));
      return { cluster: { rootNodes, nodeAddressMap: Object.fromEntries(reached) } };
    },
    pauseMs: 2_000,
    disturbances(ways, children) {
      const { swallow, restart, slow, cut } = disturbWays(ways, children);
      return [
        swallow,
        async () => {
          await first!.command('SAVE');
          await wait(1_000);
          await first!.stop();
          await first!.start();
          await cluster.isWhole();
        },
        restart,
        async () => {
          second!.pause();
          await wait(shortMs);
          second!.resume();
        },
        slow,
        async () => {
          await cut();
          await third!.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
        },
        async () => {
          await first!.command('FLUSHALL');
        },
        async () => {
          const { slot, from, to } = await cluster.ownerOf('toolstash:{5a}:x');
          await cluster.migrate(slot, from, to);
        },
        async () => {
          await second!.stop();
          await second!.forget();
          await second!.start();
          await cluster.isWhole();
        },
      ];
    },
  };
}

it(`4 machines on a cluster answer nothing that is out of date beyond the bound (seed ${seed})`, async () => {
  const { counts, ...outcome } = await runChaos({ script, work, seconds, seed, share: shareCluster });
  console.log(counts);
  expect(outcome).toEqual({ stale: [], hung: 0, unwell: [], unhandled: [], diverged: [] });
  // Too little went on for that to say anything.
  const least = {
    ...{ memory: seconds * 10, disk: seconds, remote: seconds * 5 },
    ...{ inMemory: 100, onDisk: 100, overtaken: seconds / 2, refused: seconds / 4, changes: seconds * 10 },
  };
  for (const [what, count] of Object.entries(least)) expect(counts[what], what).toBeGreaterThan(count);
}, 600_000);
