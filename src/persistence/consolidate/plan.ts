/** Which closed partitions are worth merging: those of one method and day, and no large one for the sake of small ones. */

import { hashMethod, type PartitionName } from '../format/partition-name.js';

/** A partition file as planning sees it. */
export interface PlannedFile {
  readonly path: string;
  readonly name: PartitionName;
  readonly size: number;
  /** Whether nobody appends to it any more, as far as can be told. */
  readonly isClosed: boolean;
  /** Whether so much of it is garbage that it is worth rewriting alone. */
  readonly isWasteful: boolean;
}

/** Partitions to be merged into one. */
export interface PlannedGroup {
  readonly methodHash: string;
  readonly day: string;
  readonly files: readonly PlannedFile[];
}

/** A file that is larger than all smaller ones together by this factor waits until they have grown. */
const sizeRatio = 4;
/** Files that are open at once in a merge, or in all of a batch. */
const maxSources = 128;
/** What the merges of a batch may have in memory, their files all together; a larger one is alone. */
const maxBatchBytes = 16 * 1024 * 1024;

/** @param isThorough merges all there is of a method and day, whatever it costs */
export function planConsolidation(
  files: Iterable<PlannedFile>,
  { isThorough }: { isThorough: boolean },
): PlannedGroup[] {
  return groupClosed(files).flatMap((group) => {
    const chosen = isThorough ? group.files : smallOnes(group.files);
    const isWorthIt = chosen.length > 1 || chosen.some((file) => file.isWasteful);
    return isWorthIt ? slices(chosen).map((slice) => ({ ...group, files: slice })) : [];
  });
}

/** All closed files by method and day, oldest day first. */
export function groupClosed(files: Iterable<PlannedFile>): PlannedGroup[] {
  const groups = new Map<string, { methodHash: string; day: string; files: PlannedFile[] }>();
  for (const file of files) {
    if (!file.isClosed) continue;
    const { methodHash, day } = file.name;
    const id = `${day} ${methodHash}`;
    const group = groups.get(id) ?? { methodHash, day, files: [] };
    groups.set(id, group);
    group.files.push(file);
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
}

function slices(files: readonly PlannedFile[]): (readonly PlannedFile[])[] {
  const count = Math.ceil(files.length / maxSources);
  const size = Math.ceil(files.length / count);
  return Array.from({ length: count }, (_, at) => files.slice(at * size, (at + 1) * size));
}

/**
 * Groups that are merged at once, in their order. Those of a batch don't concern each other: no two are of one method,
 * and that of the markers for all methods is alone.
 */
export function* batches(groups: Iterable<PlannedGroup>): IterableIterator<PlannedGroup[]> {
  // The partitions of no method hold the markers for all.
  const all = hashMethod('');
  let batch: PlannedGroup[] = [];
  let files = 0;
  let bytes = 0;
  const methods = new Set<string>();
  for (const group of groups) {
    files += group.files.length;
    bytes += sizeOf(group);
    const isCrowded = files > maxSources || bytes > maxBatchBytes;
    const isRelated = methods.has(group.methodHash) || methods.has(all) || group.methodHash === all;
    if (batch.length > 0 && (isCrowded || isRelated)) {
      yield batch;
      batch = [];
      methods.clear();
      files = group.files.length;
      bytes = sizeOf(group);
    }
    batch.push(group);
    methods.add(group.methodHash);
  }
  if (batch.length > 0) yield batch;
}

export function sizeOf({ files }: PlannedGroup): number {
  return files.reduce((sum, file) => sum + file.size, 0);
}

/** Without this, a file that has grown large would be written again with every small one that comes along. */
function smallOnes(files: readonly PlannedFile[]): PlannedFile[] {
  const bySize = [...files].sort((a, b) => a.size - b.size);
  const chosen: PlannedFile[] = [];
  let sum = 0;
  for (const file of bySize) {
    if (chosen.length > 1 && file.size > sum * sizeRatio) break;
    if (chosen.length === 1 && file.size > sum * sizeRatio) chosen.pop();
    chosen.push(file);
    sum += file.size;
  }
  return chosen;
}

/** Epoch ms at which a day, `YYYYMMDD`, is over. */
export function dayEnd(day: string): number {
  return Date.UTC(Number(day.slice(0, 4)), Number(day.slice(4, 6)) - 1, Number(day.slice(6, 8)) + 1);
}
