/** The options of sessions, their defaults, and how they are checked. */

import { hostname } from 'node:os';
import { type Clock, systemClock } from '../clock.js';
import { type Duration, positiveDuration } from '../duration.js';
import { InvalidOptionError } from '../errors.js';
import {
  definedOnly,
  expected,
  functionOf,
  hasMethods,
  integer,
  objectOf,
  refuseUnknown,
  text,
} from '../option-checks.js';
import {
  type RedisOptions,
  type ResolvedRedisOptions,
  resolveRedisOptions,
} from '../remote/redis-options.js';
import type { ClassCodec } from '../value/codec.js';
import type { SessionLease } from './session-lease.js';
import type { SessionTypes } from './session-types.js';

/** Where Redis is, as for `redis()` of `toolstash/redis`; without any of them, what the environment says. */
type RedisPlace = Pick<RedisOptions, 'url' | 'client' | 'cluster' | 'sentinel' | 'clientOptions'>;

/** Where Redis is, who this node is, and how long it may be silent. */
export interface SessionOptions<T extends SessionTypes = SessionTypes> extends RedisPlace {
  /**
   * What the names of all keys begin with. Nodes with the same one share their sessions.
   * @default 'toolstash-sessions'
   */
  readonly prefix?: string | undefined;
  /**
   * The name of this node, as others see it: an address to forward to, for example.
   * @default host name and process id
   */
  readonly node?: string | undefined;
  /**
   * How long after its last sign of life a node, and with it all that it holds, is given up, in ms or as text.
   * @default '15s'
   */
  readonly ttl?: Duration | undefined;
  /**
   * How often a node gives a sign of life, in ms or as text: half of `ttl` at most.
   * @default '5s'
   */
  readonly refresh?: Duration | undefined;
  /**
   * How long an operation waits for Redis, in ms or as text.
   * @default '1s'
   */
  readonly timeout?: Duration | undefined;
  /**
   * Over how many hash tags sessions are spread: the same on all nodes.
   * @default 16
   */
  readonly shards?: number | undefined;
  /**
   * How many replicas must have a claim or a state before it counts. More is lost less often when Redis fails over.
   * @default 0
   */
  readonly wait?: number | undefined;
  /**
   * How long the state of a session stays that nobody holds any more, in ms or as text.
   * @default '1h'
   */
  readonly stateTtl?: Duration | undefined;
  /**
   * Given, this node takes its share of the sessions of dead nodes, and hears of each by its lease. Else it hears only that
   * they are `orphaned`, and leaves them to nodes that have it, where there are any.
   */
  readonly adopt?: ((lease: SessionLease<T>) => unknown) | undefined;
  /** Codecs for classes of your own in states and messages, as those of a cache. */
  readonly codecs?: readonly ClassCodec[] | undefined;
  /** Where time comes from: for tests. */
  readonly clock?: Clock | undefined;
  /**
   * What scripts take for the server's time, in microseconds: for tests.
   * @internal
   */
  readonly serverTime?: (() => number) | undefined;
}

/** The options with nothing left open. Times in ms. */
export interface ResolvedSessionOptions<T extends SessionTypes = SessionTypes> {
  readonly redis: Pick<ResolvedRedisOptions, 'client' | 'cluster' | 'sentinel' | 'database'>;
  readonly prefix: string;
  readonly node: string;
  readonly ttl: number;
  readonly refresh: number;
  readonly timeout: number;
  readonly shards: number;
  readonly wait: number;
  readonly stateTtl: number;
  readonly adopt: ((lease: SessionLease<T>) => unknown) | undefined;
  readonly codecs: readonly ClassCodec[];
  readonly clock: Clock;
  readonly serverTime: (() => number) | undefined;
}

/** The default of every option that has one. */
export const sessionDefaults = {
  prefix: 'toolstash-sessions',
  ttl: '15s',
  refresh: '5s',
  timeout: '1s',
  shards: 16,
  wait: 0,
  stateTtl: '1h',
} as const;

const placeNames = ['url', 'client', 'cluster', 'sentinel', 'clientOptions'] as const;
const names = [
  ...placeNames,
  ...['prefix', 'node', 'ttl', 'refresh', 'timeout', 'shards', 'wait', 'stateTtl'],
  ...['adopt', 'codecs', 'clock', 'serverTime'],
];

/** @throws InvalidOptionError naming the option, its value (unless that is secret) and the fix */
export function resolveSessionOptions<T extends SessionTypes>(
  options: SessionOptions<T>,
): ResolvedSessionOptions<T> {
  refuseUnknown(objectOf(options, 'new SessionRegistry()', 'given options'), names, {
    of: 'new SessionRegistry()',
  });
  const given = definedOnly(options);
  const place = Object.fromEntries(Object.entries(given).filter(([name]) => isPlace(name)));
  const redis = resolveRedisOptions(place);
  const all = { ...sessionDefaults, ...given };
  const prefix = text(all.prefix, 'prefix');
  if (prefix === '' || /[{}\s]/.test(prefix))
    throw expected('prefix', 'a text without braces or spaces', prefix);
  const ttl = positiveDuration(all.ttl, 'ttl');
  const refresh = positiveDuration(all.refresh, 'refresh');
  if (refresh * 2 > ttl) throw expected('refresh', `at most half of \`ttl\` (${ttl} ms)`, all.refresh);
  const clock = all.clock ?? systemClock;
  hasMethods(clock, 'clock', ['now', 'elapsed', 'schedule']);
  return {
    redis,
    prefix,
    node: nameOf(all.node ?? `${hostname()}:${process.pid}`, 'node'),
    ttl,
    refresh,
    timeout: positiveDuration(all.timeout, 'timeout'),
    shards: integer(all.shards, 'shards', { to: 4_096 }),
    wait: integer(all.wait, 'wait', { from: 0 }),
    stateTtl: positiveDuration(all.stateTtl, 'stateTtl'),
    adopt: all.adopt && functionOf(all.adopt, 'adopt'),
    codecs: all.codecs ?? [],
    clock,
    serverTime: all.serverTime && functionOf(all.serverTime, 'serverTime'),
  };
}

/** @throws InvalidOptionError for what can't be told apart from another name once it is written as UTF-8 */
function nameOf(value: unknown, path: string): string {
  const name = text(value, path);
  if (name === '' || !name.isWellFormed()) throw expected(path, 'a well-formed, non-empty string', name);
  if (name.length > 512) throw new InvalidOptionError(`Expected \`${path}\` to have 512 letters at most`);
  return name;
}

function isPlace(name: string): boolean {
  return (placeNames as readonly string[]).includes(name);
}
