/** The facade: one cache for all of a program's tools. */

import { randomBytes } from 'node:crypto';
import type { EntryMetadata, TierName } from '../entry.js';
import { InvalidArgumentError } from '../errors.js';
import { type CacheEventName, type CacheListener, EventHub } from '../events.js';
import {
  type CacheOptions,
  type LoadOptions,
  type LookupOptions,
  resolveOptions,
  type SetOptions,
} from '../options.js';
import type { ConsolidationReport } from '../persistence/consolidation.js';
import type { CacheStats } from '../stats/counters.js';
import { createDecorator } from '../wrap/decorator.js';
import type { Cached, CachedSync } from '../wrap/decorator-types.js';
import type { SyncWrapOptions, WrapOptions } from '../wrap/wrap-options.js';
import type { AnyFunction, SyncOnly, Wrapped, WrappedSync } from '../wrap/wrapped-types.js';
import { Wrapping } from '../wrap/wrapping.js';
import { clearCache, invalidateTags } from './clearing.js';
import { asCacheError, CacheCore, type SlowTiers } from './core.js';
import type { Loader } from './loader.js';
import { MethodCache } from './method-cache.js';
import { type Lookup, metadataOf } from './method-lookups.js';
import { statsOf } from './method-state.js';
import { ManagerHost } from './wrap-target.js';

/** What `load` reads. */
export interface LoadRequest {
  /** @default 'incremental' */
  readonly mode?: 'full' | 'incremental';
  /** Files or folders to read instead of `persistDir`. */
  readonly files?: readonly string[];
}

/** One entry, as iteration hands it out. */
export interface CacheEntry<T = unknown> {
  readonly method: string;
  readonly key: string;
  readonly value: T;
  readonly tier: TierName;
  readonly metadata: EntryMetadata;
}

/**
 * A cache of tool-call results. Entries are told apart by method (the tool's name) and params, by way of the same
 * MD5 key that `hashKey` gives and Python reproduces.
 *
 * @example
 * const cache = new CacheManager({ maxSize: 10_000, ttl: '1h' });
 * const hits = await cache.getOrSet('search', { query: 'mvcc' }, () => search('mvcc'));
 */
export class CacheManager implements AsyncDisposable {
  readonly #core: CacheCore;
  readonly #methods = new Map<string, MethodCache>();
  readonly #wrapping: Wrapping;
  /**
   * Decorates methods that return promises: `@cache.cached`, or `@cache.cached({ ttl: '5m' })`, under standard
   * decorators and `experimentalDecorators`. The method's name is `Class.method`, of the class that defines it. Without
   * `scope` or `shared` only calls on the first instance are cached. It works without a receiver too:
   * `const { cached } = cache`.
   * @throws InvalidOptionError for a malformed option, or a method that has no name of its own
   */
  readonly cached: Cached;
  /** `cached` for methods that return at once, on the memory tier. */
  readonly cachedSync: CachedSync;
  #closing: Promise<void> | undefined;

