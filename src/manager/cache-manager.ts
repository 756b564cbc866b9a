// biome-ignore-all lint/complexity/noArguments: only their number tells what was left out from what is undefined.
/** The facade: one cache for all of a program's tools. */

import { type CacheEventName, type CacheListener, checkedEvent } from '../events.js';
import type { CacheOptions, LoadOptions, LookupOptions, SetOptions } from '../options.js';
import type { ConsolidationReport } from '../persistence/consolidate/consolidation.js';
import { type RecordedTools, recordedTools } from '../recorded-tools.js';
import type { CacheStats } from '../stats/counters.js';
import type { ToolRules } from '../tools/tool-rules.js';
import { cachedTools } from '../tools/tool-set.js';
import { createDecorator } from '../wrap/decorator.js';
import type { Cached, CachedSync } from '../wrap/decorator-types.js';
import type { SyncWrapOptions, WrapOptions } from '../wrap/wrap-options.js';
import type { ArgumentsOf, FunctionObject, SyncOnly, Wrapped, WrappedSync } from '../wrap/wrapped-types.js';
import { Wrapping } from '../wrap/wrapping.js';
import { type CacheCore, coreFor, type SlowTiers } from './cache-context.js';
import { type CallName, checkCount, type LoadRequest, refuseMethodOptions } from './call-checks.js';
import { clearCache, type DeleteCriteria, type DeletionReport, invalidateTags } from './deletion.js';
import { type CacheEntry, listEntries } from './entry-listing.js';
import type { Loader } from './load/loader.js';
import type { Lookup } from './lookup.js';
import { MethodCache } from './method-cache.js';
import { cacheStats, reportOn } from './statistics.js';
import { ManagerHost } from './wrap-host.js';

