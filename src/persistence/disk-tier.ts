/** The disk tier: what memory has evicted, and what earlier processes have left, in partition files. */

import type { Clock } from '../clock.js';
import { CacheClosedError, CacheError } from '../errors.js';
import { nodeCrypto } from '../node-crypto.js';
import { compareStamps, type Stamp } from '../stamp.js';
import type { DiskStatus, LoadWatch, LoadWatchListener, SlowTier, TierRecord, TierUsage } from '../tier.js';
import type { ConsolidationReport } from './consolidate/consolidation.js';
import type { FolderMergeReport } from './consolidate/merge-folders.js';
import { ConsolidationQueue } from './consolidation-queue.js';
import { toStorageError } from './disk-errors.js';
import { DiskFolder } from './disk-folder.js';
import type { ResolvedDiskOptions } from './disk-options.js';
import type { DiskTierInit } from './disk-tier-init.js';
import { EntryReader } from './entry-reader.js';
import { nodeFileSystem } from './file-system.js';
import type { Flights } from './flight/flights.js';
import type { LoadMode } from './folder-context.js';
import { folderFlights } from './folder-flights.js';
import { FolderOpening } from './folder-opening.js';
import { hashMethod } from './format/partition-name.js';
import { hashTag } from './format/tombstone.js';
import { methodUsage } from './index/method-usage.js';
import { DirectoryTakenError } from './lock/acquire-lock.js';
import { accessByMode, type FolderAccess, freeAccess } from './lock/folder-access.js';
import { FolderTime } from './lock/folder-time.js';
import { PeriodicTask } from './periodic-task.js';
import { flushAtExit } from './write/exit-flush.js';
import { writeAtExit } from './write/exit-writer.js';
import { FlushScheduler } from './write/flush-scheduler.js';
import { answerOf, newestOf } from './write/pending-answer.js';
import { WriteAdmission } from './write/write-admission.js';

/** How often a lookup starts over because what it read has been replaced meanwhile. */
const maxLookups = 4;

export class DiskTier implements SlowTier {
  readonly name = 'disk';
  readonly #options: ResolvedDiskOptions;
  readonly #clock: Clock;
  readonly #onError: (error: CacheError) => void;
  readonly #onStamp: (stamp: Stamp) => void;
  readonly #folder: DiskFolder;
  readonly #reader: EntryReader;
  readonly #access: FolderAccess;
  readonly #tasks: PeriodicTask[] = [];
  readonly #consolidations: ConsolidationQueue;
  readonly #flushes: FlushScheduler;
  readonly #admission: WriteAdmission;
  readonly #opening: FolderOpening;
  readonly #flights: Flights | undefined;
  /** Where processes share their loads. */
  readonly takeLease: SlowTier['takeLease'];
  #isClosed = false;
  readonly #time: FolderTime;
  readonly #stopExitFlush: () => void;
  #errors = 0;

