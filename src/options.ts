/** The options of a cache, of a method and of one call, their defaults, and how they are checked and resolved. */

import { inspect } from 'node:util';
import { type Clock, systemClock } from './clock.js';
import { type Duration, parseDuration } from './duration.js';
import { InvalidOptionError } from './errors.js';
import {
  type GuardOptions,
  guardDefaults,
  type LoadGuardName,
  type SetGuardName,
} from './guard/guard-options.js';
import {
  guardOptionNames,
  type ResolvedGuardOptions,
  resolvedGuardDefaults,
  resolveGuardOptions,
} from './guard/resolved-guard-options.js';
import { type IgnoredPath, ignoredMembers } from './key/ignored-path.js';
import {
  type DiskOptions,
  diskOptionNames,
  type ResolvedDiskOptions,
  resolveDiskOptions,
} from './persistence/disk-options.js';
import type { StoreFactory } from './store/store.js';
import type { ClassCodec } from './value/value-codec.js';

/**
 * How long a value is fresh: a duration in ms or as text (`'5m'`), `null` for ever, or a function of the value.
 * `0` keeps nothing: concurrent calls still share their load, but its result is not stored.
 */
export type Ttl = Duration | null | ((value: unknown) => Duration | null);

/** What can be set for all methods, for one method, and (where `LoadOptions` has it) for one call. */
export interface MethodOptions extends GuardOptions {
  /**
   * How long a value is fresh.
   * @default null (for ever)
   */
  readonly ttl?: Ttl;
  /**
   * Who may share an entry: a task, a user, a tenant. It becomes part of the key.
   * @default undefined (everybody)
   */
  readonly scope?: string;
  /**
   * The tool's version. It becomes part of the key: a changed tool is a new tool.
   * @default undefined
   */
  readonly version?: string | number;
  /**
   * Paths in the params that make no difference, such as `'trace_id'` or `'meta.requestId'`: left out of the key.
   * @default []
   */
  readonly ignore?: readonly IgnoredPath[];
}

/** The options of a `CacheManager`. */
export interface CacheOptions extends MethodOptions, DiskOptions {
  /**
   * Whether entries are also kept in partition files under `persistDir`, where they outlive the process.
   * @default false
   */
  readonly persist?: boolean;
  /**
   * Which entry leaves when room is needed: `'lru'`, `'lfu'`, `'fifo'`, `'ttl'`, `'gdsf'`, another registered name, or
   * a store factory.
   * @default 'lru'
   */
  readonly eviction?: string | StoreFactory;
  /**
   * The most entries in memory: 1 to 16,777,216.
   * @default 1000
   */
  readonly maxSize?: number;
  /**
   * The most bytes in memory, keys and overhead included.
   * @default 268435456 (256 MiB)
   */
  readonly maxBytes?: number;
  /**
   * The most bytes one entry may take; larger values are refused.
   * @default maxBytes
   */
  readonly maxEntryBytes?: number;
  /**
   * `'copy'` hands out a private copy at each hit, so that no caller can corrupt the cache; `'reference'` hands
   * out the value itself, which is quicker and trusts all callers not to change it.
   * @default 'copy'
   */
  readonly values?: 'copy' | 'reference';
  /**
   * How instances of your own classes are stored.
   * @default []
   */
  readonly codecs?: readonly ClassCodec[];
  /**
   * Options by method name; what a method does not set comes from the cache's own.
   * @default {}
   */
  readonly methods?: Readonly<Record<string, MethodOptions>>;
  /**
   * Where time comes from.
   * @default the system's clock
   */
  readonly clock?: Clock;
  /**
   * Random numbers in [0, 1), for stores and guards that draw lots.
   * @default Math.random
   */
  readonly random?: () => number;
}

/** The options of one lookup. */
export type LookupOptions = Pick<MethodOptions, 'scope'>;

/** The options of one `set`. */
export type SetOptions = Pick<MethodOptions, 'scope' | 'ttl' | SetGuardName>;

