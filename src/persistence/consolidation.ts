/**
 * Merges the closed partitions of a folder, one method and day at a time: fences each source by giving it another name,
 * reads them, writes the newest of every key to one new partition, and only then removes the sources. A crash anywhere
 * leaves duplicates at worst, and no step relies on nobody else doing the same.
 */

import { basename, dirname, join, sep } from 'node:path';
import { compareStamps } from '../stamp.js';
import { groupClosed, type PlannedFile, type PlannedGroup, planConsolidation } from './consolidation-plan.js';
import type { ResolvedDiskOptions } from './disk-options.js';
import { type FileSystem, hasCode } from './file-system.js';
import type { PartitionLoader } from './loader.js';
import { hashTag } from './member-body.js';
import { type DropCounts, expiryGrace, type MergeRules } from './merge-verdict.js';
import type { PartitionFile } from './partition-file.js';
import type { PartitionFileMaker } from './partition-file-maker.js';
import type { PartitionIndex } from './partition-index.js';
import { type Merged, mergePartitions } from './partition-merge.js';
import { hashMethod, isTemporaryFileName, monthFolder, parsePartitionFileName } from './partition-path.js';

/** What a consolidation came to. */
export interface ConsolidationReport {
  /** Groups of one method and day that were merged. */
  readonly merged: number;
  readonly readFiles: number;
  readonly readBytes: number;
  readonly readEntries: number;
  readonly writtenFiles: number;
  readonly writtenBytes: number;
  readonly writtenEntries: number;
  readonly dropped: DropCounts;
  /** Bytes of all partitions afterwards. */
  readonly bytes: number;
  /** Groups that could not be merged and stay as they are; why was reported as errors. */
  readonly failures: number;
}

/** What a consolidation needs of the folder's store. */
export interface ConsolidationHost {
  readonly options: ResolvedDiskOptions;
  readonly files: FileSystem;
  readonly maker: PartitionFileMaker;
  readonly loader: PartitionLoader;
  readonly writer: string;
  readonly index: () => PartitionIndex;
  readonly now: () => number;
  /** Keeps loads, flushes and repairs out while the task runs. */
  readonly inTurn: <T>(task: () => Promise<T>) => Promise<T>;
  /** Whether this process appends to the file. */
  readonly owns: (path: string) => boolean;
  /** Lets go of a file that was read under this path. */
  readonly release: (path: string) => Promise<void>;
  /** Lists the folder again. */
  readonly refresh: () => Promise<void>;
  readonly onFailure: (error: unknown) => void;
  /** What earlier consolidations have made: nobody appends to it. */
  readonly products: Set<string>;
  /** Files that hold no less garbage when written again, by id, with the values they held. */
  readonly settled: Map<string, number>;
}

/** How to go about it. */
export interface ConsolidationRequest {
  /** Whether everything closed is merged, whatever it costs; otherwise only what is worth it. */
  readonly isThorough: boolean;
  /** Files that nobody appends to any more, however young. */
  readonly closed: ReadonlySet<string>;
  /** Whether to go on; asked before each group. */
  readonly goesOn: () => boolean;
}

/** In the place of what is dropped early, keys stay deleted for so long: writers may hold older entries back. */
const droppedKeyLife = 3_600_000;
const dayLength = 86_400_000;
/** Times that what was merged is merged again, as a merge takes in so many files at most. */
const maxPasses = 4;
/** Times that the bounds are checked again after what was dropped. */
const maxRounds = 100;

export class Consolidation {
  readonly #host: ConsolidationHost;
  readonly #request: ConsolidationRequest;
  readonly #dropped: DropCounts = { overwritten: 0, cleared: 0, expired: 0, aged: 0, deletions: 0 };
  readonly #sums = { merged: 0, readFiles: 0, readBytes: 0, readEntries: 0, failures: 0 };
  readonly #written = { writtenFiles: 0, writtenBytes: 0, writtenEntries: 0 };

  constructor(host: ConsolidationHost, request: ConsolidationRequest) {
    this.#host = host;
    this.#request = request;
  }

