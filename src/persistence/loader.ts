/** Brings what lies in partition files into an index: headers only, but for plain files, which are inflated. */

import { damageAt, PartitionDamagedError } from './damage.js';
import { type FileStatus, type FileSystem, hasCode, type OpenFile } from './file-system.js';
import type { MemberHeader } from './partition-codec.js';
import type { PartitionFile } from './partition-file.js';
import type { PartitionIndex } from './partition-index.js';
import { type FoundFile, listGiven, listPartitions, maxListings, toFound } from './partition-listing.js';
import { hashMethod } from './partition-path.js';
import { HeaderWindow, scanPartition } from './partition-scan.js';
import { takeInPlain } from './plain-file.js';
import { leavesOpen } from './unreadable-files.js';

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
}

/** A file in the cache folder that needs care. */
export interface AilingFile {
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
  readonly problems: readonly Error[];
  readonly ailing: readonly AilingFile[];
  /** Files that a writer left behind before they got their name. */
  readonly temporary: readonly string[];
}

const parallelFiles = 6;

export class PartitionLoader {
  readonly #options: LoaderOptions;
  /** What each path looked like when it was read last. */
  readonly #seen = new Map<string, FileStatus>();
  /** Paths of which it was told that they are no partitions. */
  readonly #told = new Set<string>();

  constructor(options: LoaderOptions) {
    this.#options = options;
  }

  /** Forgets what was seen, so that the next load reads everything. */
  reset(): void {
    this.#seen.clear();
  }

