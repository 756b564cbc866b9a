/** The partition files that given paths stand for. */

import { lstatSync } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { type CacheError, InvalidArgumentError, InvalidOptionError } from '../../errors.js';
import { unreadablePath } from '../disk-errors.js';
import { type FileSystem, hasCode, nodeFileSystem } from '../file-system.js';
import { isMonthFolder } from '../format/partition-name.js';

/**
 * The files that paths stand for: files, cache folders, their month folders, and patterns with `*` and `?`. A month
 * folder that can't be listed is told to `onUnlisted`, where it is given, and passed over; a path that was given itself is an error.
 */
export async function findPartitionFiles(
  paths: readonly string[],
  options: {
    readonly files?: FileSystem | undefined;
    readonly onUnlisted?: (error: CacheError) => void;
  } = {},
): Promise<string[]> {
  const { files = nodeFileSystem, onUnlisted = rethrow } = options;
  const found = new Set<string>();
  const add = async (path: string): Promise<void> => {
    if ((await files.status(path)).kind !== 'directory') {
      found.add(path);
      return;
    }
    for (const { name, kind } of await files.list(path)) {
      const below = join(path, name);
      if (kind === 'directory' && isMonthFolder(name)) {
        await add(below).catch((error: unknown) => onUnlisted(unreadablePath(below, error)));
      } else if (kind === 'file' && name.endsWith('.cache')) found.add(below);
    }
  };
  for (const path of await expandPatterns(paths)) await add(path);
  return [...found].sort();
}

/** @throws InvalidOptionError for the first path that nothing has, naming the option it was given as */
export function assertThere(option: string, paths: readonly string[]): void {
  for (const path of paths) {
    try {
      lstatSync(path);
    } catch (cause) {
      // Whatever else keeps it from being read is told when it is read.
      if (!hasCode(cause, 'ENOENT', 'ENOTDIR')) continue;
      const fix = isPattern(path) ? ': patterns are for the command line, list the files' : '';
      const message = `Expected \`${option}\` to name files or folders that are there, got \`${path}\`${fix}`;
      throw new InvalidOptionError(message, { cause });
    }
  }
}

/** Paths with `*` and `?` in their segments replaced by what they match; others as they are. */
export async function expandPatterns(paths: readonly string[]): Promise<string[]> {
  const expanded: string[] = [];
  for (const path of paths) {
    const matches = isPattern(path) ? await expand(resolve(path)) : [resolve(path)];
    if (matches.length === 0)
      throw new InvalidArgumentError(`Expected \`${path}\` to match a file or folder`);
    expanded.push(...matches);
  }
  return expanded;
}

async function expand(path: string): Promise<string[]> {
  const parent = dirname(path);
  if (parent === path) return [path];
  const last = path.slice(parent.endsWith(sep) ? parent.length : parent.length + 1);
  const parents = isPattern(parent) ? await expand(parent) : [parent];
  if (!isPattern(last)) {
    const paths = parents.map((one) => join(one, last));
    const areThere = await Promise.all(paths.map((each) => exists(each)));
    return paths.filter((_, number) => areThere[number]);
  }
  const escaped = last
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  const pattern = new RegExp(`^${escaped}$`, 's');
  const matches: string[] = [];
  for (const one of parents) {
    const names = await readdir(one).catch((error: unknown): string[] => {
      // A parent that is no folder matches nothing.
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
      throw error;
    });
    matches.push(...names.filter((name) => pattern.test(name)).map((name) => join(one, name)));
  }
  return matches.sort();
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}

function isPattern(path: string): boolean {
  return /[*?]/.test(path);
}

function rethrow(error: CacheError): never {
  throw error;
}
