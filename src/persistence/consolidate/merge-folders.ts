/** Takes over from other cache folders what an open one does not have yet. */

import { dirname, join } from 'node:path';
import { CacheError } from '../../errors.js';
import type { Stamp } from '../../stamp.js';
import { PartitionDamagedError, TooLargeError, unreadablePath } from '../disk-errors.js';
import type { ResolvedDiskOptions } from '../disk-options.js';
import { type FileSystem, type FolderEntry, hasCode, unlinkIfThere } from '../file-system.js';

import { entryKind } from '../format/member-header.js';
import {
  isMonthFolder,
  monthFolder,
  type PartitionName,
  parsePartitionFileName,
  temporaryFileName,
} from '../format/partition-name.js';
import { hashTag } from '../format/tombstone.js';
import { PartitionIndex } from '../index/partition-index.js';
import type { FolderLoader } from '../read/folder-loader.js';
import type { PartitionFiles } from '../write/partition-files.js';
import { noWriter } from './closed-partitions.js';
import { type Merged, mergePartitions } from './merge-partitions.js';
import type { DropCounts, MergeRules } from './merge-rules.js';
import { MergeSource } from './merge-source.js';

/** What a merge of folders came to. */
export interface FolderMergeReport {
  readonly readFiles: number;
  readonly readBytes: number;
  readonly readEntries: number;
  readonly writtenFiles: number;
  readonly writtenBytes: number;
  readonly writtenEntries: number;
  /** What was not taken over: what the folder has already, or has something newer of, is told as `overwritten`. */
  readonly dropped: DropCounts;
  /**
   * Files that could not be read as a whole: damaged, plain, of a later version, or with members above `maxMemberBytes`.
   * Nothing of them was taken over.
   */
  readonly skipped: readonly string[];
}

/** What merging needs of the folder that is merged into. */
export interface FolderMergeHost {
  readonly files: FileSystem;
  readonly maker: PartitionFiles;
  readonly loader: FolderLoader;
  readonly index: () => PartitionIndex;
  readonly now: () => number;
  /** Hears of failures that don't stop it. */
  readonly onFailure: (error: unknown) => void;
  readonly options: Pick<ResolvedDiskOptions, 'fileMode' | 'maxMemberBytes' | 'compressionLevel'>;
}

/** Times that it starts again because files of the other folders have moved meanwhile. */
const maxMoves = 8;

/** Merges into an open folder; nothing else may change it meanwhile. */
export async function mergeFolders(
  folders: readonly string[],
  host: FolderMergeHost,
): Promise<FolderMergeReport> {
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
  readonly #host: FolderMergeHost;
  readonly #skipped = new Set<string>();
  readonly #written = { writtenFiles: 0, writtenBytes: 0, writtenEntries: 0 };

  constructor(folders: readonly string[], host: FolderMergeHost) {
    this.#folders = folders;
    this.#host = host;
  }

  /** Leaves the file out that is damaged or too large; tells whether it was not left out already. */
  skip(error: unknown): boolean {
    const isOfFile = error instanceof PartitionDamagedError || error instanceof TooLargeError;
    if (!isOfFile || this.#skipped.has(error.file)) return false;
    this.#skipped.add(error.file);
    return true;
  }

  /**
   * What all folders hold together is known before anything is taken over. So if it ends halfway, the folder has
   * nothing that another file, which it did not come to, would have overwritten or deleted.
   */
  async run(): Promise<FolderMergeReport> {
    const { files } = this.#host;
    const dropped: DropCounts = { overwritten: 0, cleared: 0, expired: 0, aged: 0, deletions: 0 };
    const sums = { readFiles: 0, readBytes: 0, readEntries: 0 };
    const groups = await findGroups(this.#folders, files);
    const others = await this.#scan(groups.flatMap(({ paths }) => paths));
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
  async #scan(paths: readonly string[]): Promise<PartitionIndex> {
    const index = new PartitionIndex();
    for (const path of paths) {
      if (this.#skipped.has(path)) continue;
      const source = await MergeSource.open(this.#host.files, path);
      if (source === undefined) {
        this.#skipped.add(path);
        continue;
      }
      const { fileId, methodHash } = source;
      const place = { path, id: fileId, methodHash, method: undefined, isReadOnly: true, isPlain: false };
      const file =
        index.fileTable.find(fileId) ??
        index.fileTable.add({ ...place, scannedBytes: 0, nextMember: 0, isGone: false });
      try {
        await source.eachMember(({ position, header }) =>
          index.addMember(file, position, header, { now: Number.NEGATIVE_INFINITY }),
        );
      } finally {
        await source.file.close();
      }
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
      path: join(await maker.makeFolder(monthFolder(name.day)), temporaryFileName()),
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
      const { errors } = await loader.loadFiles(index(), [final]);
      for (const problem of errors) onFailure(problem);
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
      known: others,
      isThere: (header, entry) => {
        const record = own.recordOf(header.entries.words, header.entries.at(entry));
        return record >= 0 && own.orderOf(record, header, entry) <= 0;
      },
      isCleared: (methodHash, stamp) =>
        [own, others].some((one) => one.isTombstoneKnown(entryKind.clearMethod, methodHash, stamp)),
      isTombstoneKnown: (kind, key, stamp) => own.isTombstoneKnown(kind, key, stamp),
      // What they cover may come with the next folder; a consolidation drops them in its time.
      keepsTombstone: () => true,
      keepsDroppedKey: () => true,
      isTagInvalid: own.tombstones.hasTags || others.tombstones.hasTags ? isTagInvalid : undefined,
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
    for (const month of await listed(files, folder)) {
      if (month.kind !== 'directory' || !isMonthFolder(month.name)) continue;
      for (const entry of await listed(files, join(folder, month.name))) {
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

/** @throws CacheError `ERR_STORAGE`: a folder that can't be read may hold what is newer, so nothing is taken over */
async function listed(files: FileSystem, folder: string): Promise<FolderEntry[]> {
  return files.list(folder).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) throw error;
    const { message } = unreadablePath(folder, error);
    const reason = 'nothing was merged, as what is in there may be newer than the rest';
    throw new CacheError('ERR_STORAGE', `${message}; ${reason}`, { cause: error });
  });
}
