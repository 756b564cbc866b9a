/** Loading one method's values with loaders that return at once, from memory alone. */

import type { CacheCore } from './core.js';
import { isErrorResult, keepAnswer } from './keeping.js';
import { type MethodLookups, unreadable } from './method-lookups.js';
import type { MethodState } from './method-state.js';

/** A load that returns at once, and the scope of the call that wants it. */
export interface SyncLoad<T> {
  readonly scope?: string;
  run(): T;
}

/** One method's synchronous loads. There is nobody to share them with: they end before anybody else runs. */
export class SyncLoads {
  readonly #core: CacheCore;
  readonly #state: MethodState;
  readonly #lookups: MethodLookups;

  constructor(core: CacheCore, state: MethodState, lookups: MethodLookups) {
    this.#core = core;
    this.#state = state;
    this.#lookups = lookups;
  }

  getOrSet<T>(params: unknown, load: SyncLoad<T>): T {
    const key = this.#keyOf(params, load);
    if (key === undefined) return load.run();
    const entry = this.#core.tiers.get(key, this.#state);
    // A stale value is a miss here: nothing would renew it in the background.
    if (entry !== undefined && this.#lookups.isFresh(entry)) {
      const value = this.#lookups.give(entry);
      if (value !== unreadable) {
        this.#lookups.countHit(entry, 'memory');
        return value as T;
      }
    }
    this.#lookups.missed(key);
    return this.#load(key, load);
  }

  refresh<T>(params: unknown, load: SyncLoad<T>): T {
    const key = this.#keyOf(params, load);
    if (key === undefined) return load.run();
    this.#core.loads.supersede(key);
    return this.#load(key, load);
  }

  /** `undefined`, and counted, where the tool has to run without the cache. */
  #keyOf(params: unknown, { scope }: SyncLoad<unknown>): string | undefined {
    if (this.#core.isClosed) {
      this.#core.uncached(this.#state, 'closed');
      return undefined;
    }
    try {
      return this.#state.key(params, scope);
    } catch (error) {
      this.#core.uncached(this.#state, 'unhashable params', error);
      return undefined;
    }
  }

  #load<T>(key: string, load: SyncLoad<T>): T {
    const { name, counters, options } = this.#state;
    const { loads, events } = this.#core;
    return loads.runAtOnce(key, name, (watch) => {
      const { clock } = this.#core.options;
      const began = this.#core.tiers.begin();
      const started = clock.elapsed();
      let value: T;
      try {
        value = load.run();
      } catch (error) {
        counters.loadErrors++;
        if (events.isHeard('loadError')) events.emit('loadError', { method: name, key, error });
        throw error;
      }
      const loadMs = clock.elapsed() - started;
      const isError = isErrorResult(this.#core, { state: this.#state, key, options }, value);
      if (isError === true) {
        counters.loadErrors++;
        if (events.isHeard('loadError')) events.emit('loadError', { method: name, key, error: value });
        return value;
      }
      counters.loads++;
      counters.loadTimes.record(loadMs);
      if (events.isHeard('load')) events.emit('load', { method: name, key, loadMs });
      const isStored = isError === false && !watch.superseded && !this.#core.isClosed;
      // A promise is no value that could be stored: it is refused, counted, and handed on.
      if (isStored) {
        const request = { state: this.#state, key, options };
        keepAnswer(this.#core, request, { value, loadMs, ttl: undefined, isStored, began });
      }
      return value;
    });
  }
}