/**
 * A cache of tool-call results. Entries are identified by method (the tool's name) and params, by way of the same
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
   * `scope` or `shared` only calls on the first instance are cached.
   * @throws InvalidOptionError for a malformed option, or a method that has no name of its own
   */
  readonly cached: Cached;
  /** `cached` for methods that return at once, on the memory tier. */
  readonly cachedSync: CachedSync;
  #closing: Promise<void> | undefined;

  /** A cache, ready to use at once. @throws InvalidOptionError naming the option, its value and the fix */
  constructor(options?: CacheOptions);
  /** @internal @param tiers tiers below memory, fastest first */
  constructor(options: CacheOptions, tiers: SlowTiers);
  constructor(options: CacheOptions = {}, tiers: SlowTiers = []) {
    this.#core = coreFor(this, options, tiers);
    this.#wrapping = new Wrapping(new ManagerHost(this.#core));
    this.cached = createDecorator(this.#wrapping, false) as Cached;
    this.cachedSync = createDecorator(this.#wrapping, true) as CachedSync;
  }

  /** Makes a cache and waits until it is open. When that fails, what it held (the folder, timers) is released. */
  static async open(options: CacheOptions = {}): Promise<CacheManager> {
    const cache = new CacheManager(options);
    try {
      await cache.open();
    } catch (error) {
      // Why it could not be opened matters more than what closing says about the same trouble.
      await cache.close().catch(() => undefined);
      throw error;
    }
    return cache;
  }

  /** Waits for what starts in the background; rejects when it can't be had, or after `close`. A cache works without it. */
  async open(): Promise<void> {
    await this.#core.open();
  }

  /**
   * A handle on one method: the same operations without the name. The cache keeps a little state for every method
   * it has met, so use tool names and not values that vary without end.
   * @throws InvalidArgumentError when the name is empty or has a lone surrogate
   */
  method(name: string): MethodCache {
    refuseMethodOptions(arguments.length);
    const known = this.#methods.get(name);
    if (known !== undefined) return known;
    const method = new MethodCache(this.#core, this.#core.state(name));
    this.#methods.set(method.name, method);
    return method;
  }

  #of(call: CallName, name: string, given: number, value?: unknown): MethodCache {
    checkCount(call, name, given, value);
    return this.method(name);
  }

  /** The key of a call: 32 hex digits. @throws UnhashableParamsError */
  key(method: string, params: unknown, options?: LookupOptions): string {
    return this.#of('key', method, arguments.length).key(params, options);
  }

  /** The value of a call, fresh or stale; `undefined` for none (`lookup` tells a stored `undefined` apart). */
  get<T = unknown>(method: string, params: unknown, options?: LookupOptions): Promise<T | undefined> {
    // As in `getOrSet`.
    try {
      return this.#of('get', method, arguments.length).get<T>(params, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The value of a call from memory alone, at once. */
  getSync<T = unknown>(method: string, params: unknown, options?: LookupOptions): T | undefined {
    return this.#of('getSync', method, arguments.length).getSync<T>(params, options);
  }

  /** The value of a call and all that is known of it, a miss, or an error of the cache. Counts as a use. */
  async lookup<T = unknown>(method: string, params: unknown, options?: LookupOptions): Promise<Lookup<T>> {
    return this.#of('lookup', method, arguments.length).lookup<T>(params, options);
  }

  /** `get` from memory alone, without counting as a use or in the statistics. */
  peek<T = unknown>(method: string, params: unknown, options?: LookupOptions): T | undefined {
    return this.#of('peek', method, arguments.length).peek<T>(params, options);
  }

  /** Whether there is a value in any tier. Not counted. */
  async has(method: string, params: unknown, options?: LookupOptions): Promise<boolean> {
    return this.#of('has', method, arguments.length).has(params, options);
  }

  /** Stores a value; see `MethodCache.set`. */
  async set(method: string, params: unknown, value: unknown, options?: SetOptions): Promise<boolean> {
    return this.#of('set', method, arguments.length, value).set(params, value, options);
  }

  /** `set`, at once: memory has it on return, slower tiers have it in their buffers. */
  setSync(method: string, params: unknown, value: unknown, options?: SetOptions): boolean {
    return this.#of('setSync', method, arguments.length, value).setSync(params, value, options);
  }

  /** The value of a call; on a miss the loader's, then stored. Concurrent calls share one load. See `MethodCache.getOrSet`. */
  getOrSet<T>(method: string, params: unknown, loader: Loader<T>, options?: LoadOptions): Promise<T> {
    // Not an async function: one that returns another's promise makes each hit wait for two more turns.
    try {
      return this.#of('getOrSet', method, arguments.length).getOrSet(params, loader, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Loads a call anew, whatever the cache holds, and stores the result. */
  async refresh<T>(method: string, params: unknown, loader: Loader<T>, options?: LoadOptions): Promise<T> {
    return this.#of('refresh', method, arguments.length).refresh(params, loader, options);
  }

  /**
   * A function whose results are cached: the same parameters, and a promise of the same result. It rejects as
   * `getOrSet` does. The method's name is the function's own, or `name`; a single plain object is the params, other
   * arguments are a list, unless `params` or `key` say otherwise. An AbortSignal among the arguments, also within plain
   * objects and lists, is no part of the key: it ends this caller's wait, and the tool is given one that is aborted once
   * nobody waits any more. It gets a copy of plain arguments, so that changing them during the call does no harm.
   * @throws InvalidOptionError for a malformed option, or a function that has no name of its own
   *
   * @example
   * const search = cache.wrap(searchTheWeb, { ttl: '1h', params: ['query', 'limit'] });
   * await search('mvcc', 10);
   * await search.invalidate('mvcc', 10);
   */
  wrap<F extends FunctionObject, Collect extends boolean = false>(
    fn: F,
    options: WrapOptions<ThisParameterType<F>, ArgumentsOf<F>, Collect> = {},
  ): Wrapped<F, Collect> {
    return this.#wrapping.wrap(fn, options, CacheManager.prototype.wrap) as unknown as Wrapped<F, Collect>;
  }

  /**
   * `wrap` for functions that return at once, on the memory tier. A promise is returned and not stored. Guards that
   * need time to pass during a call are refused here; where the cache or the method has them, they do nothing for it.
   */
  wrapSync<F extends FunctionObject>(
    this: CacheManager & SyncOnly<F>,
    fn: F,
    options: SyncWrapOptions<ThisParameterType<F>, ArgumentsOf<F>> = {},
  ): WrappedSync<F> {
    const definer = CacheManager.prototype.wrapSync;
    return this.#wrapping.wrapSync(fn, options, definer) as unknown as WrappedSync<F>;
  }

  /**
   * A list or record of tools as an agent framework defines them, the same but for their calls, which are cached where a
   * rule says so: `cache.tools({ search, book }, { search: { ttl: '1h' }, 'book*': 'write', '*': 'opaque' })`. The input
   * makes the key; the context that a framework passes besides is handed to the tool.
   * @throws InvalidOptionError for a malformed rule, or a tool that can't be cached as its rule says, with the fix
   */
  tools<T extends object>(tools: T, rules: ToolRules): T {
    return cachedTools(this.#wrapping, { tools, rules, definer: CacheManager.prototype.tools });
  }

  /** Deletes a call's value; returns whether memory had it. */
  async delete(method: string, params: unknown, options?: LookupOptions): Promise<boolean> {
    return this.#of('delete', method, arguments.length).delete(params, options);
  }

  /** `delete` by key, as `key` and iteration give it. @throws InvalidArgumentError for what is no key */
  async deleteKey(method: string, key: string): Promise<boolean> {
    return this.#of('deleteKey', method, arguments.length).deleteKey(key);
  }

  /** Makes a call's value stale as of now, kept to fall back on; see `MethodCache.expire`. */
  async expire(method: string, params: unknown, options?: LookupOptions): Promise<boolean> {
    return this.#of('expire', method, arguments.length).expire(params, options);
  }

  /** `expire` by key. @throws InvalidArgumentError for what is no key */
  async expireKey(method: string, key: string): Promise<boolean> {
    return this.#of('expireKey', method, arguments.length).expireKey(key);
  }

  /** Deletes a method's values by scope, version or a predicate on params; see `MethodCache.deleteWhere`. */
  async deleteWhere(method: string, criteria: DeleteCriteria): Promise<DeletionReport> {
    return this.#of('deleteWhere', method, arguments.length).deleteWhere(criteria);
  }

  /** Deletes all values of a method, or everything; see `MethodCache.clear`. Loads under way are not stored. */
  async clear(method?: string): Promise<void> {
    await clearCache(this.#core, method);
  }

  /**
   * Makes void every entry that carries one of the tags, in every tier, and the results of loads under way that do. It
   * costs the same however many those are. See the option `tags`.
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
    return this.#of('getMany', method, arguments.length).getMany<T>(params, options);
  }

  /** `set` for many pairs of params and value; returns for each whether it was stored. */
  async setMany(
    method: string,
    pairs: Iterable<readonly [params: unknown, value: unknown]>,
    options?: SetOptions,
  ): Promise<boolean[]> {
    return this.#of('setMany', method, arguments.length).setMany(pairs, options);
  }

  /** `delete` for many; returns for each whether memory had it. */
  async deleteMany(method: string, params: Iterable<unknown>, options?: LookupOptions): Promise<boolean[]> {
    return this.#of('deleteMany', method, arguments.length).deleteMany(params, options);
  }

  /**
   * All live entries, those in memory first. Does not count as use. Entries set meanwhile may be missing; one that can't
   * be read is left out and counted as an error. Ends with a `CacheClosedError` when the cache is closed before the last.
   */
  entries(method?: string): AsyncGenerator<CacheEntry> {
    return listEntries(this.#core, method);
  }

  /** `entries()` of all methods: `for await (const entry of cache)`. */
  [Symbol.asyncIterator](): AsyncGenerator<CacheEntry> {
    return this.entries();
  }

  /** The methods used so far. */
  methods(): string[] {
    return Array.from(this.#core.states(), (state) => state.name);
  }

  /** The statistics of a method, or of all together. */
  stats(method?: string): CacheStats {
    return cacheStats(this.#core, method);
  }

  /** Prints what the cache did, tool by tool, as `toolstash replay` does, and returns it as plain text. */
  report(): string {
    return reportOn(this.#core);
  }

  /** Listens to an event. @throws InvalidArgumentError for an unknown event */
  on<N extends CacheEventName>(event: N, listener: CacheListener<N>): this {
    this.#core.events.on(checkedEvent(event, listener), listener);
    return this;
  }

  /** Listens to an event once. */
  once<N extends CacheEventName>(event: N, listener: CacheListener<N>): this {
    this.#core.events.once(checkedEvent(event, listener), listener);
    return this;
  }

  /** Stops listening. */
  off<N extends CacheEventName>(event: N, listener: CacheListener<N>): this {
    this.#core.events.off(checkedEvent(event, listener), listener);
    return this;
  }

  /**
   * Reads partition files again: with `incremental` (the default) what is new in `persistDir`, with `full` all of it.
   * With `files`, those files or folders are read instead; they may lie anywhere and are not changed.
   * @throws InvalidArgumentError for a malformed request or without `persist`; `ERR_STORAGE` for a path that can't be read
   */
  async load(request: LoadRequest = {}): Promise<void> {
    await this.#core.load(request);
  }

  /**
   * Merges the partition files that nobody appends to any more, drops what is overwritten, expired or beyond
   * `maxDiskAge` and `maxDiskBytes`, and returns what it read, wrote and dropped. The cache can be used meanwhile.
   * @throws InvalidArgumentError when nothing is persisted
   */
  async consolidate(): Promise<ConsolidationReport> {
    return this.#core.consolidate();
  }

  /** Resolves when everything set before is stored in every tier. @throws CacheError where a tier can't be had or written */
  async flush(): Promise<void> {
    await this.#core.tiers.flush();
  }

  /**
   * Flushes and lets go of everything. After that `get`, `set` and their like throw `CacheClosedError`; `getOrSet` and
   * wrapped functions run their tools uncached. Loads under way finish for their callers. @throws as `flush`, but closed
   */
  async close(): Promise<void> {
    this.#closing ??= this.#core.close();
    await this.#closing;
  }

  /** @internal */
  get [recordedTools](): RecordedTools | undefined {
    return this.#core.recorded;
  }

  /** `close()`: `await using cache = …`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
