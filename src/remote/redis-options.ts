/** The options of `redis()`, their defaults, and how they are checked: no message shows a password. */

import { type Duration, positiveDuration } from '../duration.js';
import { InvalidOptionError } from '../errors.js';
import {
  definedOnly,
  expected,
  expectedUnseen,
  integer,
  refuseUnknown,
  text,
  trueOrFalse,
} from '../option-checks.js';
import { type Environment, environmentAddress, nodeUrls, redisUrl, withSocket } from './redis-address.js';
import type { RedisClientOptions } from './redis-library.js';

/** Where the server is, and how the tier behaves. Without any of `url`, `client`, `cluster`, `sentinel`: what the environment says. */
export interface RedisOptions {
  /**
   * `redis://user:password@host:6379/0`, or `rediss://` for TLS; several of them with commas between are nodes of a cluster. A
   * password may hold any character, percent-encoded or not.
   * @default REDIS_URL, or REDIS_HOST, REDIS_PORT, REDIS_USERNAME, REDIS_PASSWORD, REDIS_DB and REDIS_TLS
   */
  readonly url?: string | undefined;
  /** A client of the `redis` package, whose options are taken: connections of its own are made, and it is left alone. */
  readonly client?: RedisClientLike | undefined;
  /** Nodes of a cluster, which tell where the others are: `{ rootNodes, defaults }`, as `createCluster` takes them. */
  readonly cluster?: RedisClusterOptions | undefined;
  /** Sentinels that know the server, as `createSentinel` of the `redis` package takes them. */
  readonly sentinel?: RedisSentinelOptions | undefined;
  /** Further options of the clients, such as `socket: { ca }`, as `createClient` of the `redis` package takes them. */
  readonly clientOptions?: object | undefined;
  /**
   * What the names of all keys begin with. Caches with the same one share their values.
   * @default 'toolstash'
   */
  readonly prefix?: string | undefined;
  /**
   * How long a call waits for Redis before it goes on to the tool, in ms or as text.
   * @default 100
   */
  readonly remoteTimeout?: Duration | undefined;
  /**
   * How long a load waits for another machine that loads the same, in ms or as text; then it loads for itself.
   * @default '10s'
   */
  readonly waitTimeout?: Duration | undefined;
  /**
   * How long the right to load a key is held without a sign of life, in ms or as text.
   * @default '5s'
   */
  readonly leaseTtl?: Duration | undefined;
  /**
   * How often the connection is asked whether it is alive, in ms or as text.
   * @default '1s'
   */
  readonly heartbeat?: Duration | undefined;
  /**
   * How long after Redis has acknowledged a change another machine may still answer with what was there before, in ms or as
   * text: at least `heartbeat` and `remoteTimeout` together.
   * @default heartbeat + remoteTimeout + 400 ms
   */
  readonly bound?: Duration | undefined;
  /**
   * The longest that a value stays in Redis, whatever its ttl, in ms or as text.
   * @default '30d'
   */
  readonly maxTtl?: Duration | undefined;
  /**
   * Values of at least so many bytes are compressed.
   * @default 8192
   */
  readonly gzipBytes?: number | undefined;
  /**
   * How many changes Redis keeps, for those who were away.
   * @default 10000
   */
  readonly logLength?: number | undefined;
  /**
   * How many changes wait here while Redis is away; more become a clearing of everything.
   * @default 10000
   */
  readonly queueLimit?: number | undefined;
  /**
   * Whether an awaited `set` waits until Redis has it, `remoteTimeout` at most.
   * @default false
   */
  readonly awaitWrites?: boolean | undefined;
}

/** What is taken of a client of the `redis` package. */
export interface RedisClientLike {
  /** The options that it was made with. */
  readonly options?: object | undefined;
}

/** A cluster: some of its nodes, and what the connections to all of them have in common. */
export interface RedisClusterOptions {
  /** Nodes that are asked, one after the other, until one answers. */
  readonly rootNodes: readonly { readonly url?: string; readonly socket?: object }[];
  /**
   * Options of the connections to every node, such as `username`, `password` and `socket: { tls: true }`. What is left out of
   * those three is for all nodes as it is for the named one that tells of them.
   */
  readonly defaults?: object | undefined;
  /** The `{ host, port }` at which a node is to be reached that tells of itself as `host:port`, if not there. */
  readonly nodeAddressMap?:
    | Readonly<Record<string, object>>
    | ((address: string) => object | undefined)
    | undefined;
}

