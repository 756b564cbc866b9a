/** What waits to be written, and when it is: after an interval, at a size, or later and later while writing fails. */

import type { Clock, Timer } from '../../clock.js';
import type { CacheError } from '../../errors.js';
import { compareStamps, type Stamp } from '../../stamp.js';
import type { ResolvedDiskOptions } from '../disk-options.js';
import type { RangeTombstone } from '../format/tombstone.js';
import { type BufferedEntry, WriteBuffer } from './write-buffer.js';

/** What a flush schedule is made from. */
export interface FlushSchedulerInit {
  readonly options: Pick<ResolvedDiskOptions, 'flushInterval' | 'flushBytes' | 'maxPendingBytes'>;
  readonly clock: Clock;
  /** Writes a batch and takes out of it what is written; rejects when something remains. */
  readonly write: (batch: WriteBuffer) => Promise<void>;
  /** Hears of a failed flush and makes it the error that whoever waits for it gets. */
  readonly onFailure: (error: unknown) => CacheError;
}

/** How often it has flushed. */
export interface FlushCounters {
  readonly flushes: number;
  readonly failedFlushes: number;
}

const longestRetry = 30_000;
/** The longest that somebody waits for room, in ms. */
const longestBackpressure = 1_000;

export class FlushScheduler {
  readonly #init: FlushSchedulerInit;
  #buffer = new WriteBuffer();
  /** What is being written right now. */
  #writing = new WriteBuffer();
  #running: Promise<void> | undefined;
  #queued: Promise<void> | undefined;
  #backpressure: Promise<void> | undefined;
  #timer: Timer | undefined;
  #failures = 0;
  #nextAttempt = Number.NEGATIVE_INFINITY;
  #isStopped = false;
  #accepted = 0;
  #acceptedAtExit = -1;
  readonly #counts = { flushes: 0, failedFlushes: 0 };

  constructor(init: FlushSchedulerInit) {
    this.#init = init;
  }

  get counters(): FlushCounters {
    return { ...this.#counts };
  }

  /** What waits takes in memory, about. */
  get bytes(): number {
    return this.#buffer.bytes + this.#writing.bytes;
  }

  /** What would wait with this entry, in bytes. */
  bytesWith(entry: BufferedEntry): number {
    return this.bytes + this.#buffer.growthBy(entry);
  }

  /**
   * When there is room again after much was put in, for those who put in a lot and can wait: at the end of the flush
   * under way, but no later than in a second; `undefined` when there is room, or will be none because writing fails.
   */
  backpressure(): Promise<void> | undefined {
    if (this.isFailing || this.bytes <= this.#init.options.maxPendingBytes / 2) return undefined;
    if (this.#backpressure === undefined) {
      this.#backpressure = this.#flushEnd().finally(() => {
        this.#backpressure = undefined;
      });
    }
    return this.#backpressure;
  }

  /** Whether the last flush failed. */
  get isFailing(): boolean {
    return this.#failures > 0;
  }

  /** The newest of this key that is in no file yet. */
  find(key: string): BufferedEntry | undefined {
    return this.#buffer.entries.get(key) ?? this.#writing.entries.get(key);
  }

