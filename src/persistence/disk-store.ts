/** The cache folder and its index: brought in, kept up to date, written to and repaired, one thing at a time. */

import { dirname } from 'node:path';
import type { Clock } from '../clock.js';
import type { CacheError } from '../errors.js';
import type { Stamp } from '../stamp.js';
import { writeByMethod } from './batch-encoding.js';
import { Consolidation, type ConsolidationReport, type ConsolidationRequest } from './consolidation.js';
import { PartitionDamagedError } from './damage.js';
import type { ResolvedDiskOptions } from './disk-options.js';
import type { FileSystem } from './file-system.js';
import { type DirectoryMergeReport, mergeInto } from './folder-merge.js';
import { FolderRepair, type RepairCounters } from './folder-repair.js';
import { markIndex } from './index-marker.js';
import { type LoadReport, PartitionLoader } from './loader.js';
import { MemberReader } from './member-reader.js';
import { entryKind } from './partition-codec.js';
import { PartitionFileMaker } from './partition-file-maker.js';
import { type IndexChanges, PartitionIndex } from './partition-index.js';
import { PartitionWriter, type WrittenMember } from './partition-writer.js';
import type { PendingEntries, PendingMarker } from './pending-entries.js';
import { toStorageError } from './storage-error.js';

/** `incremental` reads new members only, `full` everything again. */
export type LoadMode = 'incremental' | 'full';

/** What a store is made from. */
export interface DiskStoreInit {
  readonly options: ResolvedDiskOptions;
  readonly clock: Clock;
  readonly files: FileSystem;
  readonly writer: string;
  readonly onError: (error: CacheError) => void;
  readonly onStamp: (stamp: Stamp) => void;
  /** Hears what others' files have changed; of `everything` when that can't be told. */
  readonly onChanged: (changes: IndexChanges | 'everything') => void;
  /** The markers that are in no file yet. */
  readonly pendingMarkers: () => Iterable<PendingMarker>;
}

/** What a store has done since it was made. */
export interface StoreCounters extends RepairCounters {
  readonly writtenEntries: number;
  readonly writtenBytes: number;
}

const groupRights = 0o077;
const failureMessage = 'Reading or repairing the cache folder failed';

export class DiskStore {
  readonly reader: MemberReader;
  readonly #init: DiskStoreInit;
  readonly #maker: PartitionFileMaker;
  readonly #writer: PartitionWriter;
  readonly #loader: PartitionLoader;
  readonly #repairs: FolderRepair;
  #index = new PartitionIndex();
  #turn: Promise<unknown> = Promise.resolve();
  #refreshing: Promise<void> | undefined;
  #loadedAt = Number.NEGATIVE_INFINITY;
  readonly #given = new Set<string>();
  readonly #products = new Set<string>();
  readonly #settled = new Map<string, number>();
  #batch: PendingEntries | undefined;
  readonly #counts = { writtenEntries: 0, writtenBytes: 0 };

