/** A cache in Redis in the place of a folder: `--redis [url]`, and where the environment says it is. */

import { Option } from 'commander';
import type { RedisOptions } from '../redis/index.js';

/** The flags that name it. */
export interface RedisFlags {
  /** The URL, or those of some nodes of a cluster with commas between; empty where the environment says where Redis is; `undefined` where it is not asked for. */
  readonly redis?: string;
  readonly redisPrefix?: string;
}

/** Stands where a path would: nobody can type it. */
const mark = '\0redis';
/** The commands whose first argument is a path, which `--redis` takes the place of. */
const placed = ['report', 'inspect', 'get', 'export', 'import', 'delete'];

/** `--redis` and `--redis-prefix`, as they are told of. */
export function redisOptions(what: string): [url: Option, prefix: Option] {
  return [
    new Option(
      '--redis [url]',
      `${what}; several urls with commas between are nodes of a cluster; without a url where REDIS_URL, or REDIS_HOST and the like, say`,
    ),
    new Option('--redis-prefix <text>', "what the keys of that cache begin with (default: 'toolstash')"),
  ];
}

/** The same for commands that otherwise take a path. */
export function redisPlaceOptions(path: string): [url: Option, prefix: Option] {
  return redisOptions(`the cache in Redis instead of ${path}, which is left out`);
}

/**
 * The arguments as they are parsed: what follows `--redis` belongs to it only if it is a URL, and a path that it takes the
 * place of is filled in.
 */
export function withRedisPlace(args: readonly string[]): string[] {
  const [command, ...rest] = args;
  if (command === undefined) return [];
  const end = rest.includes('--') ? rest.indexOf('--') : rest.length;
  const said: string[] = [];
  for (let at = 0; at < rest.length; at += 1) {
    const [arg = '', next = ''] = [rest[at], rest[at + 1]];
    if (arg !== '--redis' || at >= end) said.push(arg);
    else if (isUrl(next)) said.push(`--redis=${rest[++at]}`);
    else said.push('--redis=');
  }
  const isAsked = said.slice(0, end).some((arg) => arg.startsWith('--redis='));
  return isAsked && placed.includes(command) ? [command, mark, ...said] : [command, ...said];
}

/** Whether it is a URL, which may hold a password: a path is none. */
export function isUrl(text: string): boolean {
  return /^[a-z]+:\/\//i.test(text);
}

/** What the flags come to. */
export function redisOptionsOf({ redis = '', redisPrefix }: RedisFlags): RedisOptions {
  return {
    ...(redis !== '' && { url: redis }),
    ...(redisPrefix !== undefined && { prefix: redisPrefix }),
  };
}
