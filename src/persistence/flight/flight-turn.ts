/** One load's turn: it makes the key's flight file, or waits for what comes of another process's load. */

import { compareStamps, type Stamp } from '../../stamp.js';
import type { LeaseVerdict, LoadLease, LoadLeaseRequest, TierRecord } from '../../tier.js';
import { type Changes, type ChangeWatch, isOwnPast, withChange } from '../changes.js';
import { hasEnded } from '../lock/holder-note.js';
import type { FlightFile } from './flight-file.js';
import type { FlightFolder } from './flight-folder.js';

/** The right to load a key, as far as can be told. */
export interface Lease {
  readonly key: string;
}

/** What a turn works with. */
export interface TurnHost {
  readonly folder: FlightFolder;
  readonly elapsed: () => number;
  /** The longest that a load waits for others, in ms. */
  readonly timeout: number;
  /** Whether turns are to be had at the moment. */
  readonly isWorking: () => boolean;
  /** Makes the key's file; `undefined` when another process has. */
  lease(key: string): Promise<Lease | undefined>;
  /** The load is over; of what it came to only what is newer than `known` is handed over. */
  release(lease: Lease, known: Stamp | undefined): void;
  /** Lets the next lookup of the key find what another process has handed over. */
  give(record: TierRecord): void;
  takeBack(record: TierRecord): void;
  /** Brings in what others have written of a method. */
  refresh(method: string): Promise<void>;
  /** The stamp of the newest value of a key in the files, unless it has expired. */
  stampOf(key: string, method: string): Stamp | undefined;
  watch(load: Pick<LoadLeaseRequest, 'key' | 'method'>, onChange: (stamp: Stamp) => void): ChangeWatch;
  /** Resolves after so many ms, or once the signal is aborted or the tier closed. */
  pause(ms: number, signal: AbortSignal): Promise<void>;
  failed(error: unknown): void;
}

/** A file that nobody has given a sign of life in for so long, in ms, is a stalled process's. */
export const stillFor = 5_000;
/**
 * The longest that a load is waited for which another load waits for in this process: two processes whose loads wait
 * for each other's could not be told from slow ones.
 */
const longestNested = 5_000;
/** Loads of others that come to nothing, after which a load is made whatever others do. */
const maxFailures = 2;
/** How often a file is looked at, in ms: after an eighth of what was waited for, within bounds. */
const pauses = { least: 5, most: 200, share: 1 / 8 } as const;

export class FlightTurn implements LoadLease {
  readonly #host: TurnHost;
  readonly #load: LoadLeaseRequest;
  /** The newest value that was found and would not do. */
  #known: Stamp | undefined;
  #lease: Lease | undefined;
  #seen: FlightFile | undefined;
  /** When the file that is waited for was seen to change, by `elapsed`. */
  #changedAt = 0;
  #waitsSince: number | undefined;
  #failures = 0;
  /** The token of a result that will not do. */
  #refused: string | undefined;
  #given: TierRecord | undefined;
  #watch: ChangeWatch | undefined;
  /** What others have changed of the key since the file was looked at last. */
  #changes: Changes | undefined;
  /** A load, by its token, and what others have changed of the key while it was waited for. */
  #overtaken: { readonly token: string | undefined; readonly changes: Changes } | undefined;
  #isOver = false;

  constructor(host: TurnHost, load: LoadLeaseRequest) {
    this.#host = host;
    this.#load = load;
    this.#known = load.known;
  }