  /** The newest entry of every key of which one waits. */
  entries(): Map<string, BufferedEntry> {
    return new Map([...this.#writing.entries, ...this.#buffer.entries]);
  }

  /** The markers that are in no file yet. */
  tombstones(): RangeTombstone[] {
    return [...this.#writing.tombstones.values(), ...this.#buffer.tombstones.values()];
  }

  /**
   * Makes what waits newer than a stamp, in its order; tells the newest stamp then, if that took anything. Not to be
   * called while a batch is being encoded.
   */
  rebaseStamps(stamp: Stamp): Stamp | undefined {
    const batches = [this.#writing, this.#buffer];
    const stamps = batches.flatMap((batch) => [...batch.stamps()]).sort(compareStamps);
    const [oldest] = stamps;
    const newest = stamps.at(-1);
    if (oldest === undefined || newest === undefined || oldest.time > stamp.time) return undefined;
    const by = stamp.time + 1 - oldest.time;
    this.shiftStamps(by);
    return { time: newest.time + by, writer: newest.writer };
  }

  /** Shifts the stamps of what waits by so many microseconds. Not to be called while a batch is being encoded. */
  shiftStamps(by: number): void {
    for (const batch of [this.#writing, this.#buffer]) batch.shiftStamps(by);
  }

  put(entry: BufferedEntry): void {
    this.#buffer.put(entry);
    this.#accepted += 1;
    this.#schedule();
  }

  putTombstone(marker: RangeTombstone): void {
    this.#buffer.putTombstone(marker);
    this.#accepted += 1;
    this.#schedule();
  }

  /** Takes out what is to be written no more; what is being written right now stays. */
  drop(isDropped: (entry: BufferedEntry) => boolean): void {
    for (const entry of [...this.#buffer.entries.values()]) {
      if (isDropped(entry)) this.#buffer.acknowledge(entry.key, entry.stamp);
    }
  }

  /** Writes what waits, also what comes while a flush is running already. */
  flush(): Promise<void> {
    if (this.#running === undefined) return this.#start();
    this.#queued ??= this.#running
      // Whoever started the running flush hears of its failure; what it leaves is written now.
      .catch(() => undefined)
      .then(() => {
        this.#queued = undefined;
        // One that began by itself at the end of the last has taken all that was there.
        return this.#running ?? this.#start();
      });
    return this.#queued;
  }

  async flushAtExit(): Promise<void> {
    // Once for what was taken in: on a broken disk, trying again for ever would keep the process alive.
    if (this.#buffer.isEmpty || this.#acceptedAtExit === this.#accepted) return;
    this.#acceptedAtExit = this.#accepted;
    await this.flush().catch(() => undefined);
  }

  /** All that is in no file yet, for who writes it as the process exits. */
  unwritten(): WriteBuffer {
    const all = new WriteBuffer();
    all.absorb(this.#writing);
    all.absorb(this.#buffer);
    return all;
  }

  /** From now on it writes only when asked. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #schedule(): void {
    if (this.#isStopped || this.#running !== undefined) return;
    const { clock, options } = this.#init;
    const wait = Math.max(0, this.#nextAttempt - clock.elapsed());
    // With room to take in more while it is written.
    const flushBytes = Math.min(options.flushBytes, options.maxPendingBytes / 2);
    if (this.#failures === 0 && this.#buffer.bytes >= flushBytes) {
      this.#timer?.cancel();
      this.#timer = undefined;
      this.#flushInBackground();
      return;
    }
    this.#timer ??= clock.schedule(
      () => {
        this.#timer = undefined;
        this.#flushInBackground();
      },
      this.#failures > 0 ? wait : options.flushInterval,
    );
  }

  async #flushEnd(): Promise<void> {
    let timer: Timer | undefined;
    const timeout = new Promise<void>((resolve) => {
      timer = this.#init.clock.schedule(resolve, longestBackpressure);
    });
    // Its failure is reported and tried again by the run itself.
    const flush = (this.#running ?? this.flush()).catch(() => undefined);
    await Promise.race([flush, timeout]);
    timer?.cancel();
  }

  #flushInBackground(): void {
    // A failure is reported and tried again by the run itself; here nobody waits for it.
    this.flush().catch(() => undefined);
  }

  #start(): Promise<void> {
    if (this.#buffer.isEmpty) return Promise.resolve();
    this.#timer?.cancel();
    this.#timer = undefined;
    const running = this.#run().finally(() => {
      this.#running = undefined;
      if (!this.#buffer.isEmpty) this.#schedule();
    });
    this.#running = running;
    return running;
  }

  async #run(): Promise<void> {
    const batch = this.#buffer;
    this.#writing = batch;
    this.#buffer = new WriteBuffer();
    this.#counts.flushes += 1;
    try {
      await this.#init.write(batch);
      this.#failures = 0;
    } catch (error) {
      this.#failures += 1;
      this.#counts.failedFlushes += 1;
      const { clock, options } = this.#init;
      const delay = Math.min(longestRetry, options.flushInterval * 2 ** Math.min(this.#failures - 1, 20));
      this.#nextAttempt = clock.elapsed() + delay;
      throw this.#init.onFailure(error);
    } finally {
      this.#writing = new WriteBuffer();
      this.#buffer.absorb(batch);
    }
  }
}
