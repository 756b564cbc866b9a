/** Renewing values in the background: one load a key at a time, and less often while they fail. */

import type { Clock } from '../../clock.js';
import type { Flight, SingleFlight } from '../../guard/single-flight.js';
import { refreshBackoff } from '../../guard/stale.js';
import type { ResolvedMethodOptions } from '../../options.js';
import { compareStamps, type Stamp } from '../../stamp.js';
import type { MemoryEntry } from '../../store/memory-entry.js';
import { staleAtFor } from '../create-entry.js';
import type { Loaded } from './loader.js';

/** After the first failed renewal a value is left alone for about so long, after each further one twice as long. */
export const backoff = { firstMs: 1000, mostMs: 60_000 } as const;

/** More values than this that can't be renewed are an outage, which is the circuit breaker's business. */
const mostFailures = 10_000;

interface Failures {
  /** Of the value that could not be renewed: one that has replaced it owes nothing. */
  readonly stamp: Stamp;
  readonly inARow: number;
  /** By `Clock.elapsed()`. */
  readonly retryAt: number;
}

/** All renewals of one cache. */
export class BackgroundRefreshes {
  readonly #loads: SingleFlight<Loaded>;
  readonly #clock: Clock;
  readonly #random: () => number;
  /** By key and not by entry: a value that memory evicts and finds again in a slower tier is still the same. */
  readonly #failures = new Map<string, Failures>();
  /** Renewals that are waited for in nobody's name, and until when, by `Clock.elapsed()`, the value they renew answers. */
  readonly #background = new WeakMap<Flight<Loaded>, number>();

  constructor(loads: SingleFlight<Loaded>, clock: Clock, random: () => number) {
    this.#loads = loads;
    this.#clock = clock;
    this.#random = random;
  }

  /** Whether a renewal of this entry may begin now. */
  isDue(entry: MemoryEntry): boolean {
    if (this.#loads.find(entry.key) !== undefined) return false;
    const failures = this.#failuresOf(entry);
    return failures === undefined || this.#clock.elapsed() >= failures.retryAt;
  }

  /** Waits for a renewal in nobody's name: no caller's abort ends it while its value answers, only `hardTimeout` does. */
  watch(entry: MemoryEntry, flight: Flight<Loaded>, options: ResolvedMethodOptions): void {
    const answersUntil = (staleAtFor(entry, options) ?? 0) + options.staleWhileRevalidate;
    this.#background.set(flight, this.#clock.elapsed() + answersUntil - entry.now(this.#clock));
    const failed = () => this.#failed(entry);
    // Its failure was counted as a load error; here only the next attempt is put off.
    flight.promise.then((loaded) => {
      if (loaded.isError) failed();
      else this.#failures.delete(entry.key);
    }, failed);
    flight.waiters++;
    // Whoever joins it is not the one who began it, and needs a share of its value.
    flight.callers++;
  }

  /**
   * Leaves a renewal to the callers who join it, once its value answers nobody: from then on it is a load like any
   * other, which ends when they have all left. A tool that hangs would else be waited for by every later call.
   */
  adopt(flight: Flight<Loaded>): void {
    const answersUntil = this.#background.get(flight);
    if (answersUntil === undefined || this.#clock.elapsed() < answersUntil) return;
    this.#background.delete(flight);
    flight.waiters--;
  }

  #failed(entry: MemoryEntry): void {
    const inARow = (this.#failuresOf(entry)?.inARow ?? 0) + 1;
    const wait = refreshBackoff({ failures: inARow, ...backoff, random: this.#random });
    const { key, stamp } = entry;
    this.#failures.delete(key);
    if (this.#failures.size >= mostFailures) {
      for (const oldest of this.#failures.keys()) {
        this.#failures.delete(oldest);
        break;
      }
    }
    this.#failures.set(key, { stamp, inARow, retryAt: this.#clock.elapsed() + wait });
  }

  #failuresOf({ key, stamp }: MemoryEntry): Failures | undefined {
    const failures = this.#failures.get(key);
    return failures !== undefined && compareStamps(failures.stamp, stamp) === 0 ? failures : undefined;
  }
}
