/** Makes partition files and moves them, in steps that a crash can fall between. */

import { dirname, join } from 'node:path';
import { type FileSystem, hasCode, type OpenFile } from '../file-system.js';
import { monthFolder, type PartitionName, partitionFileName } from '../format/partition-name.js';
import { FolderListings } from '../read/shared-listings.js';

/** What making files takes. */
export interface PartitionFilesOptions {
  readonly files: FileSystem;
  /** The cache folder. */
  readonly folder: string;
  readonly fileMode: number;
  readonly folderMode: number;
  /** Whether names are synced to the disk as they are made. */
  readonly syncsFolders: boolean;
}

/** With leave to try further ones: nine digits are read. */
const lastNumber = 999_990_000;
/** Tries of a free number before giving up. */
const maxTries = 1_000;

export class PartitionFiles {
  readonly #options: PartitionFilesOptions;
  /** Folders whose own name is on the disk, as far as that was asked for. */
  readonly #settled = new Set<string>();

  /** What lies in the month folders. */
  readonly listings: FolderListings;

  constructor(options: PartitionFilesOptions) {
    this.#options = options;
    this.listings = new FolderListings(options.files);
  }

  /** Creates the next free partition of a method and day, under a name that nobody else has had. */
  async create(name: Omit<PartitionName, 'partition'>): Promise<{ path: string; file: OpenFile }> {
    const { files, fileMode } = this.#options;
    const folder = await this.makeFolder(monthFolder(name.day));
    return this.#atFreeName(folder, name, async (path) => {
      const file = await files.create(path, fileMode);
      try {
        if (this.#options.syncsFolders) await files.syncFolder(folder);
      } catch (error) {
        await file.close().catch(() => undefined);
        throw error;
      }
      return { path, file };
    });
  }

  /** Gives a file the next free name of its method and day, besides the one it has. */
  async linkToFreeName(path: string, name: Omit<PartitionName, 'partition'>): Promise<string> {
    const linked = await this.link(path, name);
    await this.syncNames(dirname(linked));
    return linked;
  }

  /** The same without syncing the name to the disk; `likelyFree` spares listing the folder where it is free. */
  async link(path: string, name: Omit<PartitionName, 'partition'>, likelyFree?: number): Promise<string> {
    const { files } = this.#options;
    const folder = await this.makeFolder(monthFolder(name.day));
    const attempt = async (free: string) => {
      await files.link(path, free);
      return free;
    };
    return this.#atFreeName(folder, name, attempt, likelyFree);
  }

  /** Returns when the names in a folder are on the disk, where that was asked for. */
  async syncNames(folder: string): Promise<void> {
    if (this.#options.syncsFolders) await this.#options.files.syncFolder(folder);
  }

  /** Makes a folder below the cache folder. */
  async makeFolder(name: string): Promise<string> {
    const { folder, files, syncsFolders } = this.#options;
    const path = join(folder, name);
    const kind = await this.#kindOf(path);
    if (kind === undefined) await this.#makeAnew(path);
    // A symlink would lead out of the cache folder.
    if ((kind ?? (await this.#kindOf(path))) !== 'directory') {
      throw Object.assign(new Error(`Expected a folder at ${path}`), { code: 'ENOTDIR' });
    }
    if (syncsFolders && !this.#settled.has(name)) await files.syncFolder(folder);
    this.#settled.add(name);
    return path;
  }

  /** Also the cache folder, where somebody has removed it: writing would fail for ever. */
  async #makeAnew(path: string): Promise<void> {
    const { files, folder, folderMode: mode } = this.#options;
    try {
      await files.makeFolder(path, { mode, recursive: false });
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
      this.#settled.clear();
      await files.makeFolder(folder, { mode, recursive: true });
      await files.makeFolder(path, { mode, recursive: false });
    }
  }

  async #kindOf(path: string): Promise<string | undefined> {
    try {
      return (await this.#options.files.status(path)).kind;
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  async #atFreeName<T>(
    folder: string,
    name: Omit<PartitionName, 'partition'>,
    attempt: (path: string) => Promise<T>,
    likelyFree?: number,
  ): Promise<T> {
    if (likelyFree !== undefined && likelyFree <= lastNumber) {
      try {
        return await attempt(join(folder, partitionFileName({ ...name, partition: likelyFree })));
      } catch (error) {
        if (!hasCode(error, 'EEXIST')) throw error;
      }
    }
    const first = await this.#firstFree(folder, name);
    for (let partition = first; ; partition += 1) {
      try {
        return await attempt(join(folder, partitionFileName({ ...name, partition })));
      } catch (error) {
        if (!hasCode(error, 'EEXIST') || partition - first >= maxTries) throw error;
      }
    }
  }

  async #firstFree(folder: string, { methodHash, day }: Omit<PartitionName, 'partition'>): Promise<number> {
    const taken = new Set<number>();
    for (const { name } of (await this.listings.list(folder)).partitions(methodHash)) {
      if (name.day === day) taken.add(name.partition);
    }
    let free = 0;
    for (const partition of taken) free = Math.max(free, partition + 1);
    if (free <= lastNumber) return free;
    // Somebody has used the last number there is: a longer one would not be read.
    for (free = 0; taken.has(free); ) free += 1;
    return free;
  }
}
