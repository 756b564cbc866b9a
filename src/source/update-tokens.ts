/** The tokens under which records are being updated, in the cache beside them: what is loaded meanwhile is not cached. */

import type { Clock } from '../clock.js';
import { CacheError } from '../errors.js';
import type { CacheManager } from '../index.js';

/** The tokens of one kind of record. */
export class UpdateTokens<Id> {
  readonly #cache: CacheManager;
  readonly #method: string;
  readonly #clock: Clock;
  /** Until when (by `Clock.elapsed()`) what this process has updated settles, the soonest first: memory may let go of a token. */
  readonly #settling = new Map<string, number>();

  constructor(cache: CacheManager, method: string, clock: Clock) {
    this.#cache = cache;
    this.#method = `${method}:updating`;
    this.#clock = clock;
  }

  /** The token under which a record is being updated by any process, if one is; the error where that can't be told. */
  async of(id: Id): Promise<unknown> {
    try {
      const found = await this.#cache.method(this.#method).lookupNewest(id);
      if (found.outcome === 'error') return found.error;
      return 'value' in found ? found.value : undefined;
    } catch (error) {
      // A cache that is closed.
      if (error instanceof CacheError) return error;
      throw error;
    }
  }

  async hold(id: Id, token: string, ttl: number): Promise<void> {
    const lasting = { ttl, jitter: 0, sliding: false, staleWhileRevalidate: 0, staleIfError: 0 };
    await this.#cache.set(this.#method, id, token, lasting);
  }

  async release(id: Id): Promise<void> {
    await this.#cache.delete(this.#method, id);
  }

  /** Notes that a record settles for so long from now on. All take the same time. */
  settle(key: string, ms: number): void {
    this.#forgetSettled();
    this.#settling.delete(key);
    this.#settling.set(key, this.#clock.elapsed() + ms);
  }

  isSettling(key: string): boolean {
    this.#forgetSettled();
    return this.#settling.has(key);
  }

  #forgetSettled(): void {
    const now = this.#clock.elapsed();
    for (const [each, until] of this.#settling) {
      if (until > now) break;
      this.#settling.delete(each);
    }
  }
}
