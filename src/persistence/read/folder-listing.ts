/** Which partition files there are: in a cache folder, and where a given path leads. */

import { join } from 'node:path';
import type { CacheError } from '../../errors.js';
import { PartitionDamagedError, unreadablePath } from '../disk-errors.js';
import { type FileSystem, hasCode } from '../file-system.js';
import {
  isMonthFolder,
  isTemporaryFileName,
  parsePartitionFileName,
  quarantineFolder,
} from '../format/partition-name.js';
import type { FoundFile } from '../index/partition-file.js';

/** What lies in a cache folder. */
export interface PartitionListing {
  readonly found: FoundFile[];
  /** What is wrong; `once` is the path of which it is to be told only once. */
  readonly errors: { readonly error: unknown; readonly once?: string }[];
  /** Month folders that are there, but could not be listed. */
  readonly unlisted: string[];
  /** Files that a writer left behind before they got their name. */
  readonly temporary: string[];
}

/** Times that a folder is listed anew because it changed meanwhile; what is missed then shows at the next load. */
export const maxListings = 8;

/**
 * The partition files of a cache folder. A listing is no snapshot: a file that moves meanwhile may show under neither
 * name. So where others move files, one that differs from what is known counts once it comes out twice.
 */
export async function listPartitions(request: {
  readonly files: FileSystem;
  readonly folder: string;
  /** Whether others may move files meanwhile. */
  readonly isShared: boolean;
  /** The paths that were seen before. */
  readonly seen: ReadonlyMap<string, unknown>;
}): Promise<PartitionListing> {
  let known = new Set(request.seen.keys());
  for (let listings = 1; ; listings += 1) {
    const listing = await listMonths(request.files, request.folder);
    const { found } = listing;
    const isKnown = found.length === known.size && found.every(({ path }) => known.has(path));
    if (!request.isShared || isKnown || listings >= maxListings) return listing;
    known = new Set(found.map(({ path }) => path));
  }
}

/** What given paths stand for. One that is not there any more may be passed over; else it rejects. */
export async function listReadOnly(
  files: FileSystem,
  paths: Iterable<string>,
  mayBeGone: boolean,
): Promise<{ readonly found: FoundFile[]; readonly gone: CacheError[] }> {
  const found: FoundFile[] = [];
  const gone: CacheError[] = [];
  for (const path of paths) {
    try {
      found.push(...(await listPath(files, path)));
    } catch (error) {
      const failure = unreadablePath(path, error);
      if (!mayBeGone || !hasCode(error, 'ENOENT', 'ENOTDIR')) throw failure;
      gone.push(failure);
    }
  }
  return { found, gone };
}

/** What a given path stands for: a file, a month's folder, or a cache folder. */
async function listPath(files: FileSystem, path: string): Promise<FoundFile[]> {
  const status = await files.status(path);
  if (status.kind !== 'directory') return [toFound(path, true)];
  const names = await files.list(path);
  const found = names
    .filter((entry) => entry.kind === 'file' && entry.name.endsWith('.cache'))
    .map((entry) => toFound(join(path, entry.name), true));
  for (const { name, kind } of names) {
    if (kind !== 'directory' || name === quarantineFolder || !isMonthFolder(name)) continue;
    found.push(...(await listPath(files, join(path, name))));
  }
  return found;
}

export function toFound(path: string, isReadOnly: boolean): FoundFile {
  const name = path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);
  return { path, isReadOnly, methodHash: parsePartitionFileName(name)?.methodHash };
}

async function listMonths(files: FileSystem, folder: string): Promise<PartitionListing> {
  const listing: PartitionListing = { found: [], errors: [], unlisted: [], temporary: [] };
  for (const month of await files.list(folder)) {
    if (!isMonthFolder(month.name)) continue;
    const path = join(folder, month.name);
    if (month.kind === 'directory') await listMonth(files, path, listing);
    else {
      const error = new PartitionDamagedError('not a folder', { file: path });
      listing.errors.push({ error, once: path });
    }
  }
  return listing;
}

async function listMonth(files: FileSystem, folder: string, listing: PartitionListing): Promise<void> {
  const entries = await files.list(folder).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return [];
    listing.errors.push({ error });
    listing.unlisted.push(folder);
    return [];
  });
  for (const { name, kind } of entries) {
    const path = join(folder, name);
    if (isTemporaryFileName(name)) listing.temporary.push(path);
    if (parsePartitionFileName(name) === undefined) continue;
    if (kind === 'file') {
      listing.found.push(toFound(path, false));
    } else {
      const error = new PartitionDamagedError('not a regular file', { file: path });
      listing.errors.push({ error, once: path });
    }
  }
}