  /**
   * @param tiers tiers below memory, fastest first; @internal
   * @throws InvalidOptionError naming the option, its value and the fix
   */
  constructor(options: CacheOptions = {}, tiers: SlowTiers = []) {
    this.#core = new CacheCore(resolveOptions(options), tiers, randomBytes(8).toString('hex'));
    this.#wrapping = new Wrapping(new ManagerHost(this.#core));
    this.cached = createDecorator(this.#wrapping, false) as Cached;
    this.cachedSync = createDecorator(this.#wrapping, true) as CachedSync;
  }

  /** Makes a cache and waits until it is open. */
  static async open(options: CacheOptions = {}): Promise<CacheManager> {
    const cache = new CacheManager(options);
    await cache.open();
    return cache;
  }

  /** Waits for what starts in the background; rejects when it can't be had. A cache works without it. */
  async open(): Promise<void> {
    await this.#core.tiers.open();
  }

  /**
   * A handle on one method: the same operations without the name. The cache keeps a little state for every method
   * it has met, so use tool names and not values that vary without end.
   * @throws InvalidArgumentError when the name is empty or has a lone surrogate
   */
  method(name: string): MethodCache {
    let method = this.#methods.get(name);
    if (method === undefined) {
      method = new MethodCache(this.#core, this.#core.state(name));
      this.#methods.set(name, method);
    }
    return method;
  }

  /** The key of a call: 32 hex digits. @throws UnhashableParamsError */
  key(method: string, params: unknown, options?: LookupOptions): string {
    return this.method(method).key(params, options);
  }

  /** The value of a call, fresh or stale; `undefined` when there is none (`lookup` tells a stored `undefined`). */
  get<T = unknown>(method: string, params: unknown, options?: LookupOptions): Promise<T | undefined> {
    // As in `getOrSet`.
    try {
      return this.method(method).get<T>(params, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The value of a call from memory alone, at once. */
  getSync<T = unknown>(method: string, params: unknown, options?: LookupOptions): T | undefined {
    return this.method(method).getSync<T>(params, options);
  }

  /** The value of a call and all that is known of it, a miss, or an error of the cache. Counts as a use. */
  async lookup<T = unknown>(method: string, params: unknown, options?: LookupOptions): Promise<Lookup<T>> {
    return this.method(method).lookup<T>(params, options);
  }

  /** `get` from memory alone, without counting as a use or in the statistics. */
  peek<T = unknown>(method: string, params: unknown, options?: LookupOptions): T | undefined {
    return this.method(method).peek<T>(params, options);
  }

  /** Whether there is a value in any tier. Not counted. */
  async has(method: string, params: unknown, options?: LookupOptions): Promise<boolean> {
    return this.method(method).has(params, options);
  }

  /** Stores a value; see `MethodCache.set`. */
  async set(method: string, params: unknown, value: unknown, options?: SetOptions): Promise<boolean> {
    return this.method(method).set(params, value, options);
  }

  /** `set`, at once: memory has it on return, slower tiers have it in their buffers. */
  setSync(method: string, params: unknown, value: unknown, options?: SetOptions): boolean {
    return this.method(method).setSync(params, value, options);
  }

  /**
   * The value of a call; on a miss the loader's, which is then stored. Concurrent calls of one key share one load.
   * See `MethodCache.getOrSet`.
   */
  getOrSet<T>(method: string, params: unknown, loader: Loader<T>, options?: LoadOptions): Promise<T> {
    // Not an async function: one that returns another's promise makes each hit wait for two more turns.
    try {
      return this.method(method).getOrSet(params, loader, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Loads a call anew, whatever the cache holds, and stores the result. */
  async refresh<T>(method: string, params: unknown, loader: Loader<T>, options?: LoadOptions): Promise<T> {
    return this.method(method).refresh(params, loader, options);
  }

  /**
   * A function whose results are cached: the same parameters, and a promise of the same result. It rejects as
   * `getOrSet` does. The method's name is the function's own, or `name`; a single plain object is the params, other
   * arguments are a list, unless `params` or `key` say otherwise. An AbortSignal as the last argument, or as an own
   * field of a single object argument, is no part of the key: it ends this caller's wait, and the tool is given one
   * that is aborted once nobody waits any more.
   *
   * The tool gets a copy of plain arguments, so that changing them during the call does no harm.
   * @throws InvalidOptionError for a malformed option, or a function that has no name of its own
   *
   * @example
   * const search = cache.wrap(searchTheWeb, { ttl: '1h', params: ['query', 'limit'] });
   * await search('mvcc', 10);
   * await search.invalidate('mvcc', 10);
   */
  wrap<F extends AnyFunction>(
    fn: F,
    options: WrapOptions<ThisParameterType<F>, Parameters<F>> = {},
  ): Wrapped<F> {
    return this.#wrapping.wrap(fn, options, false) as unknown as Wrapped<F>;
  }

  /**
   * `wrap` for functions that return at once, on the memory tier. A promise is returned and not stored. Guards that
   * need time to pass during a call are refused here; where the cache or the method has them, they do nothing for it.
   */
  wrapSync<F extends AnyFunction>(
    this: CacheManager & SyncOnly<F>,
    fn: F,
    options: SyncWrapOptions<ThisParameterType<F>, Parameters<F>> = {},
  ): WrappedSync<F> {
    return this.#wrapping.wrap(fn, options, true) as unknown as WrappedSync<F>;
  }

  /** Deletes a call's value; tells whether memory had it. */
  async delete(method: string, params: unknown, options?: LookupOptions): Promise<boolean> {
    return this.method(method).delete(params, options);
  }

  /** Deletes all values of a method, or everything. Loads under way are not stored. */
  async clear(method?: string): Promise<void> {
    clearCache(this.#core, method);
  }

  /**
   * Makes void every entry that carries one of the tags, in every tier, and the results of loads under way that do. It
   * costs the same however many those are: they are recognised when they are read. See the option `tags`.
   */
  async invalidateTags(tags: readonly string[]): Promise<void> {
    invalidateTags(this.#core, tags);
  }

  /** `get` for many, in their order. */
  async getMany<T = unknown>(
    method: string,
    params: Iterable<unknown>,
    options?: LookupOptions,
  ): Promise<(T | undefined)[]> {
    return this.method(method).getMany<T>(params, options);
  }

  /** `set` for many pairs of params and value; tells of each whether it was stored. */
  async setMany(
    method: string,
    pairs: Iterable<readonly [params: unknown, value: unknown]>,
    options?: SetOptions,
  ): Promise<boolean[]> {
    return this.method(method).setMany(pairs, options);
  }

  /** `delete` for many; tells of each whether memory had it. */
  async deleteMany(method: string, params: Iterable<unknown>, options?: LookupOptions): Promise<boolean[]> {
    return this.method(method).deleteMany(params, options);
  }

  /**
   * All live entries, those in memory first. Does not count as use. Entries set meanwhile may be missing; one that
   * can't be read is left out, counted and emitted as an error.
   */
  async *entries(method?: string): AsyncGenerator<CacheEntry> {
    for await (const { entry, tier } of this.#core.tiers.entries(method)) {
      let value: unknown;
      try {
        value = this.#core.keeper.give(entry.kept);
      } catch (cause) {
        const error = asCacheError(cause, `The value of ${entry.key} can't be read`);
        this.#core.failed(error, this.#core.state(entry.method), entry.key);
        continue;
      }
      yield { method: entry.method, key: entry.key, value, tier, metadata: metadataOf(entry) };
    }
  }

  [Symbol.asyncIterator](): AsyncGenerator<CacheEntry> {
    return this.entries();
  }

  /** The methods used so far. */
  methods(): string[] {
    return Array.from(this.#core.states(), (state) => state.name);
  }

  /** The statistics of a method, or of all together. */
  stats(method?: string): CacheStats {
    const states = [...this.#core.states()];
    if (method !== undefined) return statsOf(states.filter(({ name }) => name === method));
    return statsOf(states, this.#core.unattributed.counters.cacheErrors);
  }

  /** Listens to an event. @throws InvalidArgumentError for an unknown event */
  on<N extends CacheEventName>(event: N, listener: CacheListener<N>): this {
    this.#core.events.on(checkedEvent(event), listener);
    return this;
  }

  /** Listens to an event once. */
  once<N extends CacheEventName>(event: N, listener: CacheListener<N>): this {
    this.#core.events.once(checkedEvent(event), listener);
    return this;
  }

  /** Stops listening. */
  off<N extends CacheEventName>(event: N, listener: CacheListener<N>): this {
    this.#core.events.off(checkedEvent(event), listener);
    return this;
  }

  /**
   * Reads partition files again: with `incremental` (the default) what is new in `persistDir`, with `full` all of it.
   * With `files`, those files or folders are read instead; they may lie anywhere and are not changed.
   * @throws InvalidArgumentError when nothing is persisted
   */
  async load(request: LoadRequest = {}): Promise<void> {
    const { disk } = this.#core;
    if (disk === undefined)
      throw new InvalidArgumentError('There is nothing to load into: make the cache with `persist: true`');
    await disk.load(request);
  }

  /**
   * Merges the partition files that nobody appends to any more, drops what is overwritten, expired or beyond
   * `maxDiskAge` and `maxDiskBytes`, and tells what it read, wrote and dropped. The cache can be used meanwhile.
   * @throws InvalidArgumentError when nothing is persisted
   */
  async consolidate(): Promise<ConsolidationReport> {
    const { disk } = this.#core;
    if (disk === undefined || !('consolidate' in disk))
      throw new InvalidArgumentError('There is nothing to consolidate: make the cache with `persist: true`');
    return disk.consolidate();
  }

  /** Resolves when everything set before is stored in every tier. */
  async flush(): Promise<void> {
    await this.#core.tiers.flush();
  }

  /**
   * Flushes and lets go of everything. After that `get`, `set` and their like throw `CacheClosedError`; `getOrSet`
   * and wrapped functions run their tools uncached. Loads under way finish for their callers.
   */
  async close(): Promise<void> {
    this.#core.isClosed = true;
    this.#closing ??= this.#core.tiers.close();
    await this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function checkedEvent<N extends CacheEventName>(event: N): N {
  if (EventHub.isEventName(event)) return event;
  throw new InvalidArgumentError(
    `Unknown event \`${String(event)}\`. Known: ${EventHub.names.map((name) => `\`${name}\``).join(', ')}`,
  );
}