  async run(): Promise<ConsolidationReport> {
    const { isThorough, goesOn } = this.#request;
    for (let pass = 0; pass < (isThorough ? maxPasses : 1); pass += 1) {
      const groups = planConsolidation(this.#survey(), { isThorough });
      for (const group of groups) if (goesOn()) await this.#attempt(group, 0);
      if (groups.length === 0) break;
      await this.#host.refresh();
    }
    await this.#dropOldDays();
    await this.#dropBeyondBound();
    return {
      ...this.#sums,
      ...this.#written,
      dropped: this.#dropped,
      bytes: this.#bytes(),
    };
  }

  async #dropOldDays(): Promise<void> {
    const { maxDiskAge } = this.#host.options;
    if (maxDiskAge === null) return;
    const limit = this.#host.now() - maxDiskAge;
    const isOld = ({ day }: PlannedGroup) => dayStart(day) + dayLength <= limit;
    for (const group of groupClosed(this.#survey()).filter(isOld)) {
      if (this.#request.goesOn()) await this.#attempt(group, 1);
    }
    await this.#host.refresh();
  }

  /** Drops the oldest day's oldest values until the rest fits. What remains of deletions may not fit by itself. */
  async #dropBeyondBound(): Promise<void> {
    const { maxDiskBytes } = this.#host.options;
    if (maxDiskBytes === null) return;
    const done = new Set<string>();
    for (let round = 0; round < maxRounds && this.#request.goesOn(); round += 1) {
      const excess = this.#bytes() - maxDiskBytes;
      if (excess <= 0) return;
      const group = groupClosed(this.#survey()).find(({ day, methodHash }) => !done.has(day + methodHash));
      if (group === undefined) return;
      const size = group.files.reduce((sum, file) => sum + file.size, 0);
      // A little more than needed, as sizes differ; a group that is nearly gone goes as a whole.
      const share = (excess / size) * 1.1;
      if (share > 0.9) done.add(group.day + group.methodHash);
      const before = this.#bytes();
      await this.#attempt(group, share > 0.9 ? 1 : share);
      await this.#host.refresh();
      if (this.#bytes() >= before) done.add(group.day + group.methodHash);
    }
  }

  async #attempt(group: PlannedGroup, dropShare: number): Promise<void> {
    try {
      await this.#merge(group, dropShare);
    } catch (error) {
      // Somebody else has taken a source away, and sees to it.
      if (hasCode(error, 'ENOENT')) return;
      this.#sums.failures += 1;
      this.#host.onFailure(error);
    }
  }

  async #merge(group: PlannedGroup, dropShare: number): Promise<void> {
    const { files, maker, options, writer } = this.#host;
    const fenced = await this.#host.inTurn(() => this.#fence(group));
    if (fenced.length === 0) return;
    const merged = await mergePartitions({
      files,
      folder: join(options.persistDir, monthFolder(group.day)),
      sources: fenced,
      rules: (sources) => this.#rules(group, sources, dropShare),
      writer,
      fileMode: options.fileMode,
      maxMemberBytes: options.maxMemberBytes,
      compressionLevel: options.compressionLevel,
      now: this.#host.now,
    });
    await this.#host
      .inTurn(async () => {
        if (!(await this.#areThere(merged.sources))) return;
        if (merged.path !== undefined) {
          const final = await maker.linkToFreeName(merged.path, group);
          await files.syncFolder(dirname(final));
          await this.#host.loader.loadFiles(this.#host.index(), [final]);
          this.#noteProduct(final);
        }
        await this.#remove(merged.sources);
        this.#count(merged);
      })
      .finally(() => this.#discard(merged.path));
  }

  #noteProduct(path: string): void {
    const { products, settled, index } = this.#host;
    products.add(path);
    const live = index().liveCounts(this.#host.now() - expiryGrace);
    for (const file of this.#filesAt(path)) settled.set(file.id, live[index().files.indexOf(file)]!);
  }

  /** Gives every source another name, so that a writer that still appends to it notices. The new names are told. */
  async #fence(group: PlannedGroup): Promise<string[]> {
    const { files, maker } = this.#host;
    const fenced: string[] = [];
    for (const { path } of group.files) {
      if (this.#host.owns(path)) continue;
      try {
        const name = await maker.linkToFreeName(path, group);
        // From here on lookups find it under its new name.
        for (const file of this.#filesAt(path)) file.path = name;
        fenced.push(name);
        await files.unlink(path);
      } catch (error) {
        // Somebody else was faster; a name of ours leads to the same file and is merged all the same.
        if (!hasCode(error, 'ENOENT')) throw error;
      }
    }
    return fenced;
  }

  /** Whether nobody has taken the sources meanwhile: then what was read of them may be outdated. */
  async #areThere(paths: readonly string[]): Promise<boolean> {
    for (const path of paths) {
      try {
        await this.#host.files.status(path);
      } catch (error) {
        if (hasCode(error, 'ENOENT')) return false;
        throw error;
      }
    }
    return true;
  }

  async #remove(paths: readonly string[]): Promise<void> {
    const { files, index, release } = this.#host;
    for (const path of paths) {
      for (const file of this.#filesAt(path)) file.isGone = true;
      await release(path);
    }
    // What still has its place in a source was dropped on purpose.
    index().forgetGone();
    for (const path of paths) await unlinkIfThere(files, path);
    if (paths.length > 0) await files.syncFolder(dirname(paths[0]!));
  }

  async #discard(path: string | undefined): Promise<void> {
    if (path !== undefined) await unlinkIfThere(this.#host.files, path);
  }

  async #rules(group: PlannedGroup, sources: readonly string[], dropShare: number): Promise<MergeRules> {
    const { options, now, files } = this.#host;
    const index = this.#host.index();
    const names = await files.list(join(options.persistDir, monthFolder(group.day)));
    // Our own is one of them.
    const hasOthersUnderWay = names.filter(({ name }) => isTemporaryFileName(name)).length > 1;
    const isEverything = group.methodHash === hashMethod('');
    const others = index.files.filter(
      (file) =>
        !file.isGone &&
        !sources.includes(file.path) &&
        (isEverything || file.isPlain || file.methodHash === group.methodHash),
    );
    const known = new Set(index.files.map(({ path }) => path));
    const hasUnknown = names.some(({ name }) => {
      const parsed = parsePartitionFileName(name);
      const isMeant = parsed !== undefined && (isEverything || parsed.methodHash === group.methodHash);
      return isMeant && !known.has(join(options.persistDir, monthFolder(group.day), name));
    });
    const hasUnreadable =
      index.unreadable.concerning(isEverything ? undefined : group.methodHash) !== undefined;
    const oldest = others.reduce(
      (time, file) => Math.min(time, file.isGiven ? 0 : index.extentOf(file).oldest),
      hasOthersUnderWay || hasUnknown || hasUnreadable ? 0 : Number.POSITIVE_INFINITY,
    );
    const isYoung = (time: number, life: number) => now() - time / 1000 < life;
    return {
      now: now(),
      isOverwritten: (key, stamp) => {
        const newest = index.stampOf(key);
        return newest !== undefined && compareStamps(newest, stamp) > 0;
      },
      isCleared: (methodHash, stamp) => index.isCleared(methodHash, stamp),
      isMarkerKnown: () => false,
      keepsDeletion: ({ time }) => oldest <= time || isYoung(time, options.tombstoneTtl),
      keepsDroppedKey: ({ time }) => oldest <= time || isYoung(time, droppedKeyLife),
      isTagInvalid: index.hasTags ? (tag, stamp) => index.isTagInvalid(hashTag(tag), stamp) : undefined,
      dropShare,
    };
  }

  #survey(): PlannedFile[] {
    const { options, now, loader } = this.#host;
    const index = this.#host.index();
    const live = index.liveCounts(now() - expiryGrace);
    const byPath = new Map(index.files.map((file, number) => [file.path, number]));
    const found: PlannedFile[] = [];
    for (const [path, { size, modifiedAt, kind }] of loader.seen) {
      const name = parsePartitionFileName(basename(path));
      const isOurs = path.startsWith(options.persistDir + sep) && kind === 'file';
      if (name === undefined || !isOurs) continue;
      const number = byPath.get(path);
      const file = number === undefined ? undefined : index.files[number]!;
      const isSettled = this.#request.closed.has(path) || this.#host.products.has(path);
      const isQuiet = options.mode === 'single' || isSettled || now() - modifiedAt > options.closeAfter;
      const isMergeable = file !== undefined && !file.isPlain && !file.isNewer && !file.isGiven;
      const isClosed = isMergeable && isQuiet && !this.#host.owns(path);
      const isWasteful = file !== undefined && this.#isWasteful(file, live[number!]!);
      found.push({ path, name, size, isClosed, isWasteful });
    }
    return found;
  }

  #isWasteful(file: PartitionFile, live: number): boolean {
    const { entries } = this.#host.index().extentOf(file);
    const settled = this.#host.settled.get(file.id);
    if (settled !== undefined && live * 2 >= settled) return false;
    return this.#request.isThorough ? live < entries : live * 2 < entries;
  }

  #bytes(): number {
    return this.#survey().reduce((sum, { size }) => sum + size, 0);
  }

  #filesAt(path: string): PartitionFile[] {
    return this.#host.index().files.filter((file) => file.path === path && !file.isGiven);
  }

  #count(merged: Merged): void {
    const sums = this.#sums;
    sums.merged += 1;
    sums.readFiles += merged.sources.length;
    sums.readBytes += merged.readBytes;
    sums.readEntries += merged.readEntries;
    this.#written.writtenFiles += merged.path === undefined ? 0 : 1;
    this.#written.writtenBytes += merged.writtenBytes;
    this.#written.writtenEntries += merged.writtenEntries;
    for (const reason of Object.keys(merged.dropped) as (keyof DropCounts)[]) {
      this.#dropped[reason] += merged.dropped[reason];
    }
  }
}

/** Epoch ms at which a day, `YYYYMMDD`, begins. */
function dayStart(day: string): number {
  return Date.UTC(Number(day.slice(0, 4)), Number(day.slice(4, 6)) - 1, Number(day.slice(6, 8)));
}

async function unlinkIfThere(files: FileSystem, path: string): Promise<void> {
  try {
    await files.unlink(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}
