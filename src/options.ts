/** The options of a cache, of a method and of one call, their defaults, and how they are checked and resolved. */

import { atOnce, notPromised, soundRandom } from './at-once.js';
import type { Clock } from './clock.js';
import { type Duration, parseDuration } from './duration.js';
import { InvalidOptionError } from './errors.js';
import { type GuardOptions, guardDefaults } from './guard/guard-options.js';
import { refuseIdleCoherence, refuseIdleMaxAge, refuseIdleOptions } from './guard/idle-options.js';
import {
  guardOptionNames,
  type ResolvedGuardOptions,
  resolvedGuardDefaults,
  resolveGuardOptions,
} from './guard/resolved-guard-options.js';
import { resolveClock, resolveRemote, resolveTiers } from './implementations.js';
import { checkedPaths, type IgnoredPath } from './key/ignored-path.js';
import { type KeepParams, resolveKeepParams } from './key/key-origin.js';
import {
  type Defined,
  functionOf,
  given,
  integer,
  objectOf,
  oneOf,
  refuseUnknown,
  text,
  textOrNumber,
  trueOrFalse,
} from './option-checks.js';
import {
  type DiskOptions,
  diskOptionNames,
  type ResolvedDiskOptions,
  recordingDiskOptions,
  refuseIdleDiskOptions,
  resolveDiskOptions,
} from './persistence/disk-options.js';
import { type Recording, resolveRecording } from './recorded-tools.js';
import { type Arena, resolveMemory } from './store/arena-options.js';
import type { MemoryOptions, ResolvedMemoryOptions } from './store/memory-options.js';
import type { StoreFactory } from './store/store.js';
import type { StoreNames } from './store/store-names.js';
import type { Remote, SlowTier } from './tier.js';
import type { ClassCodec } from './value/codec.js';

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
  readonly ttl?: Ttl | undefined;
  /**
   * Who may share an entry: a task, a user, a tenant. It becomes part of the key.
   * @default undefined (everybody)
   */
  readonly scope?: string | undefined;
  /**
   * The tool's version. It becomes part of the key: a changed tool is a new tool.
   * @default undefined
   */
  readonly version?: string | number | undefined;
  /**
   * Paths in the params that make no difference, such as `'trace_id'` or `'meta.requestId'`: left out of the key.
   * @default []
   */
  readonly ignore?: readonly IgnoredPath[] | undefined;
  /**
   * Whether the params, scope, version and rollout of a call are kept beside its entry, in memory and on disk. They can
   * hold secrets; `redact` names paths that are never kept, besides what the cache redacts.
   * @default false
   */
  readonly keepParams?: boolean | KeepParams | undefined;
}

