// biome-ignore-all lint/complexity/noArguments: only their number tells what was left out from what is undefined.
/** One method's part of a cache: every operation, for one tool. */

import { CacheClosedError } from '../errors.js';
import { allInSlices } from '../next-turn.js';
import {
  type LoadOptions,
  type LookupOptions,
  type MethodOptions,
  type ResolvedMethodOptions,
  resolveCallOptions,
  resolveMethodOptions,
  type SetOptions,
} from '../options.js';
import { asker, type CallOptions } from '../recorded-tools.js';
import type { CacheStats } from '../stats/counters.js';
import { asCacheError, type CacheCore } from './cache-context.js';
import {
  checkCallOptions,
  checkHandleCount,
  checkList,
  checkPair,
  loadCall,
  lookupCall,
  noOptions,
  refuseArguments,
  setCall,
  withNativeSignal,
} from './call-checks.js';
import { lifetimeOf } from './create-entry.js';
import {
  checkKey,
  clearCache,
  type DeleteCriteria,
  type DeletionReport,
  deleteEntry,
  deleteWhere,
  expireEntry,
} from './deletion.js';
import { type Loader, steady } from './load/loader.js';
import { MethodLoads } from './load/method-loads.js';
import { addKnownKey, storedOrigin } from './load/store-result.js';
import { type Lookup, MethodLookups, unreadable, valueIn } from './lookup.js';
import { getMany } from './lookup-many.js';
import { type MethodState, stateUnder, statsOf } from './method-context.js';
import { SharedCopies } from './shared-copies.js';

/**
 * A handle on one method of a cache, from `cache.method(name)`. Its operations are the manager's without the
 * method's name, and a little faster. Params can be any value that `hashKey` takes.
 */
export class MethodCache {
  readonly #core: CacheCore;
  readonly #state: MethodState;
  readonly #lookups: MethodLookups;
  readonly #loads: MethodLoads;

  /** @internal */
  constructor(core: CacheCore, state: MethodState, copies?: SharedCopies) {
    this.#core = core;
    this.#state = state;
    this.#lookups = new MethodLookups(core, state, copies);
    this.#loads = new MethodLoads(core, state, this.#lookups);
  }

  /** The method's name. */
  get name(): string {
    return this.#state.name;
  }

  /** @internal */
  get options(): ResolvedMethodOptions {
    return this.#state.options;
  }

