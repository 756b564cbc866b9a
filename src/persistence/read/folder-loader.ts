/** Brings what lies in partition files into an index: headers only, but for plain files, which are inflated. */

import { isError } from '../../errors.js';
import { damageAt, PartitionDamagedError } from '../disk-errors.js';
import { type FileStatus, type FileSystem, hasCode, isSameStatus, type OpenFile } from '../file-system.js';
import type { MemberHeader } from '../format/member-header.js';
import { hashMethod } from '../format/partition-name.js';
import type { LoadWatches } from '../index/load-watches.js';
import type { FoundFile, PartitionFile } from '../index/partition-file.js';
import type { PartitionIndex } from '../index/partition-index.js';
import { leavesOpen } from '../index/unreadable-files.js';
import { listPartitions, listReadOnly, maxListings, toFound } from './folder-listing.js';
import { HeaderWindow, scanPartition } from './header-scan.js';
import { takeInPlain } from './plain-file.js';

/** What a loader works with. */
export interface LoaderOptions {
  readonly files: FileSystem;
  /** The largest body that is inflated. */
  readonly maxMemberBytes: number;
  /** Whether files of this user are read. */
  readonly isTrustedOwner: (owner: number) => boolean;
  /** Whether others may move files while they are listed and read. */
  readonly isShared: boolean;
  readonly now: () => number;
  /** The loads under way, which changes by others supersede. */
  readonly watches?: LoadWatches | undefined;
}

/** A file in the cache folder that needs care. */
export interface DamagedFile {
  readonly path: string;
  /** What is wrong; empty when it only ends in an incomplete member. */
  readonly damage: readonly PartitionDamagedError[];
  readonly modifiedAt: number;
}

/** What a load came to. */
export interface LoadReport {
  /** Partition files there are. */
  readonly files: number;
  /** Files that were read, at least in part. */
  readonly read: number;
  /** Whether entries lost their place because their file has gone: only a full load finds them elsewhere. */
  readonly hasLost: boolean;
  /** Everything that is wrong, each told once. */
  readonly errors: readonly Error[];
  readonly damaged: readonly DamagedFile[];
  /** Files that a writer left behind before they got their name. */
  readonly temporary: readonly string[];
}

const parallelFiles = 6;

export class FolderLoader {
  readonly #options: LoaderOptions;
  /** What each path looked like when it was read last. */
  readonly #seen = new Map<string, FileStatus>();
  /** Paths of which it was told that they are no partitions. */
  readonly #reported = new Set<string>();

  constructor(options: LoaderOptions) {
    this.#options = options;
  }

  /** Forgets what was seen, so that the next load reads everything. */
  reset(): void {
    this.#seen.clear();
  }

