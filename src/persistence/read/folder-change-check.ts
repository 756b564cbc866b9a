/**
 * Which files of one method others may have written to since they were read, told by a few times of change: a folder in
 * which no name was made or removed need not be listed again, however many files there are.
 */

import { dirname, join } from 'node:path';
import { type FileStatus, type FileSystem, hasCode, isSameStatus } from '../file-system.js';
import { isMonthFolder, parsePartitionFileName } from '../format/partition-name.js';

/** What looking for news takes. */
export interface FolderChangeCheckInit {
  readonly files: Pick<FileSystem, 'list'>;
  /** The status of a file, at once where that can be had. */
  readonly statusOf: (path: string) => FileStatus | Promise<FileStatus>;
  /** The cache folder. */
  readonly folder: string;
  /** The folder in which every process that shares the cache folder has a lock folder. */
  readonly membersFolder: string;
  /** The writer's id in the name of a lock folder. */
  readonly writerIn: (lockFolder: string) => string | undefined;
  readonly elapsed: () => number;
  /** The files as they were read last. */
  readonly seen: () => ReadonlyMap<string, FileStatus>;
  /** The writer of a file that was read; `undefined` where it is not known. */
  readonly writerOf: (path: string) => string | undefined;
  /** Whether this process writes the file. */
  readonly owns: (path: string) => boolean;
}

/** File systems that date in whole seconds, or even ones, may not date two changes apart that are closer than this. */
const coarseDating = 2_100;
/** The same for all others, which go by the ticks of the kernel's clock. */
const fineDating = 50;

/** A folder as it was listed last. */
interface Listing {
  readonly status: FileStatus;
  /** When this time of change was seen first, and when the listing began, both by `elapsed`. */
  readonly seenAt: number;
  readonly listedAt: number;
  readonly names: readonly string[];
  /** The paths of partitions by the hash of their method, but for those that need not be looked at again. */
  readonly byMethod: ReadonlyMap<string, Set<string>>;
}

/** A file that may have changed since it was read; once it is closed, it need be looked at only once more. */
interface Candidate {
  readonly path: string;
  readonly isClosed: boolean;
}

export class FolderChangeCheck {
  readonly #init: FolderChangeCheckInit;
  readonly #listings = new Map<string, Listing>();
  /** Files that were as they had been read when nobody appended to them any more. */
  readonly #settled = new Set<string>();

  constructor(init: FolderChangeCheckInit) {
    this.#init = init;
  }

  /** The paths of files of these methods that are new, or have changed since they were read. */
  async find(methodHashes: readonly string[]): Promise<string[]> {
    const { folder, membersFolder, writerIn } = this.#init;
    const root = await this.#list(folder);
    const members = await this.#list(membersFolder);
    const present = members && new Set(members.names.map(writerIn));
    // In an older month nothing is written but what was there before.
    const months = (root?.names ?? []).filter(isMonthFolder).sort().slice(-2);
    const news: string[] = [];
    for (const month of months) {
      const listing = await this.#list(join(folder, month));
      for (const methodHash of methodHashes) {
        const paths = listing?.byMethod.get(methodHash);
        if (paths !== undefined) news.push(...(await this.#changed(paths, present)));
      }
    }
    return news;
  }

  /** Which of a method's files have changed; what need not be looked at again leaves them. */
  async #changed(
    paths: Set<string>,
    present: ReadonlySet<string | undefined> | undefined,
  ): Promise<string[]> {
    const changed: string[] = [];
    for (const { path, isClosed } of this.#candidates(paths, present)) {
      const known = this.#init.seen().get(path);
      const status = known && (await this.#status(path));
      if (known === undefined || (status !== undefined && !isSameStatus(known, status))) changed.push(path);
      else if (isClosed) {
        paths.delete(path);
        this.#settled.add(path);
      }
    }
    return changed;
  }

  /** The files that somebody may append to, or may have appended to since they were read. */
  #candidates(paths: Set<string>, present: ReadonlySet<string | undefined> | undefined): Candidate[] {
    const { seen, writerOf, owns } = this.#init;
    const known = seen();
    const last = new Map<string, number>();
    const candidates: (Candidate & { readonly writer: string; readonly modifiedAt: number })[] = [];
    for (const path of paths) {
      if (owns(path)) continue;
      const status = known.get(path);
      const writer = (status && writerOf(path)) ?? '';
      const modifiedAt = status?.modifiedAt ?? 0;
      if (writer !== '') last.set(writer, Math.max(last.get(writer) ?? 0, modifiedAt));
      const isClosed = writer !== '' && present !== undefined && !present.has(writer);
      candidates.push({ path, writer, modifiedAt, isClosed });
    }
    // A writer has one file of a method open, and never comes back to an earlier one.
    return candidates.map(({ path, writer, modifiedAt, isClosed }) => ({
      path,
      isClosed: isClosed || (last.get(writer) ?? 0) > modifiedAt,
    }));
  }

  /** What lies in a folder, `undefined` when it is not there. */
  async #list(folder: string): Promise<Listing | undefined> {
    const { files, elapsed } = this.#init;
    const known = this.#listings.get(folder);
    const listedAt = elapsed();
    const status = await this.#status(folder);
    if (status?.kind !== 'directory') return undefined;
    const isAsBefore = known !== undefined && isSameStatus(known.status, status);
    const seenAt = isAsBefore ? known.seenAt : listedAt;
    const dating = status.modifiedAt % 1_000 === 0 ? coarseDating : fineDating;
    // What was made while it was being listed, or soon after its last change, may bear the same date as that.
    if (isAsBefore && known.listedAt - seenAt > dating) return known;
    const names: string[] = [];
    const byMethod = new Map<string, Set<string>>();
    const all = new Set<string>();
    for (const { name, kind } of await files.list(folder)) {
      const method = kind === 'file' ? parsePartitionFileName(name)?.methodHash : undefined;
      if (method === undefined) {
        names.push(name);
        continue;
      }
      const path = join(folder, name);
      all.add(path);
      const paths = byMethod.get(method) ?? new Set();
      byMethod.set(method, paths);
      if (!this.#settled.has(path)) paths.add(path);
    }
    for (const path of this.#settled)
      if (dirname(path) === folder && !all.has(path)) this.#settled.delete(path);
    const listing = { status, seenAt, listedAt, names, byMethod };
    this.#listings.set(folder, listing);
    return listing;
  }

  async #status(path: string): Promise<FileStatus | undefined> {
    try {
      return await this.#init.statusOf(path);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }
}
