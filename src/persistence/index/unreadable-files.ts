/**
 * Files that are there but could not be read for now. What they hold may be newer than what is known, so nothing is
 * said of their methods until a later load has read them.
 */

import { CacheError } from '../../errors.js';
import { type FileStatus, type FileSystem, hasCode } from '../file-system.js';
import { hashMethod } from '../format/partition-name.js';
import { unnamedMethod } from '../format/tombstone.js';
import type { FoundFile } from './partition-file.js';

export class UnreadableFiles {
  readonly #files = new Map<string, FoundFile>();

  /** Takes note of a file, or of a folder that can't be listed: then the method is not known. */
  add(file: FoundFile): void {
    this.#files.set(file.path, file);
  }

  /** Forgets a file: it was read, or is gone. */
  delete(path: string): void {
    this.#files.delete(path);
  }

  /** Those of the cache folder are forgotten, but for these. */
  retain(paths: ReadonlySet<string>): void {
    for (const { path, isReadOnly } of this.#files.values()) {
      if (!isReadOnly && !paths.has(path)) this.#files.delete(path);
    }
  }

  /** Those that were given, which no listing of the cache folder finds again. */
  get readOnly(): FoundFile[] {
    return [...this.#files.values()].filter((file) => file.isReadOnly);
  }

  /** One that may hold entries or markers of the method; of any method without one. */
  concerning(methodHash: string | undefined): string | undefined {
    if (this.#files.size === 0) return undefined;
    for (const file of this.#files.values()) {
      // Markers for all methods concern each.
      const isOfAll = file.methodHash === undefined || file.methodHash === hashMethod(unnamedMethod);
      if (isOfAll || methodHash === undefined || file.methodHash === methodHash) return file.path;
    }
    return undefined;
  }
}

/**
 * Whether a failed reading leaves open what the file holds. Files that are not ours to read (links, pipes, other
 * users' files) are passed over like damage: else anybody could stop a cache by leaving one.
 */
export async function leavesOpen(
  error: unknown,
  request: {
    readonly path: string;
    readonly files: FileSystem;
    readonly isTrustedOwner: (owner: number) => boolean;
  },
): Promise<boolean> {
  if (error instanceof CacheError) return false;
  if (hasCode(error, 'ENOENT', 'ENOTDIR', 'EISDIR', 'EINVAL', 'ELOOP', 'EMLINK', 'ENXIO')) return false;
  if (!hasCode(error, 'EACCES', 'EPERM')) return true;
  // A status that can't be had either says no more than the error did.
  const status: FileStatus | undefined = await request.files.status(request.path).catch(() => undefined);
  return status === undefined || request.isTrustedOwner(status.owner);
}
