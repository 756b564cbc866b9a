/** The cache folder and its index: brought in, kept up to date, written to and repaired, one thing at a time. */

import { dirname, join } from 'node:path';
import {
  Consolidation,
  type ConsolidationReport,
  type ConsolidationRequest,
} from './consolidate/consolidation.js';
import { type FolderMergeReport, mergeFolders } from './consolidate/merge-folders.js';
import { FolderRepair } from './consolidate/repair.js';
import { PartitionDamagedError, toStorageError } from './disk-errors.js';
import { type DiskFolderInit, type FolderCounters, type LoadMode, trustedOwners } from './folder-context.js';
import { entryKind } from './format/member-header.js';
import { hashMethod } from './format/partition-name.js';
import { unnamedMethod } from './format/tombstone.js';
import { LoadWatches } from './index/load-watches.js';
import { PartitionIndex } from './index/partition-index.js';
import { membershipFolder, writerIn } from './lock/membership.js';
import { isOnNetwork } from './lock/network-volume.js';
import { FolderChangeCheck } from './read/folder-change-check.js';
import { FolderLoader, type LoadReport } from './read/folder-loader.js';
import { MemberReader } from './read/member-reader.js';
import { SyncStat } from './read/sync-stat.js';
import { TaskQueue } from './task-queue.js';
import { writeByMethod } from './write/batch-encoding.js';
import { PartitionFiles } from './write/partition-files.js';
import { PartitionWriter, type WrittenMember } from './write/partition-writer.js';
import type { WriteBuffer } from './write/write-buffer.js';
import { indexWritten } from './write/written-members.js';

export class DiskFolder {
  readonly reader: MemberReader;
  /** The loads under way. */
  readonly watches = new LoadWatches();
  readonly #init: DiskFolderInit;
  readonly #maker: PartitionFiles;
  readonly #writer: PartitionWriter;
  readonly #loader: FolderLoader;
  readonly #repairs: FolderRepair;
  readonly #news: FolderChangeCheck;
  readonly syncStat: SyncStat;
  #index = new PartitionIndex();
  /** Loads, flushes and repairs don't overlap: each finds the index and the files as one. */
  readonly #turns = new TaskQueue();
  #refreshing: Promise<void> | undefined;
  #loadedAt = Number.NEGATIVE_INFINITY;
  readonly #readOnly = new Set<string>();
  readonly #products = new Set<string>();
  readonly #settled = new Map<string, number>();
  readonly #tooLarge = new Set<string>();
  #writing: WriteBuffer | undefined;
  readonly #counts = { writtenEntries: 0, writtenBytes: 0 };

