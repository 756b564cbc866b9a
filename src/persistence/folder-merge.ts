/** Takes over from other cache folders what an open one does not have yet. */

import { dirname, join } from 'node:path';
import { compareStamps, type Stamp } from '../stamp.js';
import { noWriter } from './closed-partitions.js';
import { PartitionDamagedError } from './damage.js';
import type { ResolvedDiskOptions } from './disk-options.js';
import { type FileSystem, hasCode, unlinkIfThere } from './file-system.js';
import type { PartitionLoader } from './loader.js';
import { noKey } from './marker-table.js';
import { hashTag } from './member-body.js';
import type { DropCounts, MergeRules } from './merge-verdict.js';
import { entryKind } from './partition-codec.js';
import type { PartitionFileMaker } from './partition-file-maker.js';
import { PartitionIndex } from './partition-index.js';
import { type Merged, mergePartitions, openSource } from './partition-merge.js';
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
  readonly index: () => PartitionIndex;
  readonly now: () => number;
  /** Hears of failures that don't stop it. */
  readonly onFailure: (error: unknown) => void;
  readonly options: Pick<ResolvedDiskOptions, 'fileMode' | 'maxMemberBytes' | 'compressionLevel'>;
}

/** Times that it starts again because files of the other folders have moved meanwhile. */
const maxMoves = 8;

/** Merges into an open folder; nothing else may change it meanwhile. */
export async function mergeInto(
  folders: readonly string[],
  host: DirectoryMergeHost,
): Promise<DirectoryMergeReport> {
  const merge = new FolderMerge(folders, host);
  for (let moves = 0; ; ) {
    try {
      return await merge.run();
    } catch (error) {
      if (hasCode(error, 'ENOENT') && moves < maxMoves) moves += 1;
      else if (!merge.skip(error)) throw error;
    }
  }
}

/** Can be run again where it has failed: what was taken over already is known then. */
class FolderMerge {
  readonly #folders: readonly string[];
  readonly #host: DirectoryMergeHost;
  readonly #skipped = new Set<string>();
  readonly #written = { writtenFiles: 0, writtenBytes: 0, writtenEntries: 0 };

  constructor(folders: readonly string[], host: DirectoryMergeHost) {
    this.#folders = folders;
    this.#host = host;
  }

  /** Leaves the file out in which damage was found; tells whether there was any that was not left out already. */
  skip(error: unknown): boolean {
    if (!(error instanceof PartitionDamagedError) || this.#skipped.has(error.file)) return false;
    this.#skipped.add(error.file);
    return true;
  }

  /**
   * What all folders hold together is known before anything is taken over. So if it ends halfway, the folder has
   * nothing that another file, which it did not come to, would have overwritten or deleted.
   */
  async run(): Promise<DirectoryMergeReport> {
    const { files } = this.#host;
    const dropped: DropCounts = { overwritten: 0, cleared: 0, expired: 0, aged: 0, deletions: 0 };
    const sums = { readFiles: 0, readBytes: 0, readEntries: 0 };
    const groups = await findGroups(this.#folders, files);
    const others = await this.#survey(groups.flatMap(({ paths }) => paths));
    for (const { name, paths } of groups) {
      const taken = paths.filter((path) => !this.#skipped.has(path));
      if (taken.length === 0) continue;
      const merged = await this.#mergeGroup(name, taken, others);
      for (const path of merged.skipped) this.#skipped.add(path);
      sums.readFiles += merged.sources.length;
      sums.readBytes += merged.readBytes;
      sums.readEntries += merged.readEntries;
      for (const reason of Object.keys(dropped) as (keyof DropCounts)[])
        dropped[reason] += merged.dropped[reason];
    }
    return { ...sums, ...this.#written, dropped, skipped: [...this.#skipped] };
  }

  /** The newest of every key in the files, and the markers. Files that can't be taken as a whole tell nothing. */
  async #survey(paths: readonly string[]): Promise<PartitionIndex> {
    const index = new PartitionIndex();
    for (const path of paths) {
      if (this.#skipped.has(path)) continue;
      const source = await openSource(this.#host.files, path);
      if (source === undefined) {
        this.#skipped.add(path);
        continue;
      }
      await source.file.close();
      const { fileId, methodHash } = source.members[0]!.header;
      const place = { path, id: fileId, methodHash, method: undefined, isGiven: true, isPlain: false };
      const file =
        index.file(fileId) ?? index.addFile({ ...place, scannedBytes: 0, nextMember: 0, isGone: false });
      for (const { position, header } of source.members)
        index.addMember(file, position, header, Number.NEGATIVE_INFINITY);
    }
    return index;
  }

  async #mergeGroup(
    name: Omit<PartitionName, 'partition'>,
    paths: readonly string[],
    others: PartitionIndex,
  ): Promise<Merged> {
    const { files, maker, options, now, onFailure } = this.#host;
    const merged = await mergePartitions({
      files,
      folder: await maker.makeFolder(monthFolder(name.day)),
      sources: paths,
      rules: async () => this.#rules(others),
      writer: noWriter,
      fileMode: options.fileMode,
      maxMemberBytes: options.maxMemberBytes,
      compressionLevel: options.compressionLevel,
      now,
      onFailure,
    });
    if (merged.path === undefined) return merged;
    try {
      const final = await maker.linkToFreeName(merged.path, name);
      await files.syncFolder(dirname(final));
      this.#written.writtenFiles += 1;
      this.#written.writtenBytes += merged.writtenBytes;
      this.#written.writtenEntries += merged.writtenEntries;
      const { index, loader } = this.#host;
      const { problems } = await loader.loadFiles(index(), [final]);
      for (const problem of problems) onFailure(problem);
    } finally {
      await unlinkIfThere(files, merged.path);
    }
    return merged;
  }

  #rules(others: PartitionIndex): MergeRules {
    const { index, now } = this.#host;
    const own = index();
    const isTagInvalid = (tag: string, stamp: Stamp) => {
      const hash = hashTag(tag);
      return own.isTagInvalid(hash, stamp) || others.isTagInvalid(hash, stamp);
    };
    return {
      now: now(),
      isOverwritten: (key, stamp) => {
        const newest = own.stampOf(key);
        const newestOther = others.stampOf(key);
        const isKnown = newest !== undefined && compareStamps(newest, stamp) >= 0;
        return isKnown || (newestOther !== undefined && compareStamps(newestOther, stamp) > 0);
      },
      isCleared: (methodHash, stamp) =>
        own.isCleared(methodHash, stamp) || others.isCleared(methodHash, stamp),
      isMarkerKnown: (kind, key, stamp) => {
        if (kind !== entryKind.invalidateTag) return own.isCleared(key, stamp);
        // What covers every tag is in no file, and may not be there the next time: it replaces no marker.
        return own.isTagInvalid(key, stamp) && !own.isTagInvalid(noKey, stamp);
      },
      // What they cover may come with the next folder; a consolidation drops them in its time.
      keepsDeletion: () => true,
      keepsDroppedKey: () => true,
      isTagInvalid: own.hasTags || others.hasTags ? isTagInvalid : undefined,
      dropShare: 0,
    };
  }
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