  constructor(init: DiskStoreInit) {
    const { options, files, clock, writer } = init;
    this.#init = init;
    const { maxMemberBytes } = options;
    this.reader = new MemberReader({ files, maxMemberBytes, onError: (error) => this.noteFailure(error) });
    this.#maker = new PartitionFileMaker({
      files,
      folder: options.persistDir,
      fileMode: options.fileMode,
      folderMode: options.dirMode,
      syncsFolders: options.durability === 'disk',
    });
    this.#writer = new PartitionWriter({
      files,
      maker: this.#maker,
      writer,
      durability: options.durability,
      partitionBytes: options.partitionBytes,
      closeAfter: options.closeAfter,
      compressionLevel: options.compressionLevel,
      now: () => clock.now(),
      elapsed: () => clock.elapsed(),
      onWritten: (written) => this.#noteWritten(written),
    });
    const ownUser = process.getuid?.();
    this.#loader = new PartitionLoader({
      files,
      maxMemberBytes: options.maxMemberBytes,
      isTrustedOwner: (owner) =>
        ownUser === undefined || owner === ownUser || (options.fileMode & groupRights) !== 0,
      isShared: options.mode === 'multi',
      now: () => clock.now(),
    });
    this.#repairs = new FolderRepair({
      options,
      files,
      clock,
      maker: this.#maker,
      owns: (path) => this.#writer.owns(path),
      release: (path) => this.reader.release(path),
      onError: (error) => this.noteFailure(error),
    });
    for (const path of options.loadCache) this.#given.add(path);
  }

  /** Where everything lies. Another one after a full load, so it is not to be kept. */
  get index(): PartitionIndex {
    return this.#index;
  }

  get counters(): StoreCounters {
    return { ...this.#counts, ...this.#repairs.counters };
  }

  /** Makes the folder if it is not there. */
  async makeFolder(): Promise<void> {
    const { options, files } = this.#init;
    await files.makeFolder(options.persistDir, { mode: options.dirMode, recursive: true });
    if (options.durability === 'disk') await files.syncFolder(dirname(options.persistDir));
  }

  /** Brings the folder's files in. */
  async open(): Promise<void> {
    await this.#inTurn(async () => {
      await this.#loadFolder({ mode: 'incremental', repairs: true });
      if (this.#given.size > 0) this.#tell(await this.#loader.loadGiven(this.#index, [...this.#given]));
      this.#tellNewest();
    });
  }

  /** Brings the index up to date. */
  async load(request: { mode: LoadMode; files: readonly string[] | undefined }): Promise<void> {
    const { mode, files } = request;
    await this.#inTurn(async () => {
      if (files === undefined) {
        await this.#loadFolder({ mode, repairs: true });
      } else {
        for (const path of files) this.#given.add(path);
        this.#index.watch();
        this.#tell(await this.#loader.loadGiven(this.#index, files));
        this.#tellChanges();
      }
      this.#tellNewest();
    });
  }

  /** Lists the folder again, because a file is not where it was. Those who ask meanwhile share one listing. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#inTurn(() =>
      this.#loadFolder({ mode: 'incremental', repairs: false }),
    ).finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  /** Tries again to read what could not be read, but not at every lookup. */
  async retry(): Promise<void> {
    const { clock, options } = this.#init;
    if (clock.elapsed() - this.#loadedAt >= options.flushInterval) await this.refresh();
  }

  /** Writes a batch and takes out of it what is written; rejects when something remains. */
  async write(batch: PendingEntries): Promise<void> {
    await this.#inTurn(async () => {
      this.#batch = batch;
      try {
        await writeByMethod(batch, (method, entries) => this.#writer.write(method, entries));
      } finally {
        this.#batch = undefined;
      }
    });
  }

  /**
   * Merges closed partitions and keeps the bounds on age and bytes; see `Consolidation`. A thorough one also closes
   * what this process writes to.
   */
  async consolidate(request: Omit<ConsolidationRequest, 'closed'>): Promise<ConsolidationReport> {
    const closed = new Set<string>();
    await this.#inTurn(async () => {
      if (request.isThorough) {
        for (const path of this.#writer.paths) closed.add(path);
        await this.#writer.close();
      }
      await this.#loadFolder({ mode: 'incremental', repairs: true });
    });
    const { options, files, clock, writer } = this.#init;
    const consolidation = new Consolidation(
      {
        options,
        files,
        writer,
        maker: this.#maker,
        loader: this.#loader,
        index: () => this.#index,
        now: () => clock.now(),
        inTurn: (task) => this.#inTurn(task),
        owns: (path) => this.#writer.owns(path),
        release: (path) => this.reader.release(path),
        refresh: () => this.refresh(),
        onFailure: (error) => {
          if (error instanceof PartitionDamagedError) this.noteDamage(error);
          else this.noteFailure(error);
        },
        products: this.#products,
        settled: this.#settled,
      },
      { ...request, closed },
    );
    return consolidation.run();
  }

  /** Takes over from other folders what is newer there. */
  mergeFrom(folders: readonly string[]): Promise<DirectoryMergeReport> {
    const { options, files, clock } = this.#init;
    const now = () => clock.now();
    const index = () => this.#index;
    const onFailure = (error: unknown) => this.noteFailure(error);
    const host = { options, files, now, index, maker: this.#maker, loader: this.#loader, onFailure };
    return this.#inTurn(() => mergeInto(folders, host));
  }

  async close(): Promise<void> {
    await this.#inTurn(async () => {
      await this.reader.close();
      await this.#writer.close();
    });
  }

  async #loadFolder(request: { mode: LoadMode; repairs: boolean }): Promise<void> {
    const { mode, repairs } = request;
    let index = this.#index;
    index.watch();
    if (mode === 'full') {
      this.#loader.reset();
      index = new PartitionIndex();
    }
    try {
      index = await this.#bringIn(index, repairs);
    } catch (error) {
      // What was read has gone with the index that it was read into.
      this.#loader.reset();
      throw error;
    } finally {
      this.#loadedAt = this.#init.clock.elapsed();
    }
    if (index === this.#index) this.#tellChanges();
    else this.#replaceIndex(index);
  }

  /** Brings the folder into the index, or into another one where entries have lost their place. */
  async #bringIn(given: PartitionIndex, repairs: boolean): Promise<PartitionIndex> {
    const { persistDir } = this.#init.options;
    let index = given;
    let report = await this.#loader.loadFolder(index, persistDir);
    this.#tell(report);
    if (repairs && (await this.#repairs.repair(report))) {
      report = await this.#loader.loadFolder(index, persistDir);
      this.#tell(report);
    }
    if (report.hasLost) {
      this.#loader.reset();
      index = new PartitionIndex();
      this.#tell(await this.#loader.loadFolder(index, persistDir));
    }
    if (index !== this.#index && this.#given.size > 0) {
      this.#tell(await this.#loader.loadGiven(index, [...this.#given]));
    }
    return index;
  }

  /** Puts a new index in the place of the old one, which alone knew the markers that are in no file yet. */
  #replaceIndex(index: PartitionIndex): void {
    for (const marker of this.#init.pendingMarkers()) markIndex(index, marker);
    this.#index = index;
    this.#init.onChanged('everything');
  }

  #noteWritten(written: WrittenMember): void {
    const { header, position, path, method, entries } = written;
    const file =
      this.#index.file(header.fileId) ??
      this.#index.addFile({
        path,
        id: header.fileId,
        methodHash: header.methodHash,
        method,
        writer: header.writer,
        isGiven: false,
        isPlain: false,
        scannedBytes: 0,
        nextMember: 0,
        isGone: false,
      });
    this.#index.addMember(file, position, header, Number.NEGATIVE_INFINITY);
    file.scannedBytes = position + header.memberLength;
    file.nextMember = header.memberNumber + 1;
    this.#counts.writtenBytes += header.memberLength;
    this.#counts.writtenEntries += entries.length;
    for (const entry of entries) {
      if (entry.kind <= entryKind.deletion) this.#batch?.settle(entry.key, entry.stamp);
      else this.#batch?.settleMarker(entry);
    }
  }

  /** Hears of damage that showed only in reading: the file is repaired at the next load. */
  noteDamage(damage: PartitionDamagedError): void {
    this.#init.onError(damage);
    this.#repairs.note(damage);
  }

  /** Hears of a reading that failed where nobody waits for it. */
  noteFailure(error: unknown): void {
    this.#init.onError(toStorageError(error, failureMessage));
  }

  #tell(report: LoadReport): void {
    for (const problem of report.problems) this.noteFailure(problem);
  }

  #tellChanges(): void {
    const changes = this.#index.takeChanges();
    const isNews = changes === 'everything' || changes.keys.length > 0 || changes.hasNewMarkers;
    if (isNews) this.#init.onChanged(changes);
  }

  #tellNewest(): void {
    if (this.#index.newest !== undefined) this.#init.onStamp(this.#index.newest);
  }

  /** Loads, flushes and repairs don't overlap: each finds the index and the files as one. */
  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const running = this.#turn.then(task);
    this.#turn = running.catch(() => undefined);
    return running;
  }
}