/** Where sentinels are, and whom they watch. */
export interface RedisSentinelOptions {
  /** The name of the server that they watch. */
  readonly name: string;
  /** Where the sentinels are. */
  readonly sentinelRootNodes: readonly { readonly host: string; readonly port: number }[];
  /** Options of the connections to the server. */
  readonly nodeClientOptions?: object | undefined;
  /** Options of the connections to sentinels. */
  readonly sentinelClientOptions?: object | undefined;
}

/** The options with nothing left open. Times in ms. */
export interface ResolvedRedisOptions {
  readonly client: RedisClientOptions;
  readonly sentinel: RedisSentinelOptions | undefined;
  readonly cluster: RedisClusterOptions | undefined;
  readonly prefix: string;
  readonly database: number;
  readonly remoteTimeout: number;
  readonly waitTimeout: number;
  readonly leaseTtl: number;
  readonly heartbeat: number;
  readonly bound: number;
  readonly maxTtl: number;
  readonly gzipBytes: number;
  readonly logLength: number;
  readonly queueLimit: number;
  readonly awaitWrites: boolean;
}

/** The default of every option that has one. */
export const redisDefaults = {
  prefix: 'toolstash',
  remoteTimeout: 100,
  waitTimeout: '10s',
  leaseTtl: '5s',
  heartbeat: '1s',
  maxTtl: '30d',
  gzipBytes: 8192,
  logLength: 10_000,
  queueLimit: 10_000,
  awaitWrites: false,
} as const;

const names = [
  ...[
    'url',
    'client',
    'cluster',
    'sentinel',
    'clientOptions',
    'prefix',
    'remoteTimeout',
    'waitTimeout',
    'leaseTtl',
  ],
  ...['heartbeat', 'bound', 'maxTtl', 'gzipBytes', 'logLength', 'queueLimit', 'awaitWrites'],
];

/** What delivery may take beyond the heartbeat and the deadline, in ms. */
const deliveryMs = 400;

/** @throws InvalidOptionError naming the option, its value (unless that is secret) and the fix */
export function resolveRedisOptions(
  options: RedisOptions,
  environment: Environment = process.env,
): ResolvedRedisOptions {
  refuseUnknown(objectOf(options, 'redis()', 'given options, such as `redis({ url })`'), names, {
    of: 'redis()',
  });
  const all = { ...redisDefaults, ...definedOnly(options) };
  const places = (['url', 'client', 'cluster', 'sentinel'] as const).filter(
    (name) => options[name] !== undefined,
  );
  if (places.length > 1) {
    const listed = places.map((name) => `\`${name}\``).join(' and ');
    throw new InvalidOptionError(
      `Expected one of \`url\`, \`client\`, \`cluster\` and \`sentinel\`, got ${listed}`,
    );
  }
  const more = all.clientOptions === undefined ? {} : objectOf(all.clientOptions, 'clientOptions');
  const cluster = clusterOf(options, environment, more as RedisClientOptions);
  const place = cluster === undefined ? placeOf(options, environment) : {};
  const client = withSocket(place, more as RedisClientOptions);
  const heartbeat = positiveDuration(all.heartbeat, 'heartbeat', 'a duration above 0');
  const remoteTimeout = positiveDuration(all.remoteTimeout, 'remoteTimeout', 'a duration above 0');
  const least = heartbeat + remoteTimeout;
  const bound =
    all.bound === undefined ? least + deliveryMs : positiveDuration(all.bound, 'bound', 'a duration above 0');
  if (bound < least) {
    throw expected('bound', `at least \`heartbeat\` and \`remoteTimeout\` together (${least} ms)`, all.bound);
  }
  const prefix = text(all.prefix, 'prefix');
  if (prefix === '' || /[{}\s]/.test(prefix))
    throw expected('prefix', 'a text without braces or spaces', prefix);
  return {
    client,
    sentinel: all.sentinel && checkedSentinel(all.sentinel),
    cluster,
    prefix,
    database: typeof client['database'] === 'number' ? client['database'] : 0,
    remoteTimeout,
    waitTimeout: positiveDuration(all.waitTimeout, 'waitTimeout', 'a duration above 0'),
    leaseTtl: positiveDuration(all.leaseTtl, 'leaseTtl', 'a duration above 0'),
    heartbeat,
    bound,
    maxTtl: positiveDuration(all.maxTtl, 'maxTtl', 'a duration above 0'),
    gzipBytes: integer(all.gzipBytes, 'gzipBytes', { from: 0 }),
    logLength: integer(all.logLength, 'logLength', { from: 100 }),
    queueLimit: integer(all.queueLimit, 'queueLimit'),
    awaitWrites: trueOrFalse(all.awaitWrites, 'awaitWrites'),
  };
}

