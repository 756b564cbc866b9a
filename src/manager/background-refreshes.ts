/** Renewing values in the background: one load a key at a time, and less often while they fail. */

import type { Clock } from '../clock.js';
import { LoaderTimeoutError } from '../errors.js';
import { withDeadline } from '../guard/deadline.js';
import type { Flight, SingleFlight } from '../guard/single-flight.js';
import { refreshBackoff } from '../guard/stale.js';
import { compareStamps, type Stamp } from '../stamp.js';
import type { MemoryEntry } from '../store/memory-entry.js';
import type { Loaded } from './loaded.js';

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

  /** Waits for a renewal in nobody's name: no caller's abort ends it, only its own `hardTimeout` does. */
  watch(entry: MemoryEntry, flight: Flight<Loaded>, hardTimeout: number | undefined): void {
    flight.waiters++;
    const failed = () => this.#failed(entry);
    const settled = hardTimeout === undefined ? flight.promise : this.#withinTime(flight, hardTimeout);
    // Its failure was counted as a load error; here only the next attempt is put off.
    settled.then((loaded) => {
      if (loaded.isError) failed();
      else this.#failures.delete(entry.key);
    }, failed);
  }

  #withinTime(flight: Flight<Loaded>, ms: number): Promise<Loaded> {
    return withDeadline(flight.promise, {
      ms,
      clock: this.#clock,
      onTimeout: () => {
        const error = timeoutError(flight, ms);
        this.#loads.leave(flight, error);
        throw error;
      },
    });
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

/** The error of a load that took too long. */
export function timeoutError({ node }: Flight<unknown>, ms: number): LoaderTimeoutError {
  const call = node.key === '' ? 'call without a key' : `key ${node.key}`;
  return new LoaderTimeoutError(`The loader of \`${node.method}\` (${call}) took longer than ${ms} ms`);
}
