/**
 * Merges the closed partitions of a folder, one method and day at a time: fences each source by giving it another name,
 * reads them, writes the newest of every key to one new partition, and only then removes the sources. A crash anywhere
 * leaves duplicates at worst, and no step relies on nobody else doing the same.
 */

import { dirname, join } from 'node:path';
import { compareStamps } from '../stamp.js';
import { noWriter } from './closed-partitions.js';
import { dayEnd, groupClosed, type PlannedGroup, planConsolidation } from './consolidation-plan.js';
import { hasCode, unlinkIfThere } from './file-system.js';
import { hashTag } from './member-body.js';
import { type DropCounts, expiryGrace, type MergeRules } from './merge-verdict.js';
import type { PartitionFile } from './partition-file.js';
import type { PartitionFileMaker } from './partition-file-maker.js';
import { type Merged, mergePartitions } from './partition-merge.js';
import { hashMethod, isTemporaryFileName, monthFolder, parsePartitionFileName } from './partition-path.js';
import { PartitionSurvey, type SurveyHost, type SurveyRequest } from './partition-survey.js';

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
export interface ConsolidationHost extends SurveyHost {
  readonly maker: PartitionFileMaker;
  /** Keeps loads, flushes and repairs out while the task runs. */
  readonly inTurn: <T>(task: () => Promise<T>) => Promise<T>;
  /** Lets go of a file that was read under this path. */
  readonly release: (path: string) => Promise<void>;
  /** Lists the folder again. */
  readonly refresh: () => Promise<void>;
}

/** How to go about it. */
export interface ConsolidationRequest extends SurveyRequest {
  /** Whether to go on; asked before each group. */
  readonly goesOn: () => boolean;
}

/**
 * In the place of what is dropped early, keys stay deleted for so long: writers may hold older entries back. Deletions
 * in a shared folder as well, however short `tombstoneTtl` is: they tell others what to drop from memory.
 */
const shortestDeletionLife = 3_600_000;
/** Times that what was merged is merged again, as a merge takes in so many files at most. */
const maxPasses = 4;
/** Times that the bounds are checked again after what was dropped. */
const maxRounds = 100;

export class Consolidation {
  readonly #host: ConsolidationHost;
  readonly #request: ConsolidationRequest;
  readonly #survey: PartitionSurvey;
  readonly #dropped: DropCounts = { overwritten: 0, cleared: 0, expired: 0, aged: 0, deletions: 0 };
  readonly #sums = { merged: 0, readFiles: 0, readBytes: 0, readEntries: 0, failures: 0 };
  readonly #written = { writtenFiles: 0, writtenBytes: 0, writtenEntries: 0 };

  constructor(host: ConsolidationHost, request: ConsolidationRequest) {
    this.#host = host;
    this.#request = request;
    this.#survey = new PartitionSurvey(host, request);
  }

  async run(): Promise<ConsolidationReport> {
    const { isThorough, goesOn } = this.#request;
    for (let pass = 0; pass < (isThorough ? maxPasses : 1); pass += 1) {
      const groups = planConsolidation(await this.#survey.take(), { isThorough });
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
      bytes: this.#survey.bytes,
    };
  }

  async #dropOldDays(): Promise<void> {
    const { maxDiskAge } = this.#host.options;
    if (maxDiskAge === null) return;
    const limit = this.#host.now() - maxDiskAge;
    const isOld = ({ day }: PlannedGroup) => dayEnd(day) <= limit;
    for (const group of groupClosed(await this.#survey.take()).filter(isOld)) {
      if (this.#request.goesOn()) await this.#attempt(group, 1);
    }
    await this.#host.refresh();
  }

  /**
   * Drops the oldest day's oldest values until the rest fits, of the method that takes most. What remains of deletions
   * may not fit by itself.
   */
  async #dropBeyondBound(): Promise<void> {
    const { maxDiskBytes } = this.#host.options;
    if (maxDiskBytes === null) return;
    const done = new Set<string>();
    for (let round = 0; round < maxRounds && this.#request.goesOn(); round += 1) {
      const excess = this.#survey.bytes - maxDiskBytes;
      if (excess <= 0) return;
      const groups = groupClosed(await this.#survey.take());
      const group = largestOfFirstDay(groups.filter(({ day, methodHash }) => !done.has(day + methodHash)));
      if (group === undefined) return;
      const size = sizeOf(group);
      // A little more than needed, as sizes differ; a group that is nearly gone goes as a whole.
      const share = (excess / size) * 1.1;
      if (share > 0.9) done.add(group.day + group.methodHash);
      const before = this.#survey.bytes;
      await this.#attempt(group, share > 0.9 ? 1 : share);
      await this.#host.refresh();
      if (this.#survey.bytes >= before) done.add(group.day + group.methodHash);
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
    const { files, maker, options } = this.#host;
    const fenced = await this.#host.inTurn(() => this.#fence(group));
    if (fenced.length === 0) return;
    const merged = await mergePartitions({
      files,
      folder: join(options.persistDir, monthFolder(group.day)),
      sources: fenced,
      rules: (sources) => this.#rules(group, sources, dropShare),
      // It is finished when it gets its name, so nobody has to be waited for who might append to it.
      writer: noWriter,
      fileMode: options.fileMode,
      maxMemberBytes: options.maxMemberBytes,
      compressionLevel: options.compressionLevel,
      now: this.#host.now,
      onFailure: this.#host.onFailure,
    });
    await this.#host
      .inTurn(async () => {
        if (!(await this.#areUnchanged(merged))) return;
        if (merged.path !== undefined) {
          const final = await maker.linkToFreeName(merged.path, group);
          await files.syncFolder(dirname(final));
          const { problems } = await this.#host.loader.loadFiles(this.#host.index(), [final]);
          // The sources stay until what takes their place has been read.
          if (problems[0] !== undefined) throw problems[0];
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

  /**
   * Whether nobody has taken the sources meanwhile: then what was read of them may be outdated. Nor appended to them: who
   * did may die before it notices that it has to append elsewhere, and what is in the index of it would count as newer.
   */
  async #areUnchanged({ sources, sizes }: Merged): Promise<boolean> {
    for (const [number, path] of sources.entries()) {
      try {
        const { size } = await this.#host.files.status(path);
        if (size !== sizes[number]) return false;
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
    const { mode, tombstoneTtl } = options;
    const deletionLife = mode === 'multi' ? Math.max(tombstoneTtl, shortestDeletionLife) : tombstoneTtl;
    const isYoung = (time: number, life: number) => now() - time / 1000 < life;
    return {
      now: now(),
      isOverwritten: (key, stamp) => {
        const newest = index.stampOf(key);
        return newest !== undefined && compareStamps(newest, stamp) > 0;
      },
      isCleared: (methodHash, stamp) => index.isCleared(methodHash, stamp),
      isMarkerKnown: () => false,
      keepsDeletion: ({ time }) => oldest <= time || isYoung(time, deletionLife),
      keepsDroppedKey: ({ time }) => oldest <= time || isYoung(time, shortestDeletionLife),
      isTagInvalid: index.hasTags ? (tag, stamp) => index.isTagInvalid(hashTag(tag), stamp) : undefined,
      dropShare,
    };
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

function largestOfFirstDay([first, ...others]: readonly PlannedGroup[]): PlannedGroup | undefined {
  const ofItsDay = others.filter(({ day }) => day === first?.day);
  return ofItsDay.reduce((largest, one) => (sizeOf(one) > sizeOf(largest!) ? one : largest), first);
}

function sizeOf({ files }: PlannedGroup): number {
  return files.reduce((sum, file) => sum + file.size, 0);
}
