/** The options of `redis()`, their defaults, and how they are checked: no message shows a password. */

import { type Duration, positiveDuration } from '../duration.js';
import { InvalidOptionError } from '../errors.js';
import { expected, expectedUnseen, integer, refuseUnknown, text, trueOrFalse } from '../option-checks.js';
import type { RedisClientOptions } from './redis-library.js';

/** Where the server is, and how the tier behaves. Without any of `url`, `client`, `sentinel`: what the environment says. */
export interface RedisOptions {
  /**
   * `redis://user:password@host:6379/0`, or `rediss://` for TLS. A password may hold any character, percent-encoded or not.
   * @default REDIS_URL, or REDIS_HOST, REDIS_PORT, REDIS_USERNAME, REDIS_PASSWORD, REDIS_DB and REDIS_TLS
   */
  readonly url?: string;
  /** A client of the `redis` package, whose options are taken: connections of its own are made, and it is left alone. */
  readonly client?: RedisClientLike;
  /** Sentinels that know the server, as `createSentinel` of the `redis` package takes them. */
  readonly sentinel?: RedisSentinelOptions;
  /** Further options of the clients, such as `socket: { ca }`, as `createClient` of the `redis` package takes them. */
  readonly clientOptions?: object;
  /**
   * What the names of all keys begin with. Caches with the same one share their values.
   * @default 'toolstash'
   */
  readonly prefix?: string;
  /**
   * How long a call waits for Redis before it goes on to the tool, in ms or as text.
   * @default 100
   */
  readonly remoteTimeout?: Duration;
  /**
   * How long a load waits for another machine that loads the same, in ms or as text; then it loads for itself.
   * @default '10s'
   */
  readonly waitTimeout?: Duration;
  /**
   * How long the right to load a key is held without a sign of life, in ms or as text.
   * @default '5s'
   */
  readonly leaseTtl?: Duration;
  /**
   * How often the connection is asked whether it is alive, in ms or as text.
   * @default '1s'
   */
  readonly heartbeat?: Duration;
  /**
   * How long after Redis has acknowledged a change another machine may still answer with what was there before, in ms or as
   * text: at least `heartbeat` and `remoteTimeout` together.
   * @default heartbeat + remoteTimeout + 400 ms
   */
  readonly bound?: Duration;
  /**
   * The longest that a value stays in Redis, whatever its ttl, in ms or as text.
   * @default '30d'
   */
  readonly maxTtl?: Duration;
  /**
   * Values of at least so many bytes are compressed.
   * @default 8192
   */
  readonly gzipBytes?: number;
  /**
   * How many changes Redis keeps, for those who were away.
   * @default 10000
   */
  readonly logLength?: number;
  /**
   * How many changes wait here while Redis is away; more become a clearing of everything.
   * @default 10000
   */
  readonly queueLimit?: number;
  /**
   * Whether an awaited `set` waits until Redis has it, `remoteTimeout` at most.
   * @default false
   */
  readonly awaitWrites?: boolean;
}

/** What is taken of a client of the `redis` package. */
export interface RedisClientLike {
  /** The options that it was made with. */
  readonly options?: object | undefined;
}

/** Where sentinels are, and whom they watch. */
export interface RedisSentinelOptions {
  /** The name of the server that they watch. */
  readonly name: string;
  /** Where the sentinels are. */
  readonly sentinelRootNodes: readonly { readonly host: string; readonly port: number }[];
  /** Options of the connections to the server. */
  readonly nodeClientOptions?: object;
  /** Options of the connections to sentinels. */
  readonly sentinelClientOptions?: object;
}

/** The options with nothing left open. Times in ms. */
export interface ResolvedRedisOptions {
  readonly client: RedisClientOptions;
  readonly sentinel: RedisSentinelOptions | undefined;
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
  ...['url', 'client', 'sentinel', 'clientOptions', 'prefix', 'remoteTimeout', 'waitTimeout', 'leaseTtl'],
  ...['heartbeat', 'bound', 'maxTtl', 'gzipBytes', 'logLength', 'queueLimit', 'awaitWrites'],
];

type Environment = Readonly<Record<string, string | undefined>>;

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
  const places = (['url', 'client', 'sentinel'] as const).filter((name) => options[name] !== undefined);
  if (places.length > 1) {
    const listed = places.map((name) => `\`${name}\``).join(' and ');
    throw new InvalidOptionError(`Expected one of \`url\`, \`client\` and \`sentinel\`, got ${listed}`);
  }
  const more = all.clientOptions === undefined ? {} : objectOf(all.clientOptions, 'clientOptions');
  const client = withSocket(placeOf(options, environment), more as RedisClientOptions);
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

