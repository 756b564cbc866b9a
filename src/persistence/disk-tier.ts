/** The disk tier: what memory has evicted, and what earlier processes have left, in partition files. */

import { randomBytes } from 'node:crypto';
import type { Clock, Timer } from '../clock.js';
import { CacheClosedError, CacheError } from '../errors.js';
import { compareStamps, type Stamp } from '../stamp.js';
import type { SlowTier, TierRecord } from '../tier.js';
import type { ConsolidationReport } from './consolidation.js';
import { type DirectoryAccess, freeAccess, SoleAccess, sharedAccess } from './directory-access.js';
import { DirectoryTakenError } from './directory-claim.js';
import type { ResolvedDiskOptions } from './disk-options.js';
import { DiskReader } from './disk-reader.js';
import { DiskStore, type LoadMode } from './disk-store.js';
import { flushBeforeExit } from './exit-flush.js';
import { type FileSystem, nodeFileSystem } from './file-system.js';
import type { DirectoryMergeReport } from './folder-merge.js';
import { hashTag, isEntryKey, type MarkerScope } from './member-body.js';
import { entryKind } from './partition-codec.js';
import type { IndexChanges } from './partition-index.js';
import { hashMethod } from './partition-path.js';
import { bytesOf, PendingEntries, type PendingEntry } from './pending-entries.js';
import { PeriodicTask } from './periodic-task.js';

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
export interface DiskCounters {
  readonly flushes: number;
  readonly failedFlushes: number;
  readonly writtenEntries: number;
  readonly writtenBytes: number;
  /** Entries that could not be written and were given up. */
  readonly droppedEntries: number;
  readonly salvagedMembers: number;
  readonly quarantinedFiles: number;
  readonly errors: number;
}

const longestRetry = 30_000;
/** How often a lookup starts over because what it read has been replaced meanwhile. */
const maxLookups = 4;

export class DiskTier implements SlowTier {
  readonly name = 'disk';
  readonly #options: ResolvedDiskOptions;
  readonly #clock: Clock;
  readonly #onError: (error: CacheError) => void;
  readonly #store: DiskStore;
  readonly #reader: DiskReader;
  readonly #access: DirectoryAccess;
  readonly #tasks: PeriodicTask[] = [];
  #consolidating: Promise<unknown> = Promise.resolve();
  #pending = new PendingEntries();
  /** What is being written right now. */
  #writing = new PendingEntries();
  #opening: Promise<void> | undefined;
  #openedAt: number | undefined;
  #failedOpenAt = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | undefined;
  #queued: Promise<void> | undefined;
  #timer: Timer | undefined;
  #failures = 0;
  #nextAttempt = Number.NEGATIVE_INFINITY;
  #isClosed = false;
  #intake = 0;
  #exitIntake = -1;
  readonly #stopExitFlush: () => void;
  readonly #counts = { flushes: 0, failedFlushes: 0, droppedEntries: 0, errors: 0 };

  constructor(init: DiskTierInit) {
    this.#options = init.options;
    this.#clock = init.clock;
    this.#onError = init.onError;
    const files = init.files ?? nodeFileSystem;
    this.#store = new DiskStore({
      options: init.options,
      clock: init.clock,
      files,
      writer: init.writer ?? randomBytes(8).toString('hex'),
      onError: (error) => this.#report(error),
      onStamp: init.onStamp ?? (() => undefined),
      onChanged: init.onChanged ?? (() => undefined),
      pendingMarkers: () => [...this.#writing.markers.values(), ...this.#pending.markers.values()],
    });
    this.#reader = new DiskReader(this.#store, init.clock);
    this.#access = init.access ?? (init.files === undefined ? this.#accessByMode() : freeAccess);
    const pull = () => this.#pull();
    if (init.options.mode === 'multi') this.#every(init.options.syncInterval, pull);
    const { consolidateInterval } = init.options;
    if (consolidateInterval !== null) this.#every(consolidateInterval, () => this.#lookBack());
    this.#stopExitFlush = init.options.flushOnExit
      ? flushBeforeExit(() => this.#flushAtExit())
      : () => undefined;
  }

