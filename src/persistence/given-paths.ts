/** The partition files that given paths stand for. */

import { lstat, readdir } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { InvalidArgumentError } from '../errors.js';
import { type FileSystem, hasCode, nodeFileSystem } from './file-system.js';
import { isMonthFolder } from './partition-path.js';

/** The files that paths stand for: files, cache folders, their month folders, and patterns with `*` and `?`. */
export async function findPartitionFiles(
  paths: readonly string[],
  options: { readonly files?: FileSystem } = {},
): Promise<string[]> {
  const { files = nodeFileSystem } = options;
  const found = new Set<string>();
  const add = async (path: string): Promise<void> => {
    if ((await files.status(path)).kind !== 'directory') {
      found.add(path);
      return;
    }
    for (const { name, kind } of await files.list(path)) {
      if (kind === 'directory' && isMonthFolder(name)) await add(join(path, name));
      else if (kind === 'file' && name.endsWith('.cache')) found.add(join(path, name));
    }
  };
  for (const path of await expandPatterns(paths)) await add(path);
  return [...found].sort();
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
