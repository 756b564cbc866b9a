/** Merges the closed partitions of a folder, those of one method and day into one, and keeps its bounds on age and bytes. */

import { TooLargeError } from '../disk-errors.js';
import { hasCode } from '../file-system.js';
import { type MergeBatchHost, mergeBatch } from './merge-batch.js';
import type { Merged } from './merge-partitions.js';
import type { DropCounts } from './merge-rules.js';
import { PartitionScan, type ScanHost, type ScanRequest } from './partition-scan.js';
import {
  batches,
  dayEnd,
  groupClosed,
  type PlannedFile,
  type PlannedGroup,
  planConsolidation,
  sizeOf,
} from './plan.js';

/** What a consolidation came to. */
export interface ConsolidationReport {
  /** Groups of one method and day that were merged. */
  readonly merged: number;
  /** Partitions that were read. */
  readonly readFiles: number;
  /** Their bytes. */
  readonly readBytes: number;
  /** Their entries and deletions. */
  readonly readEntries: number;
  /** Partitions that were written. */
  readonly writtenFiles: number;
  /** Their bytes. */
  readonly writtenBytes: number;
  /** Their entries and deletions. */
  readonly writtenEntries: number;
  /** What was left out, by reason. */
  readonly dropped: Readonly<DropCounts>;
  /** Bytes of all partitions afterwards. */
  readonly bytes: number;
  /**
   * Groups that could not be merged and stay as they are; why was reported as errors. Files with members above this
   * process's `maxMemberBytes` are reported too, and the others of their group are merged without them.
   */
  readonly failures: number;
}

/** What a consolidation needs of the folder's store. */
export interface ConsolidationHost extends ScanHost, Omit<MergeBatchHost, 'onGroupsFailed'> {
  /** Lists the folder again. */
  readonly refresh: () => Promise<void>;
}

/** How to go about it. */
export interface ConsolidationRequest extends ScanRequest {
  /** Whether to go on; asked before each batch of groups. */
  readonly goesOn: () => boolean;
}

/** Times that what was merged is merged again, as a merge takes in so many files at most. */
const maxPasses = 4;
/** Times that the bounds are checked again after what was dropped. */
const maxRounds = 100;

export class Consolidation {
  readonly #host: ConsolidationHost;
  readonly #request: ConsolidationRequest;
  readonly #scan: PartitionScan;
  readonly #dropped: DropCounts = { overwritten: 0, cleared: 0, expired: 0, aged: 0, deletions: 0 };
  readonly #sums = { merged: 0, readFiles: 0, readBytes: 0, readEntries: 0, failures: 0 };
  readonly #written = { writtenFiles: 0, writtenBytes: 0, writtenEntries: 0 };

  constructor(host: ConsolidationHost, request: ConsolidationRequest) {
    this.#host = host;
    this.#request = request;
    this.#scan = new PartitionScan(host, request);
  }

  async run(): Promise<ConsolidationReport> {
    const { isThorough } = this.#request;
    for (let pass = 0; pass < (isThorough ? maxPasses : 1); pass += 1) {
      const groups = planConsolidation(this.#readable(await this.#scan.run()), { isThorough });
      await this.#attempt(groups, 0);
      if (groups.length === 0) break;
      await this.#host.refresh();
    }
    await this.#dropOldDays();
    await this.#dropBeyondBound();
    return {
      ...this.#sums,
      ...this.#written,
      dropped: this.#dropped,
      bytes: this.#scan.bytes,
    };
  }

  async #dropOldDays(): Promise<void> {
    const { maxDiskAge } = this.#host.options;
    if (maxDiskAge === null) return;
    const limit = this.#host.now() - maxDiskAge;
    const isOld = ({ day }: PlannedGroup) => dayEnd(day) <= limit;
    await this.#attempt(groupClosed(await this.#scan.run()).filter(isOld), 1);
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
      const excess = this.#scan.bytes - maxDiskBytes;
      if (excess <= 0) return;
      const groups = groupClosed(await this.#scan.run());
      const group = largestOfFirstDay(groups.filter(({ day, methodHash }) => !done.has(day + methodHash)));
      if (group === undefined) return;
      const size = sizeOf(group);
      // A little more than needed, as sizes differ; a group that is nearly gone goes as a whole.
      const share = (excess / size) * 1.1;
      if (share > 0.9) done.add(group.day + group.methodHash);
      const before = this.#scan.bytes;
      await this.#attempt([group], share > 0.9 ? 1 : share);
      await this.#host.refresh();
      if (this.#scan.bytes >= before) done.add(group.day + group.methodHash);
    }
  }

  /** Merges groups, many small ones at once. */
  async #attempt(groups: readonly PlannedGroup[], dropShare: number): Promise<void> {
    for (const batch of batches(groups)) {
      if (!this.#request.goesOn()) return;
      const onGroupsFailed = (error: unknown, count: number) => this.#noteFailed(error, count);
      for (const merged of await mergeBatch(batch, dropShare, { ...this.#host, onGroupsFailed }))
        this.#count(merged);
    }
  }

  #noteFailed(error: unknown, groups: number): void {
    // Somebody else has taken a source away, and sees to it.
    if (hasCode(error, 'ENOENT')) return;
    const { onFailure, tooLarge, index } = this.#host;
    onFailure(error);
    if (!(error instanceof TooLargeError)) this.#sums.failures += groups;
    // The others of its group are merged in the next pass.
    else for (const { id, isReadOnly } of index().fileTable.at(error.file)) if (!isReadOnly) tooLarge.add(id);
  }

  /** Files without those that this process can't read. They can be dropped all the same. */
  #readable(files: readonly PlannedFile[]): readonly PlannedFile[] {
    const { tooLarge, index } = this.#host;
    if (tooLarge.size === 0) return files;
    const paths = new Set(index().files.flatMap(({ id, path }) => (tooLarge.has(id) ? [path] : [])));
    return files.filter(({ path }) => !paths.has(path));
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