  constructor(init: DiskFolderInit) {
    const { options, files, clock, writer } = init;
    this.#init = init;
    const onError = (error: unknown) => this.noteFailure(error);
    this.reader = new MemberReader({ files, maxMemberBytes: options.maxMemberBytes, isOnNetwork, onError });
    this.#maker = new PartitionFiles({
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
    this.#loader = new FolderLoader({
      files,
      maxMemberBytes: options.maxMemberBytes,
      isTrustedOwner: trustedOwners(options.fileMode),
      isShared: options.mode === 'multi',
      now: () => clock.now(),
      watches: this.watches,
    });
    this.syncStat = new SyncStat({ files, isOnNetwork: () => isOnNetwork(files, options.persistDir) });
    this.#news = new FolderChangeCheck({
      files,
      statusOf: (path) => this.syncStat.of(path),
      folder: options.persistDir,
      membersFolder: join(options.persistDir, membershipFolder),
      writerIn,
      elapsed: () => clock.elapsed(),
      seen: () => this.#loader.seen,
      writerOf: (path) => this.#index.fileTable.at(path)[0]?.writer,
      owns: (path) => this.#writer.owns(path),
    });
    this.#repairs = new FolderRepair({
      options,
      files,
      clock,
      maker: this.#maker,
      owns: (path) => this.#writer.owns(path),
      release: (path) => this.reader.release(path),
      onError,
    });
    for (const path of options.loadCache) this.#readOnly.add(path);
  }

  /** Where everything lies. Another one after a full load, so it is not to be kept. */
  get index(): PartitionIndex {
    return this.#index;
  }

  get counters(): FolderCounters {
    return { ...this.#counts, ...this.#repairs.counters, indexedKeys: this.#index.keys };
  }

  /** Makes the folder if it is not there. */
  async makeFolder(): Promise<void> {
    const { options, files } = this.#init;
    await files.makeFolder(options.persistDir, { mode: options.dirMode, recursive: true });
    if (options.durability === 'disk') await files.syncFolder(dirname(options.persistDir));
  }

  /** Brings the folder's files in. */
  async open(): Promise<void> {
    await this.#turns.run(async () => {
      await this.#loadFolder({ mode: 'incremental', repairs: true });
      this.watches.isFolderKnown = true;
      if (this.#readOnly.size > 0) this.#report(await this.#loader.loadReadOnly(this.#index, this.#readOnly));
      this.#emitNewest();
    });
  }

  /** Brings the index up to date. */
  async load({ mode, files }: { mode: LoadMode; files: readonly string[] | undefined }): Promise<void> {
    await this.#turns.run(async () => {
      if (files === undefined) {
        await this.#loadFolder({ mode, repairs: true });
      } else {
        this.#index.watch();
        this.#report(await this.#loader.loadReadOnly(this.#index, files));
        for (const path of files) this.#readOnly.add(path);
        await this.#emitChanges();
      }
      this.#emitNewest();
    });
  }

  /** Lists the folder again, because a file is not where it was. Those who ask meanwhile share one listing. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#turns
      .run(() => this.#loadFolder({ mode: 'incremental', repairs: false }))
      .finally(() => {
        this.#refreshing = undefined;
      });
    return this.#refreshing;
  }

  /** Brings in what others have written of a method, and nothing else, for a few looks at times of change. */
  async refreshMethod(method: string): Promise<void> {
    const paths = await this.#news.find([hashMethod(method), hashMethod(unnamedMethod)]);
    if (paths.length === 0) return;
    await this.#turns.run(async () => {
      this.#index.watch();
      this.#report(await this.#loader.loadFiles(this.#index, paths));
      await this.#emitChanges();
      this.#emitNewest();
    });
  }

  /** Tries again to read what could not be read, but not at every lookup. */
  async retry(): Promise<void> {
    const { clock, options } = this.#init;
    if (clock.elapsed() - this.#loadedAt >= options.flushInterval) await this.refresh();
  }

  /** Writes a batch and takes out of it what is written; rejects when something remains. */
  async write(batch: WriteBuffer): Promise<void> {
    await this.#turns.run(async () => {
      this.#writing = batch;
      try {
        await writeByMethod(batch, (method, entries) => this.#writer.write(method, entries));
      } finally {
        this.#writing = undefined;
      }
    });
  }

  /**
   * Merges closed partitions and keeps the bounds on age and bytes; see `Consolidation`. A thorough one also closes
   * what this process writes to.
   */
  async consolidate(
    request: Omit<ConsolidationRequest, 'closed' | 'isOnNetwork'>,
  ): Promise<ConsolidationReport> {
    let closed = new Set<string>();
    await this.#turns.run(async () => {
      if (request.isThorough) {
        closed = new Set(this.#writer.paths);
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
        inTurn: (task) => this.#turns.run(task),
        owns: (path) => this.#writer.owns(path),
        release: (path) => this.reader.release(path),
        refresh: () => this.refresh(),
        onFailure: (error) =>
          error instanceof PartitionDamagedError ? this.noteDamage(error) : this.noteFailure(error),
        products: this.#products,
        settled: this.#settled,
        tooLarge: this.#tooLarge,
      },
      { ...request, closed, isOnNetwork: () => isOnNetwork(files, options.persistDir) },
    );
    return consolidation.run();
  }

  /** Takes over from other folders what is newer there. */
  mergeFrom(folders: readonly string[]): Promise<FolderMergeReport> {
    const { options, files, clock } = this.#init;
    const now = () => clock.now();
    const index = () => this.#index;
    const onFailure = (error: unknown) => this.noteFailure(error);
    const host = { options, files, now, index, maker: this.#maker, loader: this.#loader, onFailure };
    return this.#turns.run(() => mergeFolders(folders, host));
  }

  /** Ends with what has its turn already; what comes after it is refused. */
  async close(): Promise<void> {
    await this.#turns.close(async () => {
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
      index = this.#successor();
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
    if (index === this.#index) await this.#emitChanges();
    else await this.#replaceIndex(index);
  }

  /** Brings the folder into the index, or into another one where entries have lost their place. */
  async #bringIn(given: PartitionIndex, repairs: boolean): Promise<PartitionIndex> {
    const { persistDir } = this.#init.options;
    let index = given;
    let report = await this.#loader.loadFolder(index, persistDir);
    this.#report(report);
    if (repairs && (await this.#repairs.repair(report))) {
      report = await this.#loader.loadFolder(index, persistDir);
      this.#report(report);
    }
    if (report.hasLost || index.isMostlyGone()) {
      this.#loader.reset();
      index = this.#successor();
      this.#report(await this.#loader.loadFolder(index, persistDir));
    }
    if (index !== this.#index && this.#readOnly.size > 0) {
      this.#report(await this.#loader.loadReadOnly(index, this.#readOnly, { mayBeGone: true }));
    }
    return index;
  }

  /** Puts a new index in the place of the old one, which alone knew the markers that are in no file yet. */
  async #replaceIndex(index: PartitionIndex): Promise<void> {
    for (const marker of this.#init.bufferedTombstones()) index.addTombstone(marker);
    this.watches.known = undefined;
    this.#index = index;
    await this.#init.onChanged('everything');
  }

  /** An index to be read anew, which will take the place of the one there is. */
  #successor(): PartitionIndex {
    this.watches.known = this.#index;
    return new PartitionIndex();
  }

  /** Forgets the markers that the index has learnt before it was read, but for those that wait to be written. */
  resetIndex(): void {
    this.#index = new PartitionIndex();
    for (const marker of this.#init.bufferedTombstones()) this.#index.addTombstone(marker);
  }

  #noteWritten(written: WrittenMember): void {
    const { header, entries } = written;
    indexWritten(this.#index, written);
    this.#counts.writtenBytes += header.memberLength;
    this.#counts.writtenEntries += entries.length;
    for (const entry of entries) {
      if (entry.kind <= entryKind.tombstone) this.#writing?.acknowledge(entry.key, entry.stamp);
      else this.#writing?.acknowledgeTombstone(entry);
    }
  }

  /** Hears of damage that showed only in reading: the file is repaired at the next load. */
  noteDamage(damage: PartitionDamagedError): void {
    this.#init.onError(damage);
    this.#repairs.noteDamage(damage);
  }

  /** Hears of a reading that failed where nobody waits for it. */
  noteFailure(error: unknown): void {
    this.#init.onError(toStorageError(error, 'Reading or repairing the cache folder failed'));
  }

  #report(report: LoadReport): void {
    for (const problem of report.errors) this.noteFailure(problem);
  }

  async #emitChanges(): Promise<void> {
    const changes = this.#index.takeChanges();
    const isNews = changes === 'everything' || changes.keys.length > 0 || changes.hasNewTombstones;
    if (isNews) await this.#init.onChanged(changes);
  }

  #emitNewest(): void {
    if (this.#index.newest !== undefined) this.#init.onStamp(this.#index.newest);
  }
}
