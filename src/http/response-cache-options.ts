/** The options of `responseCache`, and how they are checked. */

import { type Clock, systemClock } from '../clock.js';
import { type Duration, parseDuration } from '../duration.js';
import { InvalidOptionError } from '../errors.js';
import type { CacheManager } from '../index.js';
import {
  definedOnly,
  functionOf,
  hasMethods,
  integer,
  objectOf,
  oneOf,
  refuseUnknown,
  shown,
  text,
  trueOrFalse,
} from '../option-checks.js';
import type { ResponseHead } from './storable.js';

/** A request as tags are made from it. */
export interface TaggedRequest {
  /** `/items?page=2`, as the client sent it. */
  readonly target: string;
  /** The `Host` that the client sent. */
  readonly host: string;
  /** A header by its name in lower case. */
  header(name: string): string | undefined;
}

/** How responses are cached. */
export interface ResponseCacheOptions {
  /** Where responses are stored: its bounds, tiers and statistics are theirs. */
  readonly cache: CacheManager;
  /**
   * The method that responses are stored under, in statistics and on disk.
   * @default 'http'
   */
  readonly method?: string | undefined;
  /**
   * How long a response is fresh that doesn't say so itself by `Cache-Control` or `Expires`. 0 stores none of those.
   * @default 0
   */
  readonly ttl?: Duration | undefined;
  /**
   * The query parameters that make a difference. All others are taken off the URL before the route sees it, so that none
   * can change what others get. `'all'`: the query as it was sent.
   * @default 'all'
   */
  readonly query?: 'all' | readonly string[] | undefined;
  /**
   * Request headers that make a difference besides those that a response names in `Vary`: what a route reads without saying so.
   * @default []
   */
  readonly headers?: readonly string[] | undefined;
  /**
   * What stored responses can be invalidated by, through `cache.invalidateTags`: names, or a function of request and response.
   * @default []
   */
  readonly tags?:
    | readonly string[]
    | ((request: TaggedRequest, response: ResponseHead) => readonly string[])
    | undefined;
  /**
   * The largest body that is stored, in bytes. Larger ones are passed on as they come.
   * @default 1048576 (1 MiB)
   */
  readonly maxBodyBytes?: number | undefined;
  /**
   * What clients are told of keeping a stored response: to ask each time (`no-cache`, so that an invalidation reaches them),
   * or what the route said.
   * @default 'no-cache'
   */
  readonly downstream?: 'no-cache' | 'as-is' | undefined;
  /**
   * Whether a client's `Cache-Control` counts: `no-cache`, `no-store`, `max-age`, `min-fresh`, `only-if-cached`. Ignored, no
   * client can make the route run.
   * @default 'heed'
   */
  readonly clientDirectives?: 'heed' | 'ignore' | undefined;
  /**
   * Whether a request other than GET and HEAD that succeeds invalidates what is stored of its path.
   * @default true
   */
  readonly invalidateOnWrite?: boolean | undefined;
  /**
   * How long a request waits for another one that runs the same route, before it runs it itself.
   * @default '10s'
   */
  readonly waitTimeout?: Duration | undefined;
  /**
   * Whether responses tell by `Cache-Status` (RFC 9211) where they came from.
   * @default false
   */
  readonly cacheStatus?: boolean | undefined;
  /**
   * Where time comes from.
   * @default the system's clock
   */
  readonly clock?: Clock | undefined;
}

/** The options with nothing left open. */
export interface ResolvedResponseCacheOptions {
  readonly cache: CacheManager;
  readonly method: string;
  readonly ttlMs: number;
  readonly query: readonly string[] | undefined;
  readonly headers: readonly string[];
  readonly tags: (request: TaggedRequest, response: ResponseHead) => readonly string[];
  readonly maxBodyBytes: number;
  readonly downstream: string | undefined;
  readonly heedsClient: boolean;
  readonly invalidateOnWrite: boolean;
  readonly waitTimeoutMs: number;
  readonly cacheStatus: boolean;
  readonly clock: Clock;
}

const defaults = {
  method: 'http',
  ttl: 0,
  query: 'all',
  maxBodyBytes: 1024 * 1024,
  downstream: 'no-cache',
  clientDirectives: 'heed',
  invalidateOnWrite: true,
  waitTimeout: '10s',
  cacheStatus: false,
} as const;
const names = [...Object.keys(defaults), 'cache', 'headers', 'tags', 'clock'];

/** @throws InvalidOptionError naming the option, its value and the fix */
export function resolveResponseCacheOptions(options: ResponseCacheOptions): ResolvedResponseCacheOptions {
  refuseUnknown(objectOf(options, 'responseCache', 'an object as `{ cache }`'), names, {
    of: 'responseCache',
  });
  const given = { ...defaults, ...definedOnly(options) };
  hasMethods(given.cache, 'cache', ['getOrSet', 'refresh', 'invalidateTags', 'delete']);
  if (text(given.method, 'method') === '')
    throw new InvalidOptionError('Expected `method` to be a name, got none');
  const { tags = [] } = given;
  if (!Array.isArray(tags)) functionOf(tags, 'tags');
  const fixed = Array.isArray(tags) ? textList(tags, 'tags') : [];
  return {
    cache: given.cache,
    method: given.method,
    ttlMs: parseDuration(given.ttl, 'ttl'),
    query: given.query === 'all' ? undefined : textList(given.query, 'query'),
    headers: textList(given.headers ?? [], 'headers')
      .map((name) => name.toLowerCase())
      .sort(),
    tags: typeof tags === 'function' ? tags : () => fixed,
    maxBodyBytes: integer(given.maxBodyBytes, 'maxBodyBytes'),
    downstream:
      oneOf(given.downstream, 'downstream', ['no-cache', 'as-is']) === 'as-is' ? undefined : 'no-cache',
    heedsClient: oneOf(given.clientDirectives, 'clientDirectives', ['heed', 'ignore']) === 'heed',
    invalidateOnWrite: trueOrFalse(given.invalidateOnWrite, 'invalidateOnWrite'),
    waitTimeoutMs: parseDuration(given.waitTimeout, 'waitTimeout'),
    cacheStatus: trueOrFalse(given.cacheStatus, 'cacheStatus'),
    clock: given.clock ?? systemClock,
  };
}

function textList(value: unknown, path: string): readonly string[] {
  if (Array.isArray(value) && value.every((each) => typeof each === 'string' && each !== '')) return value;
  throw new InvalidOptionError(`Expected \`${path}\` to be a list of names, got ${shown(value)}`);
}
