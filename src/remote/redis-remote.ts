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
  return { connect: (wiring) => new RedisTier(resolved, wiring, () => locate(resolved)) };
}

/** Where the server is at present. */
export async function locate({
  client,
  sentinel,
  cluster,
}: Pick<ResolvedRedisOptions, 'client' | 'sentinel' | 'cluster'>): Promise<RedisPlace> {
  if (cluster !== undefined) return await locateCluster(cluster);
  if (sentinel === undefined) return onePlace(client);
  let failure: unknown;
  for (const node of sentinel.sentinelRootNodes) {
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
