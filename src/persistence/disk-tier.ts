/** The disk tier: what memory has evicted, and what earlier processes have left, in partition files. */

import { randomBytes } from 'node:crypto';
import type { Clock } from '../clock.js';
import { CacheClosedError, CacheError } from '../errors.js';
import { compareStamps, type Stamp } from '../stamp.js';
import type { SlowTier, TierRecord } from '../tier.js';
import type { ConsolidationReport } from './consolidation.js';
import { ConsolidationTurns } from './consolidation-turns.js';
import { accessByMode, type DirectoryAccess, freeAccess } from './directory-access.js';
import { DirectoryTakenError } from './directory-claim.js';
import type { ResolvedDiskOptions } from './disk-options.js';
import { DiskReader } from './disk-reader.js';
import { DiskStore, type LoadMode, type StoreCounters } from './disk-store.js';
import { flushBeforeExit } from './exit-flush.js';
import { type FileSystem, nodeFileSystem } from './file-system.js';
import { type FlushCounters, FlushSchedule } from './flush-schedule.js';
import type { DirectoryMergeReport } from './folder-merge.js';
import { FolderOpening } from './folder-opening.js';
import { hashTag } from './member-body.js';
import type { IndexChanges } from './partition-index.js';
import { hashMethod } from './partition-path.js';
import { answerOf } from './pending-answer.js';
import { PeriodicTask } from './periodic-task.js';
import { toStorageError } from './storage-error.js';
import { WriteIntake } from './write-intake.js';

/** What a disk tier is made from. */
export interface DiskTierInit {
  readonly options: ResolvedDiskOptions;
  readonly clock: Clock;
  /** Gets every failure. They are counted too, and none is thrown at a tool call. */
  readonly onError: (error: CacheError) => void;
  /** Gets the newest stamp of what was read, so that new ones are newer. */
  readonly onStamp?: (stamp: Stamp) => void;
  /** Hears which keys others' files have changed; `everything` when that can't be told key by key. */
  readonly onChanged?: (changes: IndexChanges | 'everything') => void;
  /** The id of this process's writer, 16 hex digits; random by default. */
  readonly writer?: string;
  readonly files?: FileSystem;
  /** How it enters the folder: as `mode` says, but on a file system of another making without asking. */
  readonly access?: DirectoryAccess;
}

/** What the disk tier has done since it was made. */
export interface DiskCounters extends FlushCounters, StoreCounters {
  /** Entries that could not be written and were given up. */
  readonly droppedEntries: number;
  readonly errors: number;
}

/** How often a lookup starts over because what it read has been replaced meanwhile. */
const maxLookups = 4;

export class DiskTier implements SlowTier {
  readonly name = 'disk';
  readonly #options: ResolvedDiskOptions;
  readonly #clock: Clock;
  readonly #onError: (error: CacheError) => void;
  readonly #onStamp: (stamp: Stamp) => void;
  readonly #store: DiskStore;
  readonly #reader: DiskReader;
  readonly #access: DirectoryAccess;
  readonly #tasks: PeriodicTask[] = [];
  readonly #consolidations: ConsolidationTurns;
  readonly #flushes: FlushSchedule;
  readonly #intake: WriteIntake;
  readonly #opening: FolderOpening;
  #isClosed = false;
  readonly #stopExitFlush: () => void;
  #errors = 0;

