/** Where the masters of a cluster are, and which of them has a key: by the hash slot of its tag. */

import { CacheError } from '../errors.js';
import { redisUrl, withSocket } from './redis-address.js';
import { connectClient, destroyClient, type RedisClientOptions } from './redis-library.js';
import type { RedisPlace } from './redis-nodes.js';
import type { RedisClusterOptions } from './redis-options.js';
import { within } from './within.js';

const timeoutMs = 1_000;
const slots = 16_384;

/** One range of slots, and who serves it, as `CLUSTER SLOTS` tells. */
interface SlotRange {
  readonly from: number;
  readonly to: number;
  readonly host: string;
  readonly port: number;
}

/** Asks one node after the other; rejects where none can tell. */
export async function locateCluster({
  rootNodes,
  defaults = {},
  nodeAddressMap = {},
}: RedisClusterOptions): Promise<RedisPlace> {
  let failure: unknown;
  for (const node of rootNodes) {
    try {
      const options = rootOptions(node, defaults);
      const access = withAccess(options, defaults as RedisClientOptions);
      const reach = (name: string) =>
        typeof nodeAddressMap === 'function' ? nodeAddressMap(name) : nodeAddressMap[name];
      return placeOf(await askNode(options), access, reach);
    } catch (error) {
      failure = error;
    }
  }
  throw new CacheError('ERR_STORAGE', 'No node of the cluster tells which others there are', {
    cause: failure,
  });
}

/** The options of one of the nodes that are named. */
function rootOptions(node: RedisClusterOptions['rootNodes'][number], defaults: object): RedisClientOptions {
  const { url, ...own } = node;
  const named = url === undefined ? {} : redisUrl(url, 'cluster.rootNodes');
  return withSocket(defaults as RedisClientOptions, withSocket(named, own as RedisClientOptions));
}

/** What every node takes: the same as the one that was asked, where nothing else is said. */
function withAccess({ username, password, socket }: RedisClientOptions, defaults: RedisClientOptions) {
  const { tls } = socket as { readonly tls?: unknown };
  return withSocket({ username, password, socket: { tls } }, defaults);
}

async function askNode(options: RedisClientOptions): Promise<SlotRange[]> {
  const { client, connected } = await connectClient({ ...options, RESP: 2 }, () => undefined);
  try {
    await within(timeoutMs, connected);
    const reply = await within(timeoutMs, client.sendCommand(['CLUSTER', 'SLOTS']));
    const { host: asked = 'localhost' } = options['socket'] as { host?: string };
    const ranges = (reply as [number, number, [string | null, number]][]).map(([from, to, [host, port]]) => {
      return { from, to, port, host: host === null || host === '' ? asked : String(host) };
    });
    if (ranges.length === 0) throw new CacheError('ERR_STORAGE', 'The cluster serves no slots yet');
    return ranges;
  } finally {
    destroyClient(client);
  }
}

/** @param reach where a node is to be reached, if not where its name says */
function placeOf(
  ranges: readonly SlotRange[],
  defaults: RedisClientOptions,
  reach: (name: string) => object | undefined,
): RedisPlace {
  const nodes: RedisClientOptions[] = [];
  const indexes = new Map<string, number>();
  const bySlot = new Int16Array(slots).fill(-1);
  for (const { from, to, host, port } of ranges) {
    const name = `${host}:${port}`;
    const socket = { host, port, ...reach(name) };
    const at = indexes.get(name) ?? nodes.push(withSocket(defaults, { socket })) - 1;
    indexes.set(name, at);
    bySlot.fill(at, from, to + 1);
  }
  const known = new Map<string, number>();
  return {
    nodes,
    nodeNamed: (name) => indexes.get(name),
    nodeOf(name) {
      const tag = name.slice(name.indexOf('{') + 1, name.indexOf('}'));
      const at = known.get(tag) ?? bySlot[slotOf(tag)]!;
      known.set(tag, at);
      return at;
    },
  };
}

/** The hash slot of a tag: its CRC-16 (XMODEM). */
function slotOf(tag: string): number {
  let crc = 0;
  for (const byte of Buffer.from(tag)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
  }
  return crc % slots;
}