  /**
   * The same method under options of a caller's own, read once for all its calls. What memory has of a value is decoded
   * once for several of them, who must not change it. @internal
   * @param copyBytes the most memory that this takes
   */
  under(options: MethodOptions, copyBytes: number): MethodCache {
    const state = stateUnder(this.#state, resolveMethodOptions(options, '', this.#state.options));
    // An arena gives another view of the same bytes each time.
    const isApart = this.#core.options.arena !== undefined;
    return new MethodCache(this.#core, state, isApart ? undefined : new SharedCopies(copyBytes));
  }

  /** The key of a call. @throws UnhashableParamsError */
  key(params: unknown, options: LookupOptions = noOptions): string {
    checkHandleCount('key', arguments.length);
    if (options !== noOptions) checkCallOptions(options, lookupCall, this.#state.options);
    return this.#state.key(params, options.scope);
  }

  /** The value of a call, fresh or stale; `undefined` for none (`lookup` tells a stored `undefined` apart). */
  async get<T = unknown>(params: unknown, options?: LookupOptions): Promise<T | undefined> {
    checkHandleCount('get', arguments.length);
    const key = this.#openKey(params, options);
    return valueIn(this.#lookups.inMemory<T>(key) ?? (await this.#below<T>(key, params, options)));
  }

  /** The value of a call from memory alone, at once. */
  getSync<T = unknown>(params: unknown, options?: LookupOptions): T | undefined {
    checkHandleCount('getSync', arguments.length);
    const key = this.#openKey(params, options);
    const held = this.#lookups.inMemory<T>(key, true);
    if (held === undefined) this.#core.replay?.past(this.#state.name, '`getSync` looks into memory alone');
    return valueIn(held ?? this.#lookups.missed<T>(key));
  }

  /** The value of a call and all that is known of it, a miss, or an error of the cache. Counts as a use. */
  async lookup<T = unknown>(params: unknown, options?: LookupOptions): Promise<Lookup<T>> {
    checkHandleCount('lookup', arguments.length);
    const key = this.#openKey(params, options);
    return this.#lookups.inMemory<T>(key) ?? this.#below<T>(key, params, options);
  }

  /** `lookup`, of what other processes have written up to now rather than up to the last pull. @internal */
  async lookupNewest<T = unknown>(params: unknown): Promise<Lookup<T>> {
    const key = this.#openKey(params);
    const { tiers } = this.#core;
    try {
      await Promise.all(tiers.slow.map((tier) => tier.refresh?.(this.name)));
    } catch (cause) {
      const error = asCacheError(cause, `What others have written of \`${this.name}\` can't be read`);
      this.#core.failed(error, this.#state, key);
      return { outcome: 'error', key, error };
    }
    return this.lookup<T>(params);
  }

  /** `get` from memory alone, without counting as a use or in the statistics. */
  peek<T = unknown>(params: unknown, options?: LookupOptions): T | undefined {
    checkHandleCount('peek', arguments.length);
    const entry = this.#lookups.held(this.#openKey(params, options));
    if (entry === undefined || !this.#lookups.isAnswered(entry)) return undefined;
    const value = this.#lookups.decode(entry);
    return value === unreadable ? undefined : (value as T);
  }

  /** Whether there is a value in any tier. Not counted. */
  async has(params: unknown, options?: LookupOptions): Promise<boolean> {
    checkHandleCount('has', arguments.length);
    const key = this.#openKey(params, options);
    const { tiers, replay } = this.#core;
    const entry = this.#lookups.held(key);
    if (entry !== undefined && this.#lookups.isAnswered(entry)) return true;
    if (replay !== undefined) return replay.has(this.#state.name, key);
    if (!tiers.hasSlow) return false;
    const [found] = await tiers.search([key], this.#state);
    return found !== undefined && 'entry' in found && this.#lookups.isAnswered(found.entry);
  }

  /**
   * Stores a value; returns whether it was stored. A value that is too large, or has a ttl of 0, is not, and what was
   * there before is gone then too. Where much waits to be written to disk, it resolves later, by a second at most.
   * @throws UnhashableParamsError, UnstorableValueError, InvalidOptionError
   */
  async set(params: unknown, value: unknown, options?: SetOptions): Promise<boolean> {
    checkHandleCount('set', arguments.length);
    const isStored = this.setSync(params, value, options);
    const room = this.#core.tiers.room();
    if (room !== undefined) await room;
    return isStored;
  }

  /** `set`, at once: memory has it on return, slower tiers have it in their buffers. */
  setSync(params: unknown, value: unknown, options: SetOptions = noOptions): boolean {
    checkHandleCount('setSync', arguments.length);
    if (options !== noOptions) checkCallOptions(options, setCall, this.#state.options);
    this.#assertOpen();
    const key = this.#state.keyInPassing(params, options.scope);
    const own = this.#state.options;
    const resolved = options === noOptions ? own : resolveCallOptions(options, own);
    this.#core.loads.supersede(key);
    this.#state.errors.forget(key);
    const { random } = this.#core.options;
    try {
      const lifetime = lifetimeOf(resolved, value, {
        decidedTtl: undefined,
        random,
        method: own,
      });
      const { stored, bytes } = this.#core.keeper.encode(value);
      addKnownKey(this.#core, { state: this.#state, key, options: resolved }, value);
      const { scope, [asker]: by } = options as SetOptions & CallOptions;
      const origin = storedOrigin(this.#core, this.#state, { params, scope, key, asker: by });
      return this.#core.tiers.put(this.#state, key, {
        ...{ stored, bytes, loadMs: 0, lifetime, origin },
        began: undefined,
      });
    } catch (error) {
      // The caller meant to overwrite what was there.
      this.#state.counters.refused++;
      this.#core.tiers.remove(this.#state, key, 'refuse');
      throw error;
    }
  }

  /**
   * The value of a call; on a miss the loader's, which is then stored. Concurrent calls of one key share one load.
   * Params that can't be hashed, values that can't be stored and failures of the cache are counted and cost the
   * caller nothing: it rejects only with the loader's own error, this caller's abort, a `ReentrantLoadError`, an
   * `InvalidOptionError` for a malformed option, or the error of a guard that was switched on: `LoaderTimeoutError`,
   * `CircuitOpenError`, `QueueFullError`.
   */
  getOrSet<T>(params: unknown, loader: Loader<T>, options: LoadOptions = noOptions): Promise<T> {
    return Promise.resolve(this.getOrSetAtOnce(params, loader, options));
  }

  /** `getOrSet`, but what memory has fresh is no promise. @internal */
  getOrSetAtOnce<T>(params: unknown, loader: Loader<T>, options: LoadOptions = noOptions): T | Promise<T> {
    const malformed = options === noOptions ? undefined : this.#problemWith(options);
    if (malformed !== undefined) return Promise.reject(malformed);
    return this.#loads.getOrSet(
      params,
      steady(this.#state, params, loader, options.scope),
      withNativeSignal(options),
    );
  }

  /** Loads a call anew, whatever the cache holds, and stores the result. Rejects as `getOrSet` does. */
  refresh<T>(params: unknown, loader: Loader<T>, options: LoadOptions = noOptions): Promise<T> {
    const malformed = options === noOptions ? undefined : this.#problemWith(options);
    if (malformed !== undefined) return Promise.reject(malformed);
    return this.#loads.refresh(
      params,
      steady(this.#state, params, loader, options.scope),
      withNativeSignal(options),
    );
  }

  /** Deletes a call's value; returns whether memory had it. */
  async delete(params: unknown, options?: LookupOptions): Promise<boolean> {
    checkHandleCount('delete', arguments.length);
    return deleteEntry(this.#core, this.#state, this.#openKey(params, options));
  }

  /** `delete` by key. @throws InvalidArgumentError for what is no key */
  async deleteKey(key: string): Promise<boolean> {
    checkHandleCount('deleteKey', arguments.length);
    checkKey(this.#core, key);
    return deleteEntry(this.#core, this.#state, key);
  }

  /**
   * Makes a call's value stale as of now, in every tier: the next load replaces it, and until then it may stand in as
   * `staleWhileRevalidate` and `staleIfError` allow. Tells whether there was one.
   */
  async expire(params: unknown, options?: LookupOptions): Promise<boolean> {
    checkHandleCount('expire', arguments.length);
    return expireEntry(this.#core, this.#state, this.#openKey(params, options));
  }

  /** `expire` by key. @throws InvalidArgumentError for what is no key */
  async expireKey(key: string): Promise<boolean> {
    checkHandleCount('expireKey', arguments.length);
    checkKey(this.#core, key);
    return expireEntry(this.#core, this.#state, key);
  }

  /**
   * Deletes this method's values by scope, version or a predicate on params, in every tier; returns how many, and how many
   * it could not judge. It goes through all of them. Needs `keepParams`.
   * @throws InvalidArgumentError where nothing is kept, or for malformed criteria; what the predicate throws
   */
  async deleteWhere(criteria: DeleteCriteria): Promise<DeletionReport> {
    checkHandleCount('deleteWhere', arguments.length);
    return deleteWhere(this.#core, this.#state, criteria);
  }

  /** Deletes all values of this method, at once for all who ask; resolves when memory has let go of them. */
  async clear(): Promise<void> {
    refuseArguments(
      'clear()',
      arguments.length,
      'it clears the whole method, `delete(params)` is for one call',
    );
    await clearCache(this.#core, this.#state.name);
  }

  /** `get` for many, in their order. Long lists are gone through in slices of some milliseconds, so that others run meanwhile. */
  async getMany<T = unknown>(params: Iterable<unknown>, options?: LookupOptions): Promise<(T | undefined)[]> {
    checkList('getMany', params);
    // All are read before the first is looked up: the list may change meanwhile.
    const list = Array.from(params);
    if (this.#core.replay !== undefined) return allInSlices(list, (each) => this.get<T>(each, options));
    return getMany<T>(this.#lookups, list, (each) => this.#openKey(each, options));
  }

  /**
   * `set` for many pairs of params and value; returns for each whether it was stored. Like `getMany` in slices: leave pairs
   * and values as they are until it resolves.
   */
  async setMany(
    pairs: Iterable<readonly [params: unknown, value: unknown]>,
    options?: SetOptions,
  ): Promise<boolean[]> {
    checkList('setMany', pairs);
    const set = (pair: readonly [unknown, unknown]) => {
      checkPair(pair);
      return this.set(pair[0], pair[1], options);
    };
    return allInSlices(pairs, set, () => this.#core.tiers.room() !== undefined);
  }

  /** `delete` for many, like `getMany` in slices; returns for each whether memory had it. */
  async deleteMany(params: Iterable<unknown>, options?: LookupOptions): Promise<boolean[]> {
    checkList('deleteMany', params);
    return allInSlices(Array.from(params), (each) => this.delete(each, options));
  }

  /** This method's statistics. */
  stats(): CacheStats {
    refuseArguments('stats()', arguments.length, "a handle's statistics are its method's");
    return statsOf([this.#state]);
  }

  #openKey(params: unknown, options: LookupOptions = noOptions): string {
    if (options !== noOptions) checkCallOptions(options, lookupCall, this.#state.options);
    this.#assertOpen();
    return this.#state.key(params, options.scope);
  }

  /** What there is below memory, or is recorded. @throws CacheError `ERR_NOT_RECORDED` */
  #below<T>(key: string, params: unknown, options: LookupOptions = noOptions): Promise<Lookup<T>> {
    const { replay } = this.#core;
    if (replay === undefined) return this.#lookups.below<T>(key);
    const { scope, [asker]: by } = options as LookupOptions & CallOptions;
    const origin = storedOrigin(this.#core, this.#state, { params, scope, key, asker: by });
    return this.#lookups.recorded<T>(replay, { key, origin, isExact: by?.isExact });
  }

  #assertOpen(): void {
    if (this.#core.isClosed) throw new CacheClosedError('The cache is closed: make a new CacheManager');
  }

  #problemWith(options: LoadOptions): unknown {
    try {
      checkCallOptions(options, loadCall, this.#state.options);
      return undefined;
    } catch (error) {
      return error;
    }
  }
}
