/** One method's part of a cache: every operation, for one tool. */

import { CacheClosedError } from '../errors.js';
import { type LoadOptions, type LookupOptions, resolveCallOptions, type SetOptions } from '../options.js';
import type { CacheStats } from '../stats/counters.js';
import { checkCallOptions, loadCall, lookupCall, setCall } from './call-options.js';
import { clearCache } from './clearing.js';
import type { CacheCore } from './core.js';
import type { Loader } from './loader.js';
import { MethodLoads } from './method-loads.js';
import { type Lookup, MethodLookups, unreadable } from './method-lookups.js';
import { type MethodState, statsOf } from './method-state.js';
import { termsOf } from './terms.js';

const noOptions: LoadOptions = Object.freeze({});

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
  constructor(core: CacheCore, state: MethodState) {
    this.#core = core;
    this.#state = state;
    this.#lookups = new MethodLookups(core, state);
    this.#loads = new MethodLoads(core, state, this.#lookups);
  }

  /** The method's name. */
  get name(): string {
    return this.#state.name;
  }

  /** The key of a call. @throws UnhashableParamsError */
  key(params: unknown, options: LookupOptions = noOptions): string {
    if (options !== noOptions) checkCallOptions(options, lookupCall, this.#state.options);
    return this.#state.key(params, options.scope);
  }

  /** The value of a call, fresh or stale; `undefined` when there is none (`lookup` tells a stored `undefined`). */
  async get<T = unknown>(params: unknown, options?: LookupOptions): Promise<T | undefined> {
    const key = this.#openKey(params, options);
    return valueIn(this.#lookups.inMemory<T>(key) ?? (await this.#lookups.below<T>(key)));
  }

  /** The value of a call from memory alone, at once. */
  getSync<T = unknown>(params: unknown, options?: LookupOptions): T | undefined {
    const key = this.#openKey(params, options);
    return valueIn(this.#lookups.inMemory<T>(key) ?? this.#lookups.missed<T>(key));
  }

  /** The value of a call and all that is known of it, a miss, or an error of the cache. Counts as a use. */
  async lookup<T = unknown>(params: unknown, options?: LookupOptions): Promise<Lookup<T>> {
    const key = this.#openKey(params, options);
    return this.#lookups.inMemory<T>(key) ?? this.#lookups.below<T>(key);
  }

  /** `get` from memory alone, without counting as a use or in the statistics. */
  peek<T = unknown>(params: unknown, options?: LookupOptions): T | undefined {
    const entry = this.#lookups.held(this.#openKey(params, options));
    if (entry === undefined || !this.#lookups.isAnswered(entry)) return undefined;
    const value = this.#lookups.give(entry);
    return value === unreadable ? undefined : (value as T);
  }

  /** Whether there is a value in any tier. Not counted. */
  async has(params: unknown, options?: LookupOptions): Promise<boolean> {
    const key = this.#openKey(params, options);
    const { tiers } = this.#core;
    const entry = this.#lookups.held(key);
    if (entry !== undefined && this.#lookups.isAnswered(entry)) return true;
    if (!tiers.hasSlow) return false;
    const found = await tiers.search(key, this.#state);
    return found !== undefined && 'entry' in found && this.#lookups.isAnswered(found.entry);
  }

  /**
   * Stores a value; tells whether it was stored. A value that is too large, or has a ttl of 0, is not, and what was
   * there before is gone then too. Where much waits to be written to disk, it resolves later, by a second at most.
   * @throws UnhashableParamsError, UnstorableValueError, InvalidOptionError
   */
  async set(params: unknown, value: unknown, options?: SetOptions): Promise<boolean> {
    const isStored = this.setSync(params, value, options);
    const room = this.#core.tiers.room();
    if (room !== undefined) await room;
    return isStored;
  }

  /** `set`, at once: memory has it on return, slower tiers have it in their buffers. */
  setSync(params: unknown, value: unknown, options: SetOptions = noOptions): boolean {
    if (options !== noOptions) checkCallOptions(options, setCall, this.#state.options);
    const key = this.#keyWhileOpen(params, options);
    const resolved = resolveCallOptions(options, this.#state.options);
    this.#core.loads.supersede(key);
    this.#state.errors.forget(key);
    const { random } = this.#core.options;
    try {
      const terms = termsOf(resolved, value, { decidedTtl: undefined, random });
      const { kept, bytes } = this.#core.keeper.keep(value);
      if (!resolved.isNegative(value)) resolved.knownKeys?.add(key);
      return this.#core.tiers.put(this.#state, key, { kept, bytes, loadMs: 0, terms, began: undefined });
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
    const malformed = options === noOptions ? undefined : this.#problemWith(options);
    if (malformed !== undefined) return Promise.reject(malformed);
    return this.#loads.getOrSet(params, loader, options);
  }

  /** Loads a call anew, whatever the cache holds, and stores the result. Rejects as `getOrSet` does. */
  refresh<T>(params: unknown, loader: Loader<T>, options: LoadOptions = noOptions): Promise<T> {
    const malformed = options === noOptions ? undefined : this.#problemWith(options);
    if (malformed !== undefined) return Promise.reject(malformed);
    return this.#loads.refresh(params, loader, options);
  }

  /** Deletes a call's value; tells whether memory had it. */
  async delete(params: unknown, options?: LookupOptions): Promise<boolean> {
    const key = this.#openKey(params, options);
    this.#core.loads.supersede(key);
    this.#state.errors.forget(key);
    const existed = this.#core.tiers.remove(this.#state, key, 'delete');
    const { events } = this.#core;
    if (events.isHeard('delete')) events.emit('delete', { method: this.name, key });
    return existed;
  }

  /** Deletes all values of this method. */
  async clear(): Promise<void> {
    clearCache(this.#core, this.#state.name);
  }

  /** `get` for many, in their order. */
  async getMany<T = unknown>(params: Iterable<unknown>, options?: LookupOptions): Promise<(T | undefined)[]> {
    return Promise.all(Array.from(params, (each) => this.get<T>(each, options)));
  }

  /** `set` for many pairs of params and value; tells of each whether it was stored. */
  async setMany(
    pairs: Iterable<readonly [params: unknown, value: unknown]>,
    options?: SetOptions,
  ): Promise<boolean[]> {
    const stored: boolean[] = [];
    let together: Promise<boolean>[] = [];
    for (const [params, value] of pairs) {
      together.push(this.set(params, value, options));
      if (this.#core.tiers.room() === undefined) continue;
      stored.push(...(await Promise.all(together)));
      together = [];
    }
    return [...stored, ...(await Promise.all(together))];
  }

  /** `delete` for many; tells of each whether memory had it. */
  async deleteMany(params: Iterable<unknown>, options?: LookupOptions): Promise<boolean[]> {
    return Promise.all(Array.from(params, (each) => this.delete(each, options)));
  }

  /** This method's statistics. */
  stats(): CacheStats {
    return statsOf([this.#state]);
  }

  #openKey(params: unknown, options: LookupOptions = noOptions): string {
    if (options !== noOptions) checkCallOptions(options, lookupCall, this.#state.options);
    return this.#keyWhileOpen(params, options);
  }

  #keyWhileOpen(params: unknown, { scope }: LookupOptions): string {
    if (this.#core.isClosed) throw new CacheClosedError('The cache is closed: make a new CacheManager');
    return this.#state.key(params, scope);
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

function valueIn<T>(lookup: Lookup<T>): T | undefined {
  return 'value' in lookup ? lookup.value : undefined;
}
