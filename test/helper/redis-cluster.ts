/** A real Redis Cluster for tests: masters on free ports, that share the slots among them. */

import { expect, vi } from 'vitest';
import { freePort, RedisServer } from './redis-server.js';
import type { RedisCertificate } from './redis-tls.js';

const slots = 16_384;
const count = 3;

export interface RedisClusterInit {
  /** The nodes listen for TLS too, and talk to each other by it. */
  readonly certificate?: RedisCertificate;
}

export class RedisCluster {
  readonly nodes: readonly RedisServer[];
  /** Where they listen for TLS. */
  readonly tlsPorts: readonly number[];

  private constructor(nodes: readonly RedisServer[], tlsPorts: readonly number[]) {
    this.nodes = nodes;
    this.tlsPorts = tlsPorts;
  }

  static async start({ certificate }: RedisClusterInit = {}): Promise<RedisCluster> {
    const nodes: RedisServer[] = [];
    const tlsPorts: number[] = [];
    for (let at = 0; at < count; at += 1) {
      const bus = await freePort();
      const tls: string[] = [];
      if (certificate !== undefined) {
        const port = await freePort();
        tlsPorts.push(port);
        tls.push(...certificate.argsFor(port), '--tls-cluster', 'yes');
      }
      const args = [
        '--cluster-enabled',
        'yes',
        '--cluster-node-timeout',
        '1000',
        '--cluster-port',
        String(bus),
      ];
      nodes.push(await RedisServer.start({ args: [...args, ...tls, '--appendonly', 'no'] }));
    }
    const cluster = new RedisCluster(nodes, tlsPorts);
    const [first, ...others] = nodes;
    const firstBus = await busOf(first!);
    for (const [at, node] of nodes.entries()) {
      const [from, to] = [at, at + 1].map((part) => Math.floor((part * slots) / count));
      await node.command('CLUSTER', 'ADDSLOTSRANGE', String(from), String(to! - 1));
    }
    for (const node of others) {
      await node.command('CLUSTER', 'MEET', '127.0.0.1', String(first!.port), firstBus);
    }
    await cluster.isWhole();
    return cluster;
  }

  /** What `redis()` takes. */
  get options(): { rootNodes: { url: string }[] } {
    return { rootNodes: this.nodes.map(({ url }) => ({ url })) };
  }

  /** From now on nobody gets in but with a password, by TLS. */
  async closeAllButTls(password: string): Promise<void> {
    for (const node of this.nodes) {
      await node.command('CONFIG', 'SET', 'requirepass', password, 'port', '0');
    }
  }

  /** Resolves once every node takes the cluster for whole. */
  async isWhole(): Promise<void> {
    for (const node of this.nodes) {
      await vi.waitFor(
        async () => {
          const info = await node.command('CLUSTER', 'INFO');
          expect(info).toContain('cluster_state:ok');
          expect(info).toContain(`cluster_known_nodes:${this.nodes.length}`);
        },
        { timeout: 60_000, interval: 100 },
      );
    }
  }

  /** Which server has the slot of a key, and which slot that is. */
  async ownerOf(key: string): Promise<{ slot: number; from: RedisServer; to: RedisServer }> {
    const slot = Number((await this.nodes[0]!.command('CLUSTER', 'KEYSLOT', key)).slice(1));
    for (const [at, from] of this.nodes.entries()) {
      const said = await from.command('GET', key);
      if (!said.startsWith('-MOVED')) return { slot, from, to: this.nodes[(at + 1) % count]! };
    }
    throw new Error(`No server has slot ${slot}`);
  }

  /**
   * Gives a slot, with what it holds, to another node.
   * @param halfWay runs when some of its keys have moved, and its owner not yet
   * @param isMoved which have moved by then; by default all
   */
  async migrate(
    slot: number,
    from: RedisServer,
    to: RedisServer,
    halfWay?: () => Promise<void>,
    isMoved = (_key: string) => true,
  ): Promise<void> {
    const [source, target] = [await idOf(from), await idOf(to)];
    await to.command('CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', source);
    await from.command('CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', target);
    const moveKeys = async (isAmong: (key: string) => boolean) => {
      const listed = await from.command('CLUSTER', 'GETKEYSINSLOT', String(slot), '1000');
      const keys = listed.split('\r\n').filter((line) => line.includes('{') && isAmong(line));
      if (keys.length > 0)
        await from.command('MIGRATE', '127.0.0.1', String(to.port), '', '0', '5000', 'KEYS', ...keys);
    };
    await moveKeys(isMoved);
    await halfWay?.();
    await moveKeys(() => true);
    for (const node of [to, from, ...this.nodes]) {
      await node.command('CLUSTER', 'SETSLOT', String(slot), 'NODE', target);
    }
  }
}

async function idOf(node: RedisServer): Promise<string> {
  return (await node.command('CLUSTER', 'MYID')).split('\r\n')[1]!;
}

async function busOf(node: RedisServer): Promise<string> {
  const said = await node.command('CONFIG', 'GET', 'cluster-port');
  return said.split('\r\n')[4]!;
}
