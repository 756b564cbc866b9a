/** Takes over from other cache folders what an open one does not have yet. */

import { dirname, join } from 'node:path';
import { compareStamps } from '../stamp.js';
import type { ResolvedDiskOptions } from './disk-options.js';
import type { FileSystem } from './file-system.js';
import type { PartitionLoader } from './loader.js';
import { hashTag } from './member-body.js';
import type { DropCounts, MergeRules } from './merge-verdict.js';
import { entryKind } from './partition-codec.js';
import type { PartitionFileMaker } from './partition-file-maker.js';
import type { PartitionIndex } from './partition-index.js';
import { mergePartitions } from './partition-merge.js';
import { isMonthFolder, monthFolder, type PartitionName, parsePartitionFileName } from './partition-path.js';

/** What a merge of folders came to. */
export interface DirectoryMergeReport {
  readonly readFiles: number;
  readonly readBytes: number;
  readonly readEntries: number;
  readonly writtenFiles: number;
  readonly writtenBytes: number;
  readonly writtenEntries: number;
  /** What was not taken over: what the folder has already, or has something newer of, is told as `overwritten`. */
  readonly dropped: DropCounts;
  /** Files that could not be read as a whole: damaged, plain, or of a later version. Nothing of them was taken over. */
  readonly skipped: readonly string[];
}

/** What merging needs of the folder that is merged into. */
export interface DirectoryMergeHost {
  readonly files: FileSystem;
  readonly maker: PartitionFileMaker;
  readonly loader: PartitionLoader;
  readonly writer: string;
  readonly index: () => PartitionIndex;
  readonly now: () => number;
  readonly options: Pick<ResolvedDiskOptions, 'fileMode' | 'maxMemberBytes' | 'compressionLevel'>;
}

/** Merges into an open folder; nothing else may change it meanwhile. */
export async function mergeInto(
  folders: readonly string[],
  host: DirectoryMergeHost,
): Promise<DirectoryMergeReport> {
  const dropped: DropCounts = { overwritten: 0, cleared: 0, expired: 0, aged: 0, deletions: 0 };
  const sums = { readFiles: 0, readBytes: 0, readEntries: 0 };
  const written = { writtenFiles: 0, writtenBytes: 0, writtenEntries: 0 };
  const skipped: string[] = [];
  for (const { name, paths } of await findGroups(folders, host.files)) {
    const merged = await mergeGroup(name, paths, host);
    skipped.push(...merged.skipped);
    sums.readFiles += merged.sources.length;
    sums.readBytes += merged.readBytes;
    sums.readEntries += merged.readEntries;
    written.writtenFiles += merged.path === undefined ? 0 : 1;
    written.writtenBytes += merged.writtenBytes;
    written.writtenEntries += merged.writtenEntries;
    for (const reason of Object.keys(dropped) as (keyof DropCounts)[])
      dropped[reason] += merged.dropped[reason];
  }
  return { ...sums, ...written, dropped, skipped };
}

async function mergeGroup(
  name: Omit<PartitionName, 'partition'>,
  paths: readonly string[],
  host: DirectoryMergeHost,
): Promise<Awaited<ReturnType<typeof mergePartitions>>> {
  const { files, maker, options } = host;
  const merged = await mergePartitions({
    files,
    folder: await maker.makeFolder(monthFolder(name.day)),
    sources: paths,
    rules: async () => rulesFor(host),
    writer: host.writer,
    fileMode: options.fileMode,
    maxMemberBytes: options.maxMemberBytes,
    compressionLevel: options.compressionLevel,
    now: host.now,
  });
  if (merged.path === undefined) return merged;
  try {
    const final = await maker.linkToFreeName(merged.path, name);
    await files.syncFolder(dirname(final));
    await host.loader.loadFiles(host.index(), [final]);
  } finally {
    await files.unlink(merged.path);
  }
  return merged;
}

function rulesFor({ index, now }: DirectoryMergeHost): MergeRules {
  const known = index();
  return {
    now: now(),
    isOverwritten: (key, stamp) => {
      const newest = known.stampOf(key);
      return newest !== undefined && compareStamps(newest, stamp) >= 0;
    },
    isCleared: (methodHash, stamp) => known.isCleared(methodHash, stamp),
    isMarkerKnown: (kind, key, stamp) =>
      kind === entryKind.invalidateTag ? known.isTagInvalid(key, stamp) : known.isCleared(key, stamp),
    // What they cover may come with the next folder; a consolidation drops them in its time.
    keepsDeletion: () => true,
    keepsDroppedKey: () => true,
    isTagInvalid: known.hasTags ? (tag, stamp) => known.isTagInvalid(hashTag(tag), stamp) : undefined,
    dropShare: 0,
  };
}

/** The partition files of the folders, those of one method and day together, oldest day first. */
async function findGroups(
  folders: readonly string[],
  files: FileSystem,
): Promise<{ name: Omit<PartitionName, 'partition'>; paths: string[] }[]> {
  const groups = new Map<string, { name: PartitionName; paths: string[] }>();
  for (const folder of folders) {
    for (const month of await files.list(folder)) {
      if (month.kind !== 'directory' || !isMonthFolder(month.name)) continue;
      for (const entry of await files.list(join(folder, month.name))) {
        const name = parsePartitionFileName(entry.name);
        if (name === undefined || entry.kind !== 'file') continue;
        const id = `${name.day} ${name.methodHash}`;
        const group = groups.get(id) ?? { name, paths: [] };
        groups.set(id, group);
        group.paths.push(join(folder, month.name, entry.name));
      }
    }
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
}