  /** Brings the folder's files up to date in the index. */
  async loadFolder(index: PartitionIndex, folder: string): Promise<LoadReport> {
    const load = new Load(this.#options, { seen: this.#seen, told: this.#reported }, index);
    let found = await load.list(folder);
    load.markGone(found);
    await load.readAll(found);
    for (let listings = 1; load.hasVanished && listings < maxListings; listings += 1) {
      found = await load.list(folder);
      load.markGone(found);
      await load.readAll(found);
    }
    await load.readAll(index.unreadable.readOnly);
    load.settle(found);
    return load.report(found.length);
  }

  /** The files of the folder as they were seen last. */
  get seen(): ReadonlyMap<string, FileStatus> {
    return this.#seen;
  }

  /** Brings files of the folder up to date in the index, without listing it. */
  async loadFiles(index: PartitionIndex, paths: readonly string[]): Promise<LoadReport> {
    const load = new Load(this.#options, { seen: this.#seen, told: this.#reported }, index);
    await load.readAll(paths.map((path) => toFound(path, false)));
    return load.report(paths.length);
  }

  /**
   * Takes in files from anywhere. They are only read. Rejects before it reads any when a path can't be listed, but goes on
   * without one that has gone since it was read first (`mayBeGone`), and reports it.
   */
  async loadReadOnly(
    index: PartitionIndex,
    paths: Iterable<string>,
    { mayBeGone = false }: { readonly mayBeGone?: boolean } = {},
  ): Promise<LoadReport> {
    const load = new Load(this.#options, { seen: this.#seen, told: this.#reported }, index);
    const { found, gone } = await listReadOnly(this.#options.files, paths, mayBeGone);
    await load.readAll(found);
    const report = await load.report(found.length);
    return { ...report, errors: [...report.errors, ...gone] };
  }
}

class Load {
  readonly #options: LoaderOptions;
  readonly #seen: Map<string, FileStatus>;
  readonly #reported: Set<string>;
  readonly #index: PartitionIndex;
  readonly #errors: Error[] = [];
  readonly #damaged: DamagedFile[] = [];
  #temporary: string[] = [];
  #unlisted: readonly string[] = [];
  /** Whether a file was gone when it was its turn: what it held may be in one that was not listed. */
  hasVanished = false;
  #plainReads: Promise<void> = Promise.resolve();
  #read = 0;
  #hasGone = false;

  constructor(
    options: LoaderOptions,
    known: { seen: Map<string, FileStatus>; told: Set<string> },
    index: PartitionIndex,
  ) {
    this.#options = options;
    this.#seen = known.seen;
    this.#reported = known.told;
    this.#index = index;
  }

  /** The partition files of a cache folder. */
  async list(folder: string): Promise<FoundFile[]> {
    this.hasVanished = false;
    const { files, isShared } = this.#options;
    const { found, errors, unlisted, temporary } = await listPartitions({
      files,
      folder,
      isShared,
      seen: this.#seen,
    });
    for (const { error, once } of errors) {
      if (once === undefined) this.#addError(error);
      else this.#addErrorOnce(once, error);
    }
    this.#temporary = temporary;
    this.#unlisted = unlisted;
    for (const path of unlisted)
      this.#index.unreadable.add({ path, isReadOnly: false, methodHash: undefined });
    return found;
  }

  /** Notes which files of the folder are there no more. */
  markGone(found: readonly FoundFile[]): void {
    const paths = new Set(found.map((file) => file.path));
    const gone = new Set<string>();
    for (const [path, { identity }] of this.#seen) {
      if (paths.has(path)) continue;
      gone.add(identity);
      this.#seen.delete(path);
    }
    // Another name of a file that has gone: reading it tells that it has only moved.
    for (const [path, { identity }] of this.#seen) if (gone.has(identity)) this.#seen.delete(path);
    for (const file of this.#index.files) {
      if (file.isReadOnly || file.isGone || paths.has(file.path)) continue;
      // It may have moved: if another name leads to it, reading that one brings it back.
      file.isGone = true;
      this.#hasGone = true;
    }
  }

  async readAll(found: readonly FoundFile[]): Promise<void> {
    const queue = found[Symbol.iterator]();
    const work = async () => {
      for (const file of queue) await this.#readFile(file);
    };
    await Promise.all(Array.from({ length: parallelFiles }, work));
  }

  /** Forgets files that could not be read and are there no more, now that those which took their places are read. */
  settle(found: readonly FoundFile[]): void {
    this.#index.unreadable.retain(new Set([...found.map(({ path }) => path), ...this.#unlisted]));
  }

  async report(files: number): Promise<LoadReport> {
    const hasLost = this.#hasGone && (await this.#index.hasLostEntries());
    return {
      files,
      read: this.#read,
      hasLost,
      errors: this.#errors,
      damaged: this.#damaged,
      temporary: this.#temporary,
    };
  }

  async #readFile(found: FoundFile): Promise<void> {
    const { files } = this.#options;
    const { path } = found;
    const { unreadable } = this.#index;
    let file: OpenFile | undefined;
    try {
      const known = this.#seen.get(path);
      if (known !== undefined && isSameStatus(known, await files.status(path))) {
        unreadable.delete(path);
        return;
      }
      file = await files.openToRead(path);
      const status = await file.status();
      if (!found.isReadOnly && !this.#options.isTrustedOwner(status.owner)) {
        this.#seen.set(path, status);
        throw new PartitionDamagedError(`a file of user ${status.owner}`, { file: path });
      }
      this.#read += 1;
      await this.#readOpen(file, status, found);
      this.#seen.set(path, status);
      unreadable.delete(path);
    } catch (error) {
      if (await leavesOpen(error, { path, ...this.#options })) unreadable.add(found);
      else unreadable.delete(path);
      // Gone between listing and opening: a consolidation has just put its entries elsewhere.
      if (!hasCode(error, 'ENOENT') || found.isReadOnly) this.#addError(error);
      else this.hasVanished = true;
    } finally {
      await file?.close().catch((error: unknown) => this.#addError(error));
    }
  }

  async #readOpen(file: OpenFile, status: FileStatus, found: FoundFile): Promise<void> {
    const head = await new HeaderWindow(file, status.size).read(0);
    if (head.kind === 'member') this.#dropOthers(found.path, head.header.fileId);
    const readOnlyPath = found.isReadOnly ? found.path : undefined;
    const known =
      head.kind === 'member' ? this.#index.fileTable.find(head.header.fileId, readOnlyPath) : undefined;
    if (head.kind === 'plain') {
      // One after another: each takes as much memory as its body.
      const reading = this.#plainReads.then(() => this.#readPlain(file, status, found));
      this.#plainReads = reading.catch(() => undefined);
      return reading;
    }
    if (known !== undefined) {
      // A copy that somebody has put beside it may lack its last members.
      if (known.isGone || status.size >= known.scannedBytes) this.#index.fileTable.move(known, found.path);
      known.isGone = false;
    }
    let current = known;
    const watches = this.#watchesFor(found);
    let nextMember = known?.nextMember ?? 0;
    const scan = await scanPartition(file, {
      path: found.path,
      from: known?.scannedBytes ?? 0,
      nextMember: known?.nextMember ?? 0,
      fileId: known?.id,
      methodHash: known?.methodHash,
      onMember: ({ position, header }) => {
        current ??= this.#index.fileTable.find(header.fileId, readOnlyPath) ?? this.#addFile(header, found);
        nextMember = Math.max(nextMember, header.memberNumber + 1);
        this.#index.addMember(current, position, header, { now: this.#options.now(), watches });
      },
    });
    if (current !== undefined) {
      // A shorter copy may have been read at the same time, and have come first.
      if (scan.end > current.scannedBytes) this.#index.fileTable.move(current, found.path);
      // Both together: where a scan fails, the next one comes upon the same members again.
      current.scannedBytes = Math.max(current.scannedBytes, scan.end);
      current.nextMember = Math.max(current.nextMember, nextMember);
      if (scan.isNewer) current.isNewer = true;
    }
    for (const damage of scan.damage) this.#addError(damage);
    const isDamaged = scan.damage.length > 0 || scan.tailBytes > 0 || status.size === 0;
    if (isDamaged && !scan.isNewer && !found.isReadOnly) {
      this.#damaged.push({ path: found.path, damage: scan.damage, modifiedAt: status.modifiedAt });
    }
  }

  #watchesFor({ isReadOnly }: FoundFile): LoadWatches | undefined {
    const { watches } = this.#options;
    return !isReadOnly && watches?.isListening ? watches : undefined;
  }

  #addFile(header: MemberHeader, found: FoundFile): PartitionFile {
    const { fileId, methodHash, method } = header;
    const isItsName = method !== undefined && hashMethod(method) === methodHash;
    return this.#index.fileTable.add({
      path: found.path,
      id: fileId,
      methodHash,
      method: isItsName ? method : undefined,
      writer: header.writer,
      isReadOnly: found.isReadOnly,
      isPlain: false,
      scannedBytes: 0,
      nextMember: 0,
      isGone: false,
    });
  }

  /** A file that had this path has gone, if another one has it now. */
  #dropOthers(path: string, id: string | undefined): void {
    for (const other of this.#index.fileTable.at(path)) {
      if (other.isGone || other.id === id) continue;
      other.isGone = true;
      this.#hasGone = true;
    }
  }

  async #readPlain(file: OpenFile, status: FileStatus, found: FoundFile): Promise<void> {
    const { path, methodHash, isReadOnly } = found;
    const id = `plain:${path}:${status.identity}:${status.size}:${status.modifiedAt}`;
    this.#dropOthers(path, id);
    if (this.#index.fileTable.find(id, isReadOnly ? path : undefined) !== undefined) return;
    try {
      const into = { index: this.#index, ...this.#options };
      await takeInPlain(file, { path, id, methodHash, isReadOnly, size: status.size }, into);
    } catch (error) {
      if (!(error instanceof PartitionDamagedError)) throw error;
      const damage = damageAt(error, path, 0);
      this.#addError(damage);
      if (!isReadOnly) this.#damaged.push({ path, damage: [damage], modifiedAt: status.modifiedAt });
    }
  }

  #addError(error: unknown): void {
    this.#errors.push(isError(error) ? error : new Error(String(error)));
  }

  #addErrorOnce(path: string, error: unknown): void {
    if (this.#reported.has(path)) return;
    this.#reported.add(path);
    this.#addError(error);
  }
}