  get size(): number {
    let size = this.#store.index.size;
    for (const pending of [this.#pending, this.#writing]) {
      for (const entry of pending.entries.values()) {
        const isKnown = this.#store.index.find(entry.key, hashMethod(entry.method)) !== undefined;
        if (entry.kind === 'value' && !isKnown) size += 1;
        else if (entry.kind === 'deletion' && isKnown) size -= 1;
      }
    }
    return size;
  }

  get counters(): DiskCounters {
    return { ...this.#counts, ...this.#store.counters };
  }

  async open(): Promise<void> {
    this.#refuseClosed();
    await this.#open();
  }

  async lookup(key: string, method: string): Promise<TierRecord | undefined> {
    this.#refuseClosed();
    for (let attempt = 0; attempt < maxLookups; attempt += 1) {
      const pending = this.#pendingRecord(key, method);
      if (pending !== undefined) return pending === 'deleted' ? undefined : pending;
      if (this.#openedAt === undefined) await this.#waitForIndex();
      const found = await this.#reader.read(key, method);
      if (found === undefined || (found !== 'changed' && this.#pendingRecord(key, method) === undefined)) {
        return found;
      }
    }
    throw new CacheError('ERR_STORAGE', `Expected the entry ${key} to stay in place while it is read`);
  }

  write(record: TierRecord): void {
    const { key, method, stamp } = record;
    if (!this.#takesIn(key)) return;
    const entry: PendingEntry = { kind: 'value', key, method, record, stamp };
    if (
      record.encoded.length + (record.encodedParams?.length ?? 0) >
      this.#options.maxMemberBytes - entrySlack
    ) {
      this.#drop(entry, `it takes more than \`maxMemberBytes\` (${this.#options.maxMemberBytes})`);
      return;
    }
    const waiting = this.#pending.bytes + this.#writing.bytes;
    if (this.#failures > 0 && waiting + bytesOf(entry) > this.#options.maxPendingBytes) {
      this.#drop(
        entry,
        `\`maxPendingBytes\` (${this.#options.maxPendingBytes}) wait already while writing fails`,
      );
      return;
    }
    this.#put(entry);
  }

  delete(key: string, method: string, stamp: Stamp): void {
    if (this.#takesIn(key)) this.#put({ kind: 'deletion', key, method, stamp });
  }

  clear(method: string | undefined, stamp: Stamp): void {
    if (this.#isClosed) return;
    if (method === undefined) this.#mark({ kind: 'all' }, entryKind.clearAll, '0'.repeat(32), stamp);
    else this.#mark({ kind: 'method', method }, entryKind.clearMethod, hashMethod(method), stamp);
    for (const entry of [...this.#pending.entries.values()]) {
      const isOlder = compareStamps(entry.stamp, stamp) <= 0;
      if (isOlder && (method === undefined || entry.method === method)) {
        this.#pending.settle(entry.key, entry.stamp);
      }
    }
  }

  invalidateTag(tag: string, stamp: Stamp): void {
    if (!this.#isClosed) this.#mark({ kind: 'tag', tag }, entryKind.invalidateTag, hashTag(tag), stamp);
  }

  isReplaced({ key, method, stamp, tags }: Parameters<SlowTier['isReplaced']>[0]): boolean {
    const { index } = this.#store;
    const known = index.stampOf(key);
    if (known !== undefined && compareStamps(known, stamp) > 0) return true;
    if (index.isCleared(hashMethod(method), stamp)) return true;
    return tags?.some((tag) => index.isTagInvalid(hashTag(tag), stamp)) ?? false;
  }

  flush(): Promise<void> {
    if (this.#running === undefined) return this.#start();
    this.#queued ??= this.#running
      // Whoever started the running flush hears of its failure; what it leaves is written now.
      .catch(() => undefined)
      .then(() => {
        this.#queued = undefined;
        return this.#start();
      });
    return this.#queued;
  }

  /**
   * Reads what others have written: `incremental` reads new members only, `full` everything again. With `files`,
   * those files or folders are read instead; they may lie anywhere and are not changed.
   */
  async load(request: { mode?: LoadMode; files?: readonly string[] } = {}): Promise<void> {
    this.#refuseClosed();
    await this.#open();
    await this.#store.load({ mode: request.mode ?? 'incremental', files: request.files });
  }

  /**
   * Merges the partitions that nobody appends to any more, drops what is overwritten, expired or beyond the bounds, and
   * tells what it came to. Lookups and writes go on meanwhile.
   * @throws DirectoryTakenError when another process is consolidating the folder
   */
  async consolidate(): Promise<ConsolidationReport> {
    this.#refuseClosed();
    await this.#open();
    await this.flush();
    return this.#consolidate(true);
  }

  /** Takes over what other cache folders hold that is newer. They are only read. */
  async mergeFrom(folders: readonly string[]): Promise<DirectoryMergeReport> {
    this.#refuseClosed();
    await this.#open();
    return this.#store.mergeFrom(folders);
  }

  async *entries(): AsyncGenerator<TierRecord> {
    this.#refuseClosed();
    await this.#open();
    const pending = new Map([...this.#writing.entries, ...this.#pending.entries]);
    for (const { key, method } of pending.values()) {
      const record = this.#pendingRecord(key, method);
      if (record !== undefined && record !== 'deleted') yield record;
    }
    for await (const record of this.#reader.all()) {
      const isNewer = pending.has(record.key) || this.#pendingRecord(record.key, record.method) !== undefined;
      if (!isNewer) yield record;
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopExitFlush();
    this.#timer?.cancel();
    await Promise.all(this.#tasks.map((task) => task.stop()));
    await this.#consolidating.catch(() => undefined);
    try {
      await this.flush();
    } finally {
      this.#timer?.cancel();
      await this.#opening?.catch(() => undefined);
      await this.#store.close();
      await this.#access.leave();
    }
  }

  #accessByMode(): DirectoryAccess {
    const folder = this.#options.persistDir;
    if (this.#options.mode === 'multi') return sharedAccess(folder);
    return new SoleAccess({ folder, clock: this.#clock, onError: (error) => this.#report(error) });
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
      await this.#consolidate(false);
    } catch (error) {
      if (error instanceof DirectoryTakenError) return;
      this.#report(toStorageError(error, `Consolidating ${this.#options.persistDir} failed`));
    }
  }

  /** One consolidation after another. */
  #consolidate(isThorough: boolean): Promise<ConsolidationReport> {
    const run = async () => {
      const lock = await this.#access.enterConsolidation();
      try {
        const goesOn = () => !this.#isClosed && lock.isHeld;
        return await this.#store.consolidate({ isThorough, goesOn });
      } finally {
        await lock.release();
      }
    };
    const running = this.#consolidating.then(run, run);
    this.#consolidating = running;
    running.catch(() => undefined);
    return running;
  }

  async #enter(): Promise<void> {
    await this.#store.makeFolder();
    await this.#access.enter();
    await this.#store.open();
  }

  #open(): Promise<void> {
    this.#opening ??= this.#enter().then(
      () => {
        this.#openedAt = this.#clock.elapsed();
        for (const task of this.#tasks) task.start();
      },
      (error: unknown) => {
        this.#opening = undefined;
        this.#failedOpenAt = this.#clock.elapsed();
        const failure = toStorageError(error, `Opening ${this.#options.persistDir} failed`);
        this.#report(failure);
        throw failure;
      },
    );
    return this.#opening;
  }

  /** Waits for the index, but not for ever, and without asking a broken disk at every lookup. */
  async #waitForIndex(): Promise<void> {
    if (this.#opening === undefined) {
      const isEarly = this.#clock.elapsed() - this.#failedOpenAt < this.#options.flushInterval;
      if (isEarly) throw new CacheError('ERR_STORAGE', `${this.#options.persistDir} could not be opened`);
    }
    let timer: Timer | undefined;
    const timeout = new Promise<never>((_, reject) => {
      const late = () =>
        reject(
          new CacheError(
            'ERR_STORAGE',
            `Reading ${this.#options.persistDir} takes longer than \`openTimeout\``,
          ),
        );
      timer = this.#clock.schedule(late, this.#options.openTimeout);
    });
    try {
      await Promise.race([this.#open(), timeout]);
    } finally {
      timer?.cancel();
    }
  }

  /** What waits to be written of this key: a value, its deletion, or nothing. */
  #pendingRecord(key: string, method: string): TierRecord | 'deleted' | undefined {
    const entry = this.#pending.entries.get(key) ?? this.#writing.entries.get(key);
    if (entry === undefined) return undefined;
    const { index } = this.#store;
    const known = index.stampOf(key);
    // Another writer's is newer.
    if (known !== undefined && compareStamps(known, entry.stamp) > 0) return undefined;
    if (entry.kind === 'deletion') return 'deleted';
    const { record } = entry;
    const { expiresAt } = record.metadata;
    if (expiresAt !== null && this.#clock.now() >= expiresAt) return 'deleted';
    if (index.isCleared(hashMethod(method), record.stamp)) return 'deleted';
    if (record.tags?.some((tag) => index.isTagInvalid(hashTag(tag), record.stamp))) return 'deleted';
    return record;
  }

  #takesIn(key: string): boolean {
    if (this.#isClosed) return false;
    if (isEntryKey(key)) return true;
    this.#report(new CacheError('ERR_INVALID_ARGUMENT', `Expected a key of 32 hex digits, got \`${key}\``));
    return false;
  }

  #put(entry: PendingEntry): void {
    const known = this.#writing.entries.get(entry.key)?.stamp ?? this.#store.index.stampOf(entry.key);
    if (known !== undefined && compareStamps(known, entry.stamp) > 0) return;
    this.#pending.put(entry);
    this.#intake += 1;
    this.#schedule();
  }

  #mark(scope: MarkerScope, kind: number, key: string, stamp: Stamp): void {
    this.#store.index.mark(kind, key, stamp);
    this.#pending.mark({ scope, stamp });
    this.#intake += 1;
    this.#schedule();
  }

  /** Gives a value up. What it would have replaced is deleted: it is not the newest any more. */
  #drop(entry: PendingEntry, reason: string): void {
    const { key, method, stamp } = entry;
    this.#counts.droppedEntries += 1;
    const hasOlder =
      this.#store.index.stampOf(key) !== undefined ||
      this.#pending.entries.has(key) ||
      this.#writing.entries.has(key);
    if (hasOlder) this.#put({ kind: 'deletion', key, method, stamp });
    this.#report(
      new CacheError('ERR_STORAGE', `The entry ${key} of ${method} is not kept on disk: ${reason}`),
    );
  }

  #schedule(): void {
    if (this.#isClosed || this.#running !== undefined) return;
    const wait = Math.max(0, this.#nextAttempt - this.#clock.elapsed());
    if (this.#failures === 0 && this.#pending.bytes >= this.#options.flushBytes) {
      this.#timer?.cancel();
      this.#timer = undefined;
      this.#flushInBackground();
      return;
    }
    this.#timer ??= this.#clock.schedule(
      () => {
        this.#timer = undefined;
        this.#flushInBackground();
      },
      this.#failures > 0 ? wait : this.#options.flushInterval,
    );
  }

  #flushInBackground(): void {
    // A failure is reported and tried again by the run itself; here nobody waits for it.
    this.flush().catch(() => undefined);
  }

  async #flushAtExit(): Promise<void> {
    // Once for what was taken in: on a broken disk, trying again for ever would keep the process alive.
    if (this.#pending.isEmpty || this.#exitIntake === this.#intake) return;
    this.#exitIntake = this.#intake;
    await this.flush().catch(() => undefined);
  }

  #start(): Promise<void> {
    if (this.#pending.isEmpty) return Promise.resolve();
    this.#timer?.cancel();
    this.#timer = undefined;
    const running = this.#run().finally(() => {
      this.#running = undefined;
      if (!this.#pending.isEmpty) this.#schedule();
    });
    this.#running = running;
    return running;
  }

  async #run(): Promise<void> {
    const batch = this.#pending;
    this.#writing = batch;
    this.#pending = new PendingEntries();
    this.#counts.flushes += 1;
    try {
      await this.#open();
      await this.#store.write(batch);
      this.#failures = 0;
    } catch (error) {
      this.#failures += 1;
      this.#counts.failedFlushes += 1;
      const delay = Math.min(
        longestRetry,
        this.#options.flushInterval * 2 ** Math.min(this.#failures - 1, 20),
      );
      this.#nextAttempt = this.#clock.elapsed() + delay;
      const failure = toStorageError(error, `Writing to ${this.#options.persistDir} failed`);
      this.#report(failure);
      throw failure;
    } finally {
      this.#writing = new PendingEntries();
      this.#pending.absorb(batch);
    }
  }

  #refuseClosed(): void {
    if (this.#isClosed) throw new CacheClosedError('The disk tier is closed');
  }

  #report(error: CacheError): void {
    this.#counts.errors += 1;
    this.#onError(error);
  }
}

/** What key, metadata and msgpack heads add to a value in its member. */
const entrySlack = 512;

function toStorageError(error: unknown, message: string): CacheError {
  if (error instanceof CacheError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new CacheError('ERR_STORAGE', `${message}: ${reason}`, { cause: error });
}