function definedOnly(options: RedisOptions): RedisOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
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
  const {
    REDIS_URL: url,
    REDIS_HOST,
    REDIS_PORT,
    REDIS_USERNAME,
    REDIS_PASSWORD,
    REDIS_DB,
    REDIS_TLS,
  } = environment;
  if (isGiven(url)) return redisUrl(url, 'REDIS_URL');
  return {
    socket: {
      host: isGiven(REDIS_HOST) ? REDIS_HOST : 'localhost',
      port: numberFrom(REDIS_PORT, 'REDIS_PORT', 6379, 65_535),
      ...(isOn(REDIS_TLS) && { tls: true }),
    },
    ...(isGiven(REDIS_USERNAME) && { username: REDIS_USERNAME }),
    ...(isGiven(REDIS_PASSWORD) && { password: REDIS_PASSWORD }),
    database: numberFrom(REDIS_DB, 'REDIS_DB', 0, 1_000_000),
  };
}

function isGiven(value: string | undefined): value is string {
  return value !== undefined && value !== '';
}

function isOn(value: string | undefined): boolean {
  return value !== undefined && ['1', 'true', 'yes', 'on'].includes(value.toLowerCase());
}

function numberFrom(value: string | undefined, name: string, otherwise: number, most: number): number {
  if (!isGiven(value)) return otherwise;
  return integer(/^\d+$/.test(value) ? Number(value) : value, name, { from: 0, to: most });
}

/**
 * The options that a URL stands for. By hand: `URL` refuses, or cuts off, a password with a `/`, `?` or `#` that is not
 * percent-encoded, and shows the whole of it in its error.
 */
export function redisUrl(url: string, name: string): RedisClientOptions {
  const wrong = (what: string) =>
    new InvalidOptionError(
      `Expected \`${name}\` to be as \`redis://user:password@host:6379/0\`, got one ${what} (not shown, as it may hold a password)`,
    );
  const [, scheme, rest] = /^(redis|rediss|unix):\/\/(.*)$/s.exec(typeof url === 'string' ? url : '') ?? [];
  if (scheme === undefined || rest === undefined)
    throw wrong('that does not begin with `redis://` or `rediss://`');
  const at = rest.lastIndexOf('@');
  const [login, place] = [at < 0 ? '' : rest.slice(0, at), rest.slice(at + 1)];
  const colon = login.indexOf(':');
  const username = decoded(colon < 0 ? login : login.slice(0, colon));
  const password = colon < 0 ? '' : decoded(login.slice(colon + 1));
  const credentials = { ...(username !== '' && { username }), ...(password !== '' && { password }) };
  if (scheme === 'unix') return { socket: { path: place }, ...credentials };
  const parts = /^(\[[0-9a-f:]+\]|[^:/?[\]]*)(?::(\d+))?(?:\/(\d*))?(?:\?.*)?$/i.exec(place);
  if (parts === null) throw wrong('whose host, port or database can not be read');
  const [, host = '', port, database] = parts;
  if (port !== undefined && Number(port) > 65_535) throw wrong('with a port above 65535');
  return {
    socket: {
      host: host === '' ? 'localhost' : host.replace(/^\[|\]$/g, ''),
      port: port === undefined ? 6379 : Number(port),
      ...(scheme === 'rediss' && { tls: true }),
    },
    ...credentials,
    ...(database !== undefined && database !== '' && { database: Number(database) }),
  };
}

/** What was percent-encoded; what was not stays as it is. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function withSocket(base: RedisClientOptions, more: RedisClientOptions): RedisClientOptions {
  const [own, further] = [base['socket'], more['socket']] as (object | undefined)[];
  return { ...base, ...more, socket: { connectTimeout: 3_000, ...own, ...further } };
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

/** Which server it is, without what is secret. */
export function serverName({ client, sentinel }: ResolvedRedisOptions): string {
  const {
    host = 'localhost',
    port = 6379,
    path,
  } = client['socket'] as { host?: string; port?: number; path?: string };
  return sentinel === undefined ? (path ?? `${host}:${port}`) : `sentinel ${sentinel.name}`;
}
