/** Where a server is, by a URL or the environment: no message shows a password. */

import { InvalidOptionError } from '../errors.js';
import { expected, integer } from '../option-checks.js';
import type { RedisClientOptions } from './redis-library.js';

/** The variables of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What the environment says; what is empty there is not said. */
export function environmentAddress(environment: Environment): RedisClientOptions {
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
  // Kubernetes sets it so for a service that is called `redis`.
  const [, host = 'localhost', port = REDIS_PORT] = /^tcp:\/\/(.+):(\d+)$/.exec(REDIS_PORT ?? '') ?? [];
  return {
    socket: {
      host: isGiven(REDIS_HOST) ? REDIS_HOST : host,
      port: numberFrom(port, 'REDIS_PORT', 6379, 65_535),
      ...(isOn(REDIS_TLS, 'REDIS_TLS') && { tls: true }),
    },
    ...(isGiven(REDIS_USERNAME) && { username: REDIS_USERNAME }),
    ...(isGiven(REDIS_PASSWORD) && { password: REDIS_PASSWORD }),
    database: numberFrom(REDIS_DB, 'REDIS_DB', 0, 1_000_000),
  };
}

function isGiven(value: string | undefined): value is string {
  return value !== undefined && value !== '';
}

function isOn(value: string | undefined, name: string): boolean {
  if (!isGiven(value)) return false;
  const text = value.toLowerCase();
  if (['1', 'true', 'yes', 'on'].includes(text)) return true;
  if (['0', 'false', 'no', 'off'].includes(text)) return false;
  throw expected(name, '`true` or `false`', value);
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
  const parts = /^(\[[0-9a-f:]+\]|[^:/?,[\]]*)(?::(\d+))?(?:\/(\d*))?(?:\?.*)?$/i.exec(place);
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

/** The URLs in a text, with commas between. A password may hold commas: the next begins with its scheme. */
export function nodeUrls(text: string | undefined): string[] {
  return typeof text === 'string' ? text.split(/,\s*(?=rediss?:\/\/)/) : [];
}

/** What was percent-encoded; what was not stays as it is. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Options, and further ones that go before them; their sockets together. */
export function withSocket(base: RedisClientOptions, more: RedisClientOptions): RedisClientOptions {
  const [own, further] = [base['socket'], more['socket']] as (object | undefined)[];
  return { ...base, ...more, socket: { connectTimeout: 3_000, ...own, ...further } };
}