/** The options of a `CacheManager`. */
export interface CacheOptions extends MethodOptions, DiskOptions {
  /**
   * Whether entries are also kept in partition files under `persistDir`, where they outlive the process.
   * @default false
   */
  readonly persist?: boolean | undefined;
  /**
   * Which entry leaves when room is needed: a name of `StoreNames`, to which you add those you register, or a
   * store factory.
   * @default 'lru'
   */
  readonly eviction?: keyof StoreNames | StoreFactory | undefined;
  /**
   * The most entries in memory: 1 to 16,777,216.
   * @default 1000
   */
  readonly maxSize?: number | undefined;
  /**
   * The most bytes in memory, keys and overhead included.
   * @default 268435456 (256 MiB)
   */
  readonly maxBytes?: number | undefined;
  /**
   * The most bytes one entry may take; larger values are refused.
   * @default maxBytes
   */
  readonly maxEntryBytes?: number | undefined;
  /** Lets entries leave while the process runs short of memory; or `arena()` of `toolstash/arena`. @default undefined */
  readonly memory?: MemoryOptions | Arena | undefined;
  /**
   * `'copy'` hands out a private copy at each hit, so that no caller can corrupt the cache; `'reference'` hands
   * out the value itself, which is quicker and trusts all callers not to change it. A string or view in such a value that
   * was cut from a larger one (`text.slice(…)`, `bytes.subarray(…)`) keeps that in memory, uncounted; a copy never does.
   * @default 'copy'
   */
  readonly values?: 'copy' | 'reference' | undefined;
  /**
   * How instances of your own classes are stored.
   * @default []
   */
  readonly codecs?: readonly ClassCodec[] | undefined;
  /**
   * Slower tiers of your own behind memory and disk, fastest first. What they find goes to memory, what is set goes to them.
   * @default []
   */
  readonly tiers?: readonly SlowTier[] | undefined;
  /**
   * A tier that many machines share, behind all others: `redis({ url })` of `toolstash/redis`.
   * @default undefined
   */
  readonly remote?: Remote | undefined;
  /**
   * What tools answer, recorded or played back: `recording({ dir })` of `toolstash/recording`. Unless it is `live`,
   * `persist`, `tiers` and `remote` are left aside. `false`: there is none, on purpose.
   * @default false
   */
  readonly recording?: Recording | false | undefined;
  /**
   * Options by method name; what a method does not set comes from the cache's own.
   * @default {}
   */
  readonly methods?: Readonly<Record<string, MethodOptions>> | undefined;
  /**
   * Where time comes from.
   * @default the system's clock
   */
  readonly clock?: Clock | undefined;
  /**
   * Random numbers in [0, 1), for stores and guards that sample at random. Where it gives none, `Math.random` does.
   * @default Math.random
   */
  readonly random?: (() => number) | undefined;
}

/** The options of one lookup. */
export type LookupOptions = Pick<MethodOptions, 'scope'>;

/** The options of one `set`. */
export type SetOptions = Pick<
  MethodOptions,
  | ('scope' | 'ttl' | 'jitter' | 'memoryTtl' | 'negativeTtl' | 'isNegative' | 'sliding' | 'maxAge')
  | ('staleWhileRevalidate' | 'staleIfError' | 'tags' | 'cost')
>;

/** The options of one `getOrSet`. */
export interface LoadOptions
  extends SetOptions,
    Pick<MethodOptions, 'refreshAhead' | 'cacheErrors' | 'isError' | 'softTimeout' | 'hardTimeout'> {
  /** Aborts this caller's wait; when nobody else waits for the load, the load too. */
  readonly signal?: AbortSignal | undefined;
}

/** A method's options with nothing left open. */
export interface ResolvedMethodOptions extends ResolvedGuardOptions {
  readonly ttl: number | null | ((value: unknown) => Duration | null);
  readonly scope: string | undefined;
  readonly version: string | number | undefined;
  readonly ignore: readonly IgnoredPath[];
  /** `undefined`: params are not kept. */
  readonly keepParams: Required<Defined<KeepParams>> | undefined;
}

