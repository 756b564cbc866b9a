/** Redis as a remote tier, over the official client. */

import { CacheError } from '../errors.js';
import type { Remote } from '../tier.js';
import { locateCluster } from './redis-cluster.js';
import { connectClient, destroyClient } from './redis-library.js';
import { onePlace, type RedisPlace } from './redis-nodes.js';
import {
  type RedisOptions,
  type RedisSentinelOptions,
  type ResolvedRedisOptions,
  resolveRedisOptions,
} from './redis-options.js';
import { RedisTier } from './redis-tier.js';
import { within } from './within.js';

/**
 * A tier that machines share in Redis 6.2 or later, or Valkey: `new CacheManager({ remote: redis({ url }) })`. It connects
 * in the background, and a Redis that is down costs a call no more than `remoteTimeout`.
 *
 * @throws InvalidOptionError naming the option and the fix
 */
export function redis(options: RedisOptions = {}): Remote {
  const resolved = resolveRedisOptions(options);
  return { connect: (wiring) => new RedisTier(resolved, wiring, locatorOf(resolved)) };
}

/** What a server is found by. */
type RedisAddress = Pick<ResolvedRedisOptions, 'client' | 'sentinel' | 'cluster'>;

/**
 * Tells where the server is at present. Each time another node is asked first: one that has lost sight of the others may tell
 * for long what was the case before.
 */
export function locatorOf(address: RedisAddress): () => Promise<RedisPlace> {
  let times = 0;
  return () => locate(address, times++);
}

async function locate({ client, sentinel, cluster }: RedisAddress, times: number): Promise<RedisPlace> {
  if (cluster !== undefined)
    return await locateCluster({ ...cluster, rootNodes: rotated(cluster.rootNodes, times) });
  if (sentinel === undefined) return onePlace(client);
  let failure: unknown;
  for (const node of rotated(sentinel.sentinelRootNodes, times)) {
    try {
      const [host, port] = await askSentinel(sentinel, node);
      const socket = { ...(client['socket'] as object), host, port: Number(port) };
      return onePlace({ ...client, socket });
    } catch (error) {
      failure = error;
    }
  }
  throw new CacheError('ERR_STORAGE', `No sentinel knows the server of \`${sentinel.name}\``, {
    cause: failure,
  });
}

/** The same nodes, so many of the first ones put last. */
function rotated<T>(nodes: readonly T[], by: number): T[] {
  const first = by % nodes.length;
  return [...nodes.slice(first), ...nodes.slice(0, first)];
}

const sentinelTimeoutMs = 1_000;

async function askSentinel(
  { name, sentinelClientOptions }: RedisSentinelOptions,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<string[]> {
  const options = sentinelClientOptions as { socket?: object } | undefined;
  const socket = { ...options?.socket, host, port, connectTimeout: sentinelTimeoutMs };
  const { client, connected } = await connectClient({ ...options, socket, RESP: 2 }, () => undefined);
  try {
    await within(sentinelTimeoutMs, connected);
    const asked = client.sendCommand(['SENTINEL', 'get-master-addr-by-name', name]);
    const address = await within(sentinelTimeoutMs, asked);
    if (!Array.isArray(address)) throw new CacheError('ERR_STORAGE', `It does not know \`${name}\``);
    return address.map(String);
  } finally {
    destroyClient(client);
  }
}