  constructor(init: DiskTierInit) {
    this.#options = init.options;
    this.#clock = init.clock;
    this.#onError = init.onError;
    this.#onStamp = init.onStamp ?? (() => undefined);
    const { files = nodeFileSystem, writer = randomBytes(8).toString('hex') } = init;
    const onError = (error: CacheError) => this.#report(error);
    this.#store = new DiskStore({
      options: init.options,
      clock: init.clock,
      files,
      writer,
      onError,
      onStamp: this.#onStamp,
      onChanged: init.onChanged ?? (() => undefined),
      pendingMarkers: () => this.#flushes.markers(),
    });
    this.#reader = new DiskReader(this.#store, init.clock);
    const isMachines = init.files === undefined;
    const pull = () => this.#pull();
    const entering = { ...init, writer, onError, onOthers: () => void pull() };
    this.#access = init.access ?? (isMachines ? accessByMode(entering) : freeAccess);
    this.#consolidations = new ConsolidationTurns(this.#store, this.#access);
    this.#flushes = new FlushSchedule({
      options: init.options,
      clock: init.clock,
      write: async (batch) => {
        await this.#opening.open();
        await this.#store.write(batch);
      },
      onFailure: (error) => {
        const failure = toStorageError(error, `Writing to ${init.options.persistDir} failed`);
        this.#report(failure);
        return failure;
      },
    });
    this.#intake = new WriteIntake({
      options: init.options,
      flushes: this.#flushes,
      index: () => this.#store.index,
      isOpen: () => this.#opening.isOpen,
      onError: (error) => this.#report(error),
    });
    this.#opening = new FolderOpening({
      options: init.options,
      clock: init.clock,
      enter: () => this.#enter(),
      onOpened: () => {
        for (const task of this.#tasks) task.start();
      },
      onError: (error) => this.#report(error),
    });
    if (init.options.mode === 'multi') this.#every(init.options.syncInterval, pull);
    const { consolidateInterval } = init.options;
    if (consolidateInterval !== null) this.#every(consolidateInterval, () => this.#lookBack());
    this.#stopExitFlush = init.options.flushOnExit
      ? flushBeforeExit(() => this.#flushes.flushAtExit())
      : () => undefined;
  }

  get size(): number {
    let size = this.#store.index.size;
    for (const entry of this.#flushes.entries().values()) {
      const isKnown = this.#store.index.find(entry.key, hashMethod(entry.method)) !== undefined;
      if (entry.kind === 'value' && !isKnown) size += 1;
      else if (entry.kind === 'deletion' && isKnown) size -= 1;
    }
    return size;
  }

  get counters(): DiskCounters {
    const { droppedEntries } = this.#intake;
    return { ...this.#flushes.counters, ...this.#store.counters, droppedEntries, errors: this.#errors };
  }

  async open(): Promise<void> {
    this.#refuseClosed();
    await this.#opening.open();
  }

  async lookup(key: string, method: string): Promise<TierRecord | undefined> {
    this.#refuseClosed();
    for (let attempt = 0; attempt < maxLookups; attempt += 1) {
      const pending = this.#pendingRecord(key);
      if (pending !== undefined) return pending === 'deleted' ? undefined : pending;
      if (!this.#opening.isOpen) await this.#opening.wait();
      const found = await this.#reader.read(key, method);
      if (found === undefined || (found !== 'changed' && this.#pendingRecord(key) === undefined)) {
        return found;
      }
    }
    throw new CacheError('ERR_STORAGE', `Expected the entry ${key} to stay in place while it is read`);
  }

  /** Takes an entry in; one that is given up for lack of room is counted and reported. */
  write(record: TierRecord): boolean {
    return !this.#isClosed && this.#intake.write(record);
  }

  delete(key: string, method: string, stamp: Stamp): void {
    if (!this.#isClosed) this.#intake.delete(key, method, stamp);
  }

  clear(method: string | undefined, stamp: Stamp): void {
    if (!this.#isClosed) this.#intake.clear(method, stamp);
  }

  invalidateTag(tag: string, stamp: Stamp): void {
    if (!this.#isClosed) this.#intake.invalidateTag(tag, stamp);
  }

  room(): Promise<void> | undefined {
    return this.#flushes.room();
  }

  /** What waits to be written takes in memory, about. */
  get pendingBytes(): number {
    return this.#flushes.bytes;
  }

  isReplaced({ key, method, stamp, tags }: Parameters<SlowTier['isReplaced']>[0]): boolean {
    const { index } = this.#store;
    const known = index.stampOf(key);
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
    await this.#store.load({ mode: request.mode ?? 'incremental', files: request.files });
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
  async mergeFrom(folders: readonly string[]): Promise<DirectoryMergeReport> {
    this.#refuseClosed();
    await this.#opening.open();
    return this.#store.mergeFrom(folders);
  }

  async *entries(): AsyncGenerator<TierRecord> {
    this.#refuseClosed();
    await this.#opening.open();
    const pending = this.#flushes.entries();
    for (const key of pending.keys()) {
      const record = this.#pendingRecord(key);
      if (record !== undefined && record !== 'deleted') yield record;
    }
    for await (const record of this.#reader.all()) {
      const isNewer = pending.has(record.key) || this.#pendingRecord(record.key) !== undefined;
      if (!isNewer) yield record;
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopExitFlush();
    this.#flushes.stop();
    this.#consolidations.stop();
    await Promise.all(this.#tasks.map((task) => task.stop()));
    await this.#consolidations.settle();
    try {
      await this.flush();
    } finally {
      this.#intake.giveUpRest();
      await this.#opening.settle();
      await this.#store.close();
      await this.#access.leave();
    }
  }

  #every(interval: number, task: () => Promise<void>): void {
    this.#tasks.push(new PeriodicTask({ clock: this.#clock, interval, task }));
  }

  /** Takes in what others have written. */
  async #pull(): Promise<void> {
    try {
      await this.#store.load({ mode: 'incremental', files: undefined });
    } catch (error) {
      this.#report(toStorageError(error, `Reading ${this.#options.persistDir} failed`));
    }
  }

  /** Consolidates what is worth it. Where another process does, there is nothing left to do. */
  async #lookBack(): Promise<void> {
    try {
      await this.#consolidations.run(false);
    } catch (error) {
      if (error instanceof DirectoryTakenError) return;
      this.#report(toStorageError(error, `Consolidating ${this.#options.persistDir} failed`));
    }
  }

  async #enter(): Promise<void> {
    await this.#store.makeFolder();
    await this.#access.enter();
    await this.#store.open();
    const stamp = this.#intake.outdoFuture(this.#clock.now());
    if (stamp !== undefined) this.#onStamp(stamp);
  }

  /** What waits to be written of this key: a value, its deletion, or nothing. */
  #pendingRecord(key: string): TierRecord | 'deleted' | undefined {
    const entry = this.#flushes.find(key);
    return entry && answerOf(entry, this.#store.index, this.#clock.now());
  }

  #refuseClosed(): void {
    if (this.#isClosed) throw new CacheClosedError('The disk tier is closed');
  }

  #report(error: CacheError): void {
    this.#errors += 1;
    this.#onError(error);
  }
}