/** A cache's options with nothing left open. */
export interface ResolvedCacheOptions {
  readonly eviction: string | StoreFactory;
  readonly maxSize: number;
  readonly maxBytes: number;
  readonly maxEntryBytes: number;
  readonly memory: ResolvedMemoryOptions | undefined;
  readonly arena: Arena | undefined;
  readonly values: 'copy' | 'reference';
  readonly codecs: readonly ClassCodec[];
  readonly tiers: readonly SlowTier[];
  readonly remote: Remote | undefined;
  /** `undefined`: there is none, or nothing is done with it. */
  readonly recording: Recording | undefined;
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
export const methodOptionNames = [
  'ttl',
  'scope',
  'version',
  'ignore',
  'keepParams',
  ...guardOptionNames,
] as const;
const cacheOptionNames = [
  ...methodOptionNames,
  ...['eviction', 'maxSize', 'maxBytes', 'maxEntryBytes', 'memory', 'values', 'codecs'],
  ...['tiers', 'remote', 'recording', 'methods', 'clock', 'random'],
  ...['persist', ...diskOptionNames],
] as const;

/** What to say of an option of the whole cache that is given to one method, function or call. */
export function ofTheCache(name: string): string | undefined {
  if (!(cacheOptionNames as readonly string[]).includes(name)) return undefined;
  return `\`${name}\` is an option of the whole cache: give it to the CacheManager`;
}

/** @throws InvalidOptionError naming the option, its value and the fix */
export function resolveOptions(options: CacheOptions): ResolvedCacheOptions {
  refuseUnknown(objectOf(options, 'CacheManager', 'an object of options'), cacheOptionNames, {
    of: 'CacheManager',
  });
  const recording = resolveRecording(options.recording);
  const defaults = resolveMethodOptions(options, '', {
    ...resolvedGuardDefaults,
    ttl: defaultOptions.ttl,
    scope: undefined,
    version: undefined,
    ignore: [],
    keepParams: recording && { redact: recording.redact },
  });
  const methods = new Map<string, ResolvedMethodOptions>();
  const byMethod = objectOf(given(options.methods, {}), 'methods', 'an object of options by method name');
  for (const [name, own] of Object.entries(byMethod)) {
    const of = `methods.${name}`;
    refuseUnknown(objectOf(own, of, 'an object of options'), methodOptionNames, {
      of,
      elsewhere: ofTheCache,
    });
    const path = `${of}.`;
    const resolved = resolveMethodOptions(own, path, defaults);
    refuseIdleOptions(own, path, resolved);
    methods.set(name, resolved);
  }
  refuseIdleMaxAge(
    options,
    [...methods.values()].some(({ sliding }) => sliding),
  );
  refuseIdleCoherence(options);
  const maxBytes = integer(given(options.maxBytes, defaultOptions.maxBytes), 'maxBytes');
  const [tiers, remote] = [resolveTiers(given(options.tiers, [])), resolveRemote(options.remote)];
  return {
    eviction: given(options.eviction, defaultOptions.eviction),
    maxSize: integer(given(options.maxSize, defaultOptions.maxSize), 'maxSize'),
    maxBytes,
    maxEntryBytes: integer(given(options.maxEntryBytes, maxBytes), 'maxEntryBytes'),
    ...resolveMemory(options),
    values: oneOf(given(options.values, defaultOptions.values), 'values', ['copy', 'reference']),
    codecs: given(options.codecs, []),
    // Who replays has no network, and who records nothing that would answer in a tool's place.
    ...(recording === undefined ? { tiers, remote } : { tiers: [], remote: undefined }),
    recording,
    clock: resolveClock(options.clock),
    random: soundRandom(functionOf(given(options.random, Math.random), 'random')),
    defaults,
    methods,
    ...resolveDisk(options, recording),
  };
}

/** Disk options are checked even when nothing is persisted: a typo should not wait for the day it is. */
function resolveDisk(
  options: CacheOptions,
  recording: Recording | undefined,
): Pick<ResolvedCacheOptions, 'persist' | 'disk'> {
  const own = Object.entries(options).filter(([name]) =>
    (diskOptionNames as readonly string[]).includes(name),
  );
  const disk = resolveDiskOptions(Object.fromEntries(own));
  const persist = trueOrFalse(given(options.persist, defaultOptions.persist), 'persist');
  refuseIdleDiskOptions(options, disk.loadCache.length > 0);
  if (recording !== undefined) {
    const records = recording.mode === 'record';
    return { persist: records, disk: records ? recordingDiskOptions(recording.dir) : undefined };
  }
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
    ignore: own.ignore === undefined ? inherited.ignore : checkedPaths(own.ignore, `${path}ignore`),
    keepParams: resolveKeepParams(own.keepParams, `${path}keepParams`, inherited.keepParams),
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
  if (typeof ttl === 'function') return atOnce(ttl, path);
  return ttl === null ? null : parseDuration(notPromised(ttl, path), path);
}
