/** Makes partition files and moves them, in steps that a crash can fall between. */

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type FileSystem, hasCode, type OpenFile } from './file-system.js';
import {
  monthFolder,
  type PartitionName,
  parsePartitionFileName,
  partitionFileName,
} from './partition-path.js';

/** What making files takes. */
export interface PartitionFileMakerOptions {
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

export class PartitionFileMaker {
  readonly #options: PartitionFileMakerOptions;
  /** Folders whose own name is on the disk, as far as that was asked for. */
  readonly #settled = new Set<string>();

  constructor(options: PartitionFileMakerOptions) {
    this.#options = options;
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
    const { files, syncsFolders } = this.#options;
    const folder = await this.makeFolder(monthFolder(name.day));
    const linked = await this.#atFreeName(folder, name, async (free) => {
      await files.link(path, free);
      return free;
    });
    if (syncsFolders) await files.syncFolder(folder);
    return linked;
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
  ): Promise<T> {
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
    for (const entry of await this.#options.files.list(folder)) {
      const other = parsePartitionFileName(entry.name);
      if (other?.methodHash === methodHash && other.day === day) taken.add(other.partition);
    }
    let free = 0;
    for (const partition of taken) free = Math.max(free, partition + 1);
    if (free <= lastNumber) return free;
    // Somebody has used the last number there is: a longer one would not be read.
    for (free = 0; taken.has(free); ) free += 1;
    return free;
  }
}

/** 128 random bits as hex: ids of files, and names that nobody can guess. */
export function randomId(): string {
  return randomBytes(16).toString('hex');
}