/** An object, of which no message shows anything. */
function objectOf<T>(value: T, path: string, what = 'an object'): T & object {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw expectedUnseen(path, what, value);
  return value;
}

/** A cluster that is given, or the nodes of one in the place of a URL. */
function clusterOf(
  { cluster, client, sentinel, url }: RedisOptions,
  environment: Environment,
  more: RedisClientOptions,
): RedisClusterOptions | undefined {
  if (cluster !== undefined) return checkedCluster(cluster, more, 'cluster.rootNodes');
  if (client !== undefined || sentinel !== undefined) return undefined;
  const urls = nodeUrls(url ?? environment['REDIS_URL']);
  if (urls.length < 2) return undefined;
  const rootNodes = urls.map((each) => ({ url: each }));
  return checkedCluster({ rootNodes }, more, url === undefined ? 'REDIS_URL' : 'url');
}

function placeOf(options: RedisOptions, environment: Environment): RedisClientOptions {
  if (options.sentinel !== undefined) {
    return withSocket({}, (options.sentinel.nodeClientOptions ?? {}) as RedisClientOptions);
  }
  if (options.client !== undefined) {
    const own = (options.client as { options?: unknown } | null)?.options;
    if (typeof own !== 'object' || own === null)
      throw new InvalidOptionError(
        'Expected `client` to be a client of the `redis` package, with its options',
      );
    return own as RedisClientOptions;
  }
  if (options.url !== undefined) return redisUrl(options.url, 'url');
  return environmentAddress(environment);
}

function checkedSentinel(sentinel: RedisSentinelOptions): RedisSentinelOptions {
  const { name, sentinelRootNodes } = objectOf(sentinel, 'sentinel');
  text(name, 'sentinel.name');
  const isList = Array.isArray(sentinelRootNodes) && sentinelRootNodes.length > 0;
  if (!isList)
    throw expectedUnseen(
      'sentinel.sentinelRootNodes',
      'a list of at least one `{ host, port }`',
      sentinelRootNodes,
    );
  return sentinel;
}

/** @param path what holds the nodes */
function checkedCluster(
  cluster: RedisClusterOptions,
  more: RedisClientOptions,
  path: string,
): RedisClusterOptions {
  const { rootNodes, defaults = {}, nodeAddressMap } = objectOf(cluster, 'cluster');
  const isList = Array.isArray(rootNodes) && rootNodes.length > 0;
  if (!isList) {
    throw expectedUnseen('cluster.rootNodes', 'a list of at least one `{ url }` or `{ socket }`', rootNodes);
  }
  for (const node of rootNodes) {
    const { url } = objectOf(node, 'cluster.rootNodes', 'a list of `{ url }` or `{ socket }`');
    if (url !== undefined) redisUrl(url, path);
  }
  objectOf(defaults, 'cluster.defaults');
  if (typeof nodeAddressMap !== 'function') objectOf(nodeAddressMap ?? {}, 'cluster.nodeAddressMap');
  return { rootNodes, nodeAddressMap, defaults: withSocket(defaults as RedisClientOptions, more) };
}

/** Which server it is, without what is secret. */
export function serverName({ client, sentinel, cluster }: ResolvedRedisOptions): string {
  if (sentinel !== undefined) return `sentinel ${sentinel.name}`;
  // Any of them may be asked: which does not say what the cluster is.
  if (cluster !== undefined) return 'a cluster';
  const {
    host = 'localhost',
    port = 6379,
    path,
  } = client['socket'] as { host?: string; port?: number; path?: string };
  return path ?? `${host}:${port}`;
}
