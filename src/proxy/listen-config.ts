/** Where a proxy listens for clients over HTTP, and what it lets in. */

import { type Duration, parseDuration } from '../duration.js';
import { InvalidOptionError } from '../errors.js';
import { expected, expectedUnseen, given, integer, objectOf, refuseUnknown, text } from '../option-checks.js';

/** How clients reach the proxy over Streamable HTTP, at the path `/mcp`. */
export interface ListenConfig {
  /** 0: any that is free. */
  readonly port: number;
  /**
   * The address it listens on. Others than loopback need a `token`.
   * @default '127.0.0.1'
   */
  readonly host?: string;
  /** The bearer token that clients must show; `${NAME}` is a variable's value. */
  readonly token?: string;
  /** Names by which clients may call this machine, besides `host` and loopback. @default [] */
  readonly allowedHosts?: readonly string[];
  /** Origins of pages in browsers that may call, besides those of loopback. @default [] */
  readonly allowedOrigins?: readonly string[];
  /** The longest body of a request, in bytes. @default 4194304 (4 MiB) */
  readonly maxBodyBytes?: number;
  /** The most sessions at once; each has a server process of its own, where servers are processes. @default 100 */
  readonly maxSessions?: number;
  /** The most requests and streams that are open at once. @default 1000 */
  readonly maxStreams?: number;
  /** A session ends when nothing was heard of its client for so long. @default '30m' */
  readonly sessionIdle?: Duration;
}

/** The same, with nothing left open but the token. */
export type ResolvedListen = Required<Omit<ListenConfig, 'token' | 'sessionIdle'>> & {
  readonly token: string | undefined;
  /** In ms. */
  readonly sessionIdle: number;
};

const fields = [
  ...['port', 'host', 'token', 'allowedHosts', 'allowedOrigins'],
  ...['maxBodyBytes', 'maxSessions', 'maxStreams', 'sessionIdle'],
];

/** @throws InvalidOptionError */
export function resolveListen(
  listen: ListenConfig,
  withVariables: (value: string, path: string) => string,
): ResolvedListen {
  refuseUnknown(objectOf(listen, 'listen', 'an object, as `{ port: 3333 }`'), fields, {
    of: '`listen`',
    noun: 'field',
  });
  const host = text(given(listen.host, '127.0.0.1'), 'listen.host');
  const token =
    listen.token === undefined
      ? undefined
      : withVariables(text(listen.token, 'listen.token'), 'listen.token');
  if (token !== undefined && token.length < 16)
    throw expectedUnseen('listen.token', 'a string of at least 16 characters', token);
  if (token === undefined && !['127.0.0.1', '::1', 'localhost'].includes(host)) {
    throw new InvalidOptionError(
      `Expected \`listen.token\` with \`listen.host: '${host}'\`, got none: whoever reaches that address could call the servers`,
    );
  }
  return {
    ...{ host, token },
    port: integer(listen.port, 'listen.port', { from: 0, to: 65_535 }),
    allowedHosts: texts(listen.allowedHosts, 'listen.allowedHosts'),
    allowedOrigins: texts(listen.allowedOrigins, 'listen.allowedOrigins'),
    maxBodyBytes: integer(given(listen.maxBodyBytes, 4 * 2 ** 20), 'listen.maxBodyBytes'),
    maxSessions: integer(given(listen.maxSessions, 100), 'listen.maxSessions'),
    maxStreams: integer(given(listen.maxStreams, 1_000), 'listen.maxStreams'),
    sessionIdle: parseDuration(given(listen.sessionIdle, '30m'), 'listen.sessionIdle'),
  };
}

/** A list of strings. @throws InvalidOptionError */
export function texts(value: unknown, path: string): readonly string[] {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value;
  throw expected(path, 'a list of strings', value);
}