  /** Brings the folder's files up to date in the index. */
  async loadFolder(index: PartitionIndex, folder: string): Promise<LoadReport> {
    const load = new Load(this.#options, { seen: this.#seen, told: this.#told }, index);
    let found = await load.list(folder);
    load.markGone(found);
    await load.readAll(found);
    for (let listings = 1; load.hasVanished && listings < maxListings; listings += 1) {
      found = await load.list(folder);
      load.markGone(found);
      await load.readAll(found);
    }
    await load.readAll(index.unreadable.given);
    load.settle(found);
    return load.report(found.length);
  }

  /** The files of the folder as they were seen last. */
  get seen(): ReadonlyMap<string, FileStatus> {
    return this.#seen;
  }

  /** Brings files of the folder up to date in the index, without listing it. */
  async loadFiles(index: PartitionIndex, paths: readonly string[]): Promise<LoadReport> {
    const load = new Load(this.#options, { seen: this.#seen, told: this.#told }, index);
    await load.readAll(paths.map((path) => toFound(path, false)));
    return load.report(paths.length);
  }

  /** Takes in files from anywhere. They are only read. */
  async loadGiven(index: PartitionIndex, paths: readonly string[]): Promise<LoadReport> {
    const load = new Load(this.#options, { seen: this.#seen, told: this.#told }, index);
    const found: FoundFile[] = [];
    for (const path of paths) found.push(...(await listGiven(this.#options.files, path)));
    await load.readAll(found);
    return load.report(found.length);
  }
}

class Load {
  readonly #options: LoaderOptions;
  readonly #seen: Map<string, FileStatus>;
  readonly #told: Set<string>;
  readonly #index: PartitionIndex;
  readonly #problems: Error[] = [];
  readonly #ailing: AilingFile[] = [];
  #temporary: string[] = [];
  #unlisted: readonly string[] = [];
  /** Whether a file was gone when it was its turn: what it held may be in one that was not listed. */
  hasVanished = false;
  readonly #byPath = new Map<string, PartitionFile[]>();
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
    this.#told = known.told;
    this.#index = index;
    for (const file of index.files)
      this.#byPath.set(file.path, [...(this.#byPath.get(file.path) ?? []), file]);
  }

  /** The partition files of a cache folder. */
  async list(folder: string): Promise<FoundFile[]> {
    this.hasVanished = false;
    const { files, isShared } = this.#options;
    const { found, problems, unlisted, temporary } = await listPartitions({
      files,
      folder,
      isShared,
      seen: this.#seen,
    });
    for (const { error, once } of problems) {
      if (once === undefined) this.#problem(error);
      else this.#problemOnce(once, error);
    }
    this.#temporary = temporary;
    this.#unlisted = unlisted;
    for (const path of unlisted) this.#index.unreadable.add({ path, isGiven: false, methodHash: undefined });
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
      if (file.isGiven || file.isGone || paths.has(file.path)) continue;
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

  report(files: number): LoadReport {
    const hasLost = this.#hasGone && this.#index.hasLostEntries();
    return {
      files,
      read: this.#read,
      hasLost,
      problems: this.#problems,
      ailing: this.#ailing,
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
      if (known !== undefined && isSame(known, await files.status(path))) {
        unreadable.delete(path);
        return;
      }
      file = await files.openToRead(path);
      const status = await file.status();
      if (!found.isGiven && !this.#options.isTrustedOwner(status.owner)) {
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
      if (!hasCode(error, 'ENOENT') || found.isGiven) this.#problem(error);
      else this.hasVanished = true;
    } finally {
      await file?.close().catch((error: unknown) => this.#problem(error));
    }
  }

  async #readOpen(file: OpenFile, status: FileStatus, found: FoundFile): Promise<void> {
    const head = await new HeaderWindow(file, status.size).read(0);
    if (head.kind === 'member') this.#dropOthers(found.path, head.header.fileId);
    const givenPath = found.isGiven ? found.path : undefined;
    const known = head.kind === 'member' ? this.#index.file(head.header.fileId, givenPath) : undefined;
    if (head.kind === 'plain') {
      // One after another: each takes as much memory as its body.
      const reading = this.#plainReads.then(() => this.#readPlain(file, status, found));
      this.#plainReads = reading.catch(() => undefined);
      return reading;
    }
    if (known !== undefined) {
      // A copy that somebody has put beside it may lack its last members.
      if (known.isGone || status.size >= known.scannedBytes) known.path = found.path;
      known.isGone = false;
    }
    let current = known;
    let nextMember = known?.nextMember ?? 0;
    const scan = await scanPartition(file, {
      path: found.path,
      from: known?.scannedBytes ?? 0,
      nextMember: known?.nextMember ?? 0,
      fileId: known?.id,
      methodHash: known?.methodHash,
      onMember: ({ position, header }) => {
        current ??= this.#index.file(header.fileId, givenPath) ?? this.#addFile(header, found);
        nextMember = Math.max(nextMember, header.memberNumber + 1);
        this.#index.addMember(current, position, header, this.#options.now());
      },
    });
    if (current !== undefined) {
      // Both together: where a scan fails, the next one comes upon the same members again.
      current.scannedBytes = Math.max(current.scannedBytes, scan.end);
      current.nextMember = Math.max(current.nextMember, nextMember);
      if (scan.isNewer) current.isNewer = true;
    }
    for (const damage of scan.damage) this.#problem(damage);
    const isAiling = scan.damage.length > 0 || scan.tailBytes > 0 || status.size === 0;
    if (isAiling && !scan.isNewer && !found.isGiven) {
      this.#ailing.push({ path: found.path, damage: scan.damage, modifiedAt: status.modifiedAt });
    }
  }

  #addFile(header: MemberHeader, found: FoundFile): PartitionFile {
    const { fileId, methodHash, method } = header;
    const isItsName = method !== undefined && hashMethod(method) === methodHash;
    return this.#index.addFile({
      path: found.path,
      id: fileId,
      methodHash,
      method: isItsName ? method : undefined,
      writer: header.writer,
      isGiven: found.isGiven,
      isPlain: false,
      scannedBytes: 0,
      nextMember: 0,
      isGone: false,
    });
  }

  /** A file that had this path has gone, if another one has it now. */
  #dropOthers(path: string, id: string | undefined): void {
    for (const other of this.#byPath.get(path) ?? []) {
      if (other.isGone || other.id === id || other.path !== path) continue;
      other.isGone = true;
      this.#hasGone = true;
    }
  }

  async #readPlain(file: OpenFile, status: FileStatus, found: FoundFile): Promise<void> {
    const { path, methodHash, isGiven } = found;
    const id = `plain:${path}:${status.identity}:${status.size}:${status.modifiedAt}`;
    this.#dropOthers(path, id);
    if (this.#index.file(id, isGiven ? path : undefined) !== undefined) return;
    try {
      const into = { index: this.#index, ...this.#options };
      await takeInPlain(file, { path, id, methodHash, isGiven, size: status.size }, into);
    } catch (error) {
      if (!(error instanceof PartitionDamagedError)) throw error;
      const damage = damageAt(error, path, 0);
      this.#problem(damage);
      if (!isGiven) this.#ailing.push({ path, damage: [damage], modifiedAt: status.modifiedAt });
    }
  }

  #problem(error: unknown): void {
    this.#problems.push(error instanceof Error ? error : new Error(String(error)));
  }

  #problemOnce(path: string, error: unknown): void {
    if (this.#told.has(path)) return;
    this.#told.add(path);
    this.#problem(error);
  }
}

function isSame(known: FileStatus, status: FileStatus): boolean {
  return (
    known.identity === status.identity && known.size === status.size && known.modifiedAt === status.modifiedAt
  );
}