  constructor(init: DiskTierInit) {
    this.#options = init.options;
    this.#clock = init.clock;
    this.#onError = init.onError;
    this.#onStamp = init.onStamp ?? (() => undefined);
    const { files = nodeFileSystem, writer = nodeCrypto().randomBytes(8).toString('hex') } = init;
    const onError = (error: CacheError) => this.#report(error);
    this.#folder = new DiskFolder({
      ...{ options: init.options, clock: init.clock, files, writer, onError },
      onStamp: this.#onStamp,
      onChanged: init.onChanged ?? (() => undefined),
      bufferedTombstones: () => this.#flushes.tombstones(),
    });
    this.#reader = new EntryReader(this.#folder, init.clock);
    const isMachines = init.files === undefined;
    this.#time = new FolderTime({ ...init, files, isMachines });
    const entering = { ...init, writer, onError, onOthers: () => void this.#pull() };
    this.#access = init.access ?? (isMachines ? accessByMode(entering) : freeAccess);
    this.#consolidations = new ConsolidationQueue(this.#folder, this.#access);
    this.#flushes = new FlushScheduler({
      ...{ options: init.options, clock: init.clock },
      write: async (batch) => {
        await this.#opening.open();
        try {
          await this.#folder.write(batch);
        } finally {
          this.#flights?.flushed();
        }
      },
      onFailure: (error) => {
        const failure = toStorageError(error, `Writing to ${init.options.persistDir} failed`);
        this.#report(failure);
        return failure;
      },
    });
    this.#admission = new WriteAdmission({
      ...{ options: init.options, flushes: this.#flushes, onError },
      index: () => this.#folder.index,
      isOpen: () => this.#opening.isOpen,
    });
    this.#opening = new FolderOpening({
      options: init.options,
      clock: init.clock,
      enter: () => this.#enter(),
      onOpened: () => {
        for (const task of this.#tasks) task.start();
      },
      onError: (error) => this.#report(error),
      hasNoErrorListener: init.hasNoErrorListener ?? (() => false),
    });
    this.#flights = folderFlights({
      ...{ options: init.options, clock: init.clock, files, onError },
      ...{ folder: this.#folder, flushes: this.#flushes },
      isOpen: () => this.#opening.isOpen,
      aheadMs: () => this.#time.aheadMs,
    });
    this.takeLease = this.#flights?.takeLease;
    const { mode, syncInterval, consolidateInterval } = init.options;
    if (mode === 'multi') this.#every(syncInterval, () => this.#pull());
    if (consolidateInterval !== null) this.#every(consolidateInterval, () => this.#lookBack());
    const isTaken = () => !this.#opening.isOpen && this.#access.isTaken();
    const exitWriter = { options: init.options, writer, now: () => init.clock.now(), isTaken, onError };
    const exitFlush = {
      beforeExit: () => this.#flushes.flushAtExit(),
      onExit: () => writeAtExit(this.#flushes.unwritten(), exitWriter),
    };
    const isFlushed = init.options.flushOnExit && isMachines;
    this.#stopExitFlush = isFlushed ? flushAtExit(exitFlush) : () => undefined;
  }

  get size(): number {
    let size = this.#folder.index.size;
    for (const entry of this.#flushes.entries().values()) {
      const isKnown = this.#folder.index.find(entry.key, hashMethod(entry.method)) !== undefined;
      if (entry.kind === 'value' && !isKnown) size += 1;
      else if (entry.kind === 'tombstone' && isKnown) size -= 1;
    }
    return size;
  }

  usage = (): Promise<readonly TierUsage[]> => methodUsage(this.#folder.index, this.#clock.now());

  /** What `stats().disk` tells. */
  get counters(): DiskStatus {
    const { droppedEntries } = this.#admission;
    return { ...this.#flushes.counters, ...this.#folder.counters, droppedEntries, errors: this.#errors };
  }

  async open(): Promise<void> {
    this.#refuseClosed();
    await this.#opening.open();
  }

  async lookup(key: string, method: string): Promise<TierRecord | undefined> {
    this.#refuseClosed();
    for (let attempt = 0; attempt < maxLookups; attempt += 1) {
      const pending = this.#bufferedRecord(key, this.#flights?.given(key));
      if (pending !== undefined) return pending === 'deleted' ? undefined : pending;
      if (!this.#opening.isOpen) await this.#opening.wait();
      const reading = this.#reader.read(key, method);
      const found = reading instanceof Promise ? await reading : reading;
      if (found === undefined) return undefined;
      // At once, nothing can have been taken in meanwhile.
      const isNewest =
        found === reading || this.#bufferedRecord(key, this.#flights?.given(key)) === undefined;
      if (found !== 'changed' && isNewest) return found;
    }
    throw new CacheError('ERR_STORAGE', `Expected the entry ${key} to stay in place while it is read`);
  }

  /** Takes an entry in; one that is given up for lack of room is counted and reported. */
  write(record: TierRecord): boolean {
    this.#flights?.dropKey(record.key);
    return !this.#isClosed && this.#admission.write(record);
  }

  delete(key: string, method: string, stamp: Stamp): void {
    if (this.#isClosed) return;
    this.#flights?.dropKey(key);
    this.#admission.delete(key, method, stamp);
  }

  clear(method: string | undefined, stamp: Stamp): void {
    if (this.#isClosed) return;
    this.#flights?.drop((record) => method === undefined || record.method === method);
    this.#admission.clear(method, stamp);
  }

  invalidateTag(tag: string, stamp: Stamp): void {
    if (this.#isClosed) return;
    this.#flights?.drop(({ tags }) => tags?.includes(tag) ?? false);
    this.#admission.invalidateTag(tag, stamp);
  }

  backpressure(): Promise<void> | undefined {
    return this.#flushes.backpressure();
  }

  /** What waits to be written takes in memory, about. */
  get bufferedBytes(): number {
    return this.#flushes.bytes;
  }

  async refresh(method: string): Promise<void> {
    if (this.#options.mode !== 'multi') return;
    if (!this.#opening.isOpen) await this.#opening.wait();
    await this.#folder.refreshMethod(method);
  }

  watch(load: Pick<TierRecord, 'key' | 'method'>, onChange: LoadWatchListener): LoadWatch {
    return this.#folder.watches.watch(load, onChange);
  }

  holds(key: string, method: string): boolean {
    // What other processes have written since was not read yet.
    if (this.#options.mode === 'multi') return true;
    if (this.#flushes.find(key)?.kind === 'value' || !this.#opening.isOpen) return true;
    return this.#folder.index.find(key, hashMethod(method)) !== undefined;
  }

  isReplaced({ key, method, stamp, tags }: Parameters<SlowTier['isReplaced']>[0]): boolean {
    const { index } = this.#folder;
    for (const known of [index.stampOf(key), this.#flushes.find(key)?.stamp])
      if (known !== undefined && compareStamps(known, stamp) > 0) return true;
    if (index.isCleared(hashMethod(method), stamp)) return true;
    return tags?.some((tag) => index.isTagInvalid(hashTag(tag), stamp)) ?? false;
  }

  flush(): Promise<void> {
    return this.#flushes.flush();
  }

  /**
   * Reads what others have written: `incremental` reads new members only, `full` everything again. With `files`,
   * those files or folders are read instead; they may lie anywhere and are not changed.
   */
  async load(request: { mode?: LoadMode; files?: readonly string[] } = {}): Promise<void> {
    this.#refuseClosed();
    await this.#opening.open();
    await this.#folder.load({ mode: request.mode ?? 'incremental', files: request.files });
  }

  /**
   * Merges the partitions that nobody appends to any more, drops what is overwritten, expired or beyond the bounds, and
   * tells what it came to. Lookups and writes go on meanwhile.
   * @throws DirectoryTakenError when another process is consolidating the folder
   */
  async consolidate(): Promise<ConsolidationReport> {
    this.#refuseClosed();
    await this.#opening.open();
    await this.flush();
    return this.#consolidations.run(true);
  }

  /** Takes over what other cache folders hold that is newer. They are only read. */
  async mergeFrom(folders: readonly string[]): Promise<FolderMergeReport> {
    this.#refuseClosed();
    await this.#opening.open();
    return this.#folder.mergeFrom(folders);
  }

  async *entries(method?: string): AsyncGenerator<TierRecord> {
    this.#refuseClosed();
    await this.#opening.open();
    const pending = this.#flushes.entries();
    for (const key of pending.keys()) {
      const record = this.#bufferedRecord(key);
      if (record !== undefined && record !== 'deleted') yield record;
    }
    for await (const records of this.#reader.all(method)) {
      for (const record of records) {
        if (!pending.has(record.key) && this.#bufferedRecord(record.key) === undefined) yield record;
      }
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#flushes.stop();
    this.#flights?.stop();
    this.#consolidations.stop();
    await Promise.all(this.#tasks.map((task) => task.stop()));
    await this.#consolidations.settle();
    try {
      await this.flush();
    } finally {
      this.#stopExitFlush();
      await this.#flights?.close();
      this.#admission.dropRest();
      await this.#opening.close();
      await this.#folder.close();
      await this.#access.leave();
    }
  }

  #every(interval: number, task: () => Promise<void>): void {
    this.#tasks.push(new PeriodicTask({ clock: this.#clock, interval, task }));
  }

  /** Takes in what others have written. */
  async #pull(): Promise<void> {
    try {
      await this.#time.follow().catch((error: unknown) => this.#folder.noteFailure(error));
      await this.#folder.load({ mode: 'incremental', files: undefined });
    } catch (error) {
      if (this.#isClosed) return;
      this.#report(toStorageError(error, `Reading ${this.#options.persistDir} failed`));
    }
  }

  /** Consolidates what is worth it. Where another process does, there is nothing left to do. */
  async #lookBack(): Promise<void> {
    this.#flights?.sweep();
    try {
      await this.#consolidations.run(false);
    } catch (error) {
      if (error instanceof DirectoryTakenError) return;
      this.#report(toStorageError(error, `Consolidating ${this.#options.persistDir} failed`));
    }
  }

  async #enter(): Promise<void> {
    await this.#folder.makeFolder();
    await this.#access.enter();
    await this.#time.follow((setBack) => {
      this.#flushes.shiftStamps(-setBack);
      this.#folder.resetIndex();
    });
    await this.#folder.open();
    const stamp = this.#admission.rebaseStamps(this.#clock.now() - this.#time.aheadMs);
    if (stamp !== undefined) this.#onStamp(stamp);
    this.#flights?.sweep();
  }

  /** What waits to be written of this key, or is handed over: a value, its deletion, or nothing. */
  #bufferedRecord(key: string, given?: TierRecord): TierRecord | 'deleted' | undefined {
    const entry = newestOf(this.#flushes.find(key), given);
    return entry && answerOf(entry, this.#folder.index, this.#clock.now());
  }

  #refuseClosed(): void {
    if (this.#isClosed) throw new CacheClosedError('The disk tier is closed');
  }

  #report(error: CacheError): void {
    this.#errors += 1;
    this.#onError(error);
  }
}