/** The options of one `getOrSet`. */
export interface LoadOptions extends Pick<MethodOptions, 'scope' | 'ttl' | LoadGuardName> {
  /** Aborts this caller's wait; when nobody else waits for the load, the load too. */
  readonly signal?: AbortSignal;
}

/** A method's options with nothing left open. */
export interface ResolvedMethodOptions extends ResolvedGuardOptions {
  readonly ttl: number | null | ((value: unknown) => Duration | null);
  readonly scope: string | undefined;
  readonly version: string | number | undefined;
  readonly ignore: readonly IgnoredPath[];
}

/** A cache's options with nothing left open. */
export interface ResolvedCacheOptions {
  readonly eviction: string | StoreFactory;
  readonly maxSize: number;
  readonly maxBytes: number;
  readonly maxEntryBytes: number;
  readonly values: 'copy' | 'reference';
  readonly codecs: readonly ClassCodec[];
  readonly clock: Clock;
  readonly random: () => number;
  readonly defaults: ResolvedMethodOptions;
  readonly methods: ReadonlyMap<string, ResolvedMethodOptions>;
  readonly persist: boolean;
  /** `undefined` when nothing is persisted, nor read from `loadCache`. */
  readonly disk: ResolvedDiskOptions | undefined;
}

/** The default of every option that has one. */
export const defaultOptions = {
  eviction: 'lru',
  maxSize: 1000,
  maxBytes: 256 * 1024 * 1024,
  values: 'copy',
  persist: false,
  ttl: null,
  ...guardDefaults,
} as const;

/** Every option that a method can have. */
export const methodOptionNames = ['ttl', 'scope', 'version', 'ignore', ...guardOptionNames] as const;
const cacheOptionNames = [
  ...methodOptionNames,
  ...['eviction', 'maxSize', 'maxBytes', 'maxEntryBytes', 'values', 'codecs', 'methods', 'clock', 'random'],
  ...['persist', ...diskOptionNames],
] as const;

/** @throws InvalidOptionError naming the option, its value and the fix */
export function resolveOptions(options: CacheOptions): ResolvedCacheOptions {
  refuseUnknown(options, cacheOptionNames, 'CacheManager');
  const defaults = resolveMethodOptions(options, '', {
    ...resolvedGuardDefaults,
    ttl: defaultOptions.ttl,
    scope: undefined,
    version: undefined,
    ignore: [],
  });
  const methods = new Map<string, ResolvedMethodOptions>();
  for (const [name, own] of Object.entries(methodsOf(given(options.methods, {})))) {
    refuseUnknown(own, methodOptionNames, `methods.${name}`);
    methods.set(name, resolveMethodOptions(own, `methods.${name}.`, defaults));
  }
  const maxBytes = positiveInteger(given(options.maxBytes, defaultOptions.maxBytes), 'maxBytes');
  return {
    eviction: given(options.eviction, defaultOptions.eviction),
    maxSize: positiveInteger(given(options.maxSize, defaultOptions.maxSize), 'maxSize'),
    maxBytes,
    maxEntryBytes: positiveInteger(given(options.maxEntryBytes, maxBytes), 'maxEntryBytes'),
    values: oneOf(given(options.values, defaultOptions.values), ['copy', 'reference'], 'values'),
    codecs: given(options.codecs, []),
    clock: resolveClock(options.clock),
    random: functionOption(options.random, 'random') ?? Math.random,
    defaults,
    methods,
    ...resolveDisk(options),
  };
}

/** Disk options are checked even when nothing is persisted: a typo should not wait for the day it is. */
function resolveDisk(options: CacheOptions): Pick<ResolvedCacheOptions, 'persist' | 'disk'> {
  const own = Object.entries(options).filter(([name]) =>
    (diskOptionNames as readonly string[]).includes(name),
  );
  const disk = resolveDiskOptions(Object.fromEntries(own));
  const persist = given(options.persist, defaultOptions.persist);
  if (typeof persist !== 'boolean') throw expected('persist', 'true or false', persist);
  return { persist, disk: persist || disk.loadCache.length > 0 ? disk : undefined };
}

