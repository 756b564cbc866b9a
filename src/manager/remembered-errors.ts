/** Errors of one method's tool that are thrown again for a while. */

import type { Clock } from '../clock.js';
import { KeptError } from '../guard/error-cache.js';
import type { ResolvedGuardOptions } from '../guard/resolved-guard-options.js';
import type { Tagged } from './tag-invalidations.js';

/** An error and until when it is thrown again. */
interface RememberedError extends Tagged {
  readonly kept: KeptError;
  /** By `Clock.now()`: it ages as entries do. */
  readonly until: number;
}

/** More errors than this at once are no few odd calls but an outage, which is the circuit breaker's business. */
const mostErrors = 1000;

/** One method's remembered errors, by key. When there are too many, the oldest is forgotten. */
export class RememberedErrors {
  readonly #clock: Clock;
  readonly #isDoubtful: (tagged: Tagged) => boolean;
  readonly #errors = new Map<string, RememberedError>();

  constructor(clock: Clock, isDoubtful: (tagged: Tagged) => boolean) {
    this.#clock = clock;
    this.#isDoubtful = isDoubtful;
  }

  remember(key: string, error: unknown, { ttlMs, tagged }: { ttlMs: number; tagged: Tagged }): void {
    this.#errors.delete(key);
    if (this.#errors.size >= mostErrors) {
      for (const oldest of this.#errors.keys()) {
        this.#errors.delete(oldest);
        break;
      }
    }
    const until = this.#clock.now() + ttlMs;
    this.#errors.set(key, { ...tagged, kept: new KeptError(error), until });
  }

  /** The error to throw for this key, a copy of its own for each caller; none for one who wants none. */
  find(
    key: string,
    { cacheErrors }: Pick<ResolvedGuardOptions, 'cacheErrors'>,
  ): { readonly error: unknown } | undefined {
    if (this.#errors.size === 0 || cacheErrors === undefined) return undefined;
    const found = this.#errors.get(key);
    if (found === undefined) return undefined;
    if (this.#clock.now() < found.until && !this.#isDoubtful(found)) return { error: found.kept.copy() };
    this.#errors.delete(key);
    return undefined;
  }

  forget(key: string): void {
    this.#errors.delete(key);
  }

  /** Forgets those of keys that others have written or deleted; not told which, all. */
  forgetChanged(keys: readonly string[] | undefined): void {
    if (keys === undefined) this.#errors.clear();
    else if (this.#errors.size > 0) for (const key of keys) this.#errors.delete(key);
  }

  clear(): void {
    this.#errors.clear();
  }
}