  async next(): Promise<LeaseVerdict> {
    this.#takeBack();
    if (this.#lease !== undefined) return 'load';
    if (!this.#host.isWorking()) return 'load-alone';
    // Whatever the disk does: what it comes to after that is seen to by `end`.
    const isDone = new AbortController();
    const timeout = this.#host.pause(this.#host.timeout, isDone.signal);
    try {
      return await Promise.race([this.#next(), timeout.then(() => 'load-alone' as const)]);
    } catch (error) {
      this.#host.failed(error);
      return this.#lease === undefined ? 'load-alone' : 'load';
    } finally {
      isDone.abort();
    }
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#takeBack();
    this.#watch?.end();
    if (this.#lease !== undefined) this.#host.release(this.#lease, this.#load.known);
  }

  async #next(): Promise<LeaseVerdict> {
    const { key, signal } = this.#load;
    for (;;) {
      if (this.#isOver || signal.aborted || !this.#host.isWorking()) return 'load-alone';
      const lease = await this.#host.lease(key);
      if (lease !== undefined) {
        this.#watch?.end();
        if (this.#isOver) {
          this.#host.release(lease, this.#load.known);
          return 'load-alone';
        }
        this.#lease = lease;
        // Somebody may have loaded, written and gone since this process has last looked.
        return (await this.#hasNews()) ? 'look-again' : 'load';
      }
      const verdict = await this.#lookOn();
      if (verdict !== undefined) return verdict;
    }
  }

  /** Looks at the file of the process that loads the key, once; `undefined`: the turn is to be tried for again. */
  async #lookOn(): Promise<LeaseVerdict | undefined> {
    if (this.#isOver) return 'load-alone';
    const { key, method, signal } = this.#load;
    const { folder, elapsed } = this.#host;
    this.#waitsSince ??= elapsed();
    this.#watch ??= this.#host.watch({ key, method }, (stamp) => {
      this.#changes = withChange(this.#changes, stamp);
    });
    const before = this.#seen;
    const seen = await folder.look(key, before);
    this.#seen = seen;
    const token = before?.note?.token;
    if (token !== undefined && token !== seen?.note?.token) {
      if (await this.#hasNews()) return 'look-again';
      this.#failures += 1;
      if (this.#failures >= maxFailures) return 'load-alone';
    }
    if (seen === undefined) return undefined;
    this.#noteChanges(seen);
    if (seen !== before) this.#changedAt = elapsed();
    if (seen.record !== undefined) return this.#take(seen, seen.record);
    if (hasEnded(seen.note) || elapsed() - this.#changedAt >= stillFor) return this.#takeAway(seen);
    const waited = elapsed() - this.#waitsSince;
    const bound = this.#load.isNested ? Math.min(longestNested, this.#host.timeout) : this.#host.timeout;
    if (waited >= bound) return 'load-alone';
    const pause = Math.min(Math.max(waited * pauses.share, pauses.least), pauses.most, bound - waited);
    await this.#host.pause(pause, signal);
    return undefined;
  }

  /** What another process's load came to, unless something newer is known, or arrived while that load ran. */
  async #take(seen: FlightFile, record: TierRecord): Promise<LeaseVerdict | undefined> {
    const { token } = seen.note!;
    if (token === this.#refused) return this.#takeAway(seen);
    this.#refused = token;
    const hasNews = await this.#hasNews();
    const isNewer = this.#load.known === undefined || compareStamps(record.stamp, this.#load.known) > 0;
    this.#noteChanges(seen);
    const changes = this.#overtaken?.token === token ? this.#overtaken.changes : undefined;
    // What was read of changes only now may be older than the load; that is sure of those by the process that loads.
    const isOvertaken =
      (changes !== undefined && !isOwnPast(changes, record.stamp)) ||
      this.#watch!.isInvalidated(record.tags, record.stamp);
    // Whether anything newer is in the files the lookup tells. Of a process that has ended nobody knows for how long its
    // result has lain there.
    if (this.#isOver) return 'load-alone';
    if (isNewer && !isOvertaken && !hasEnded(seen.note)) {
      this.#given = record;
      this.#host.give(record);
      return 'look-again';
    }
    return hasNews ? 'look-again' : this.#takeAway(seen);
  }

  /** Holds what was changed since the last look against the load that is under way now. */
  #noteChanges(seen: FlightFile): void {
    if (this.#changes === undefined) return;
    const token = seen.note?.token;
    const before = this.#overtaken?.token === token ? this.#overtaken?.changes : undefined;
    this.#overtaken = { token, changes: withChange(before, this.#changes) };
    this.#changes = undefined;
  }

  async #takeAway(seen: FlightFile): Promise<undefined> {
    const { folder, elapsed, pause } = this.#host;
    const isForced = elapsed() - this.#changedAt >= 2 * stillFor;
    // Else somebody is about to do it.
    if (await folder.takeAway(this.#load.key, seen, isForced)) this.#seen = undefined;
    else await pause(pauses.least, this.#load.signal);
  }

  /** Whether the files have a newer value of the key than any that was found. */
  async #hasNews(): Promise<boolean> {
    const { key, method } = this.#load;
    await this.#host.refresh(method);
    const stamp = this.#host.stampOf(key, method);
    if (stamp === undefined) return false;
    if (this.#known !== undefined && compareStamps(stamp, this.#known) <= 0) return false;
    this.#known = stamp;
    return true;
  }

  #takeBack(): void {
    if (this.#given !== undefined) this.#host.takeBack(this.#given);
    this.#given = undefined;
  }
}