/** Lays a method's, or a call's, own options over those it inherits. */
export function resolveMethodOptions(
  own: MethodOptions,
  path: string,
  inherited: ResolvedMethodOptions,
): ResolvedMethodOptions {
  const resolved = {
    ...resolveGuardOptions(own, path, inherited),
    ttl: own.ttl === undefined ? inherited.ttl : resolveTtl(own.ttl, `${path}ttl`),
    scope: own.scope === undefined ? inherited.scope : text(own.scope, `${path}scope`),
    version: own.version === undefined ? inherited.version : textOrNumber(own.version, `${path}version`),
    ignore: own.ignore === undefined ? inherited.ignore : paths(own.ignore, `${path}ignore`),
  };
  if (resolved.sliding && resolved.ttl === null) {
    throw new InvalidOptionError(
      `Expected \`${path}ttl\` with \`sliding: true\`, got none: say how long a value lives without being read`,
    );
  }
  return resolved;
}

/** Lays a call's own options over its method's, which most calls take as they are. */
export function resolveCallOptions(own: MethodOptions, method: ResolvedMethodOptions): ResolvedMethodOptions {
  for (const name of methodOptionNames) {
    if (own[name] !== undefined && name !== 'scope') return resolveMethodOptions(own, '', method);
  }
  return method;
}

/** A ttl as given, its text read. @throws InvalidOptionError */
export function resolveTtl(ttl: Ttl, path: string): ResolvedMethodOptions['ttl'] {
  return ttl === null || typeof ttl === 'function' ? ttl : parseDuration(ttl, path);
}

/** `null` is no way to ask for the default: it would hide a value that went missing. */
function given<T>(value: T | undefined, otherwise: T): T {
  return value === undefined ? otherwise : value;
}

function methodsOf(
  methods: Readonly<Record<string, MethodOptions>>,
): Readonly<Record<string, MethodOptions>> {
  if (typeof methods !== 'object' || methods === null)
    throw expected('methods', 'an object of options by method name', methods);
  return methods;
}

function positiveInteger(value: number, path: string): number {
  if (!Number.isSafeInteger(value) || value < 1) throw expected(path, 'a positive integer', value);
  return value;
}

function oneOf<const T extends string>(value: string, allowed: readonly T[], path: string): T {
  const found = allowed.find((each) => each === value);
  if (found === undefined) throw expected(path, allowed.map((each) => `'${each}'`).join(' or '), value);
  return found;
}

function text(value: string, path: string): string {
  if (typeof value !== 'string') throw expected(path, 'a string', value);
  return value;
}

function textOrNumber(value: string | number, path: string): string | number {
  if (typeof value !== 'string' && !Number.isFinite(value))
    throw expected(path, 'a string or finite number', value);
  return value;
}

function paths(value: readonly IgnoredPath[], path: string): readonly IgnoredPath[] {
  try {
    ignoredMembers(value);
  } catch (cause) {
    throw new InvalidOptionError(`Wrong \`${path}\`: ${(cause as Error).message}`, { cause });
  }
  return value;
}

function functionOption<F>(value: F | undefined, path: string): F | undefined {
  if (value !== undefined && typeof value !== 'function') throw expected(path, 'a function', value);
  return value;
}

function resolveClock(clock: Clock | undefined): Clock {
  if (clock === undefined) return systemClock;
  for (const name of ['now', 'elapsed', 'schedule'] as const) {
    if (typeof clock[name] !== 'function')
      throw expected('clock', `an object with a method \`${name}()\``, clock);
  }
  return clock;
}

function refuseUnknown(options: object, known: readonly string[], owner: string): void {
  if (typeof options !== 'object' || options === null) throw expected(owner, 'an object of options', options);
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    throw new InvalidOptionError(`Unknown option \`${name}\` of ${owner}. Known: ${known.join(', ')}`);
  }
}

function expected(path: string, what: string, value: unknown): InvalidOptionError {
  return new InvalidOptionError(
    `Expected \`${path}\` to be ${what}, got \`${inspect(value, { depth: 0 })}\``,
  );
}
