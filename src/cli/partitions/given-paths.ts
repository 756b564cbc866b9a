/** The partition files and folders that a person has named. */

import { realpath } from 'node:fs/promises';
import { relative, sep } from 'node:path';
import { isError } from '../../errors.js';
import { expandPatterns } from '../../persistence/offline/inspection.js';
import { printable } from '../../report/format.js';
import { isUrl } from '../redis-place.js';
import { UsageError } from '../usage-error.js';

/**
 * The paths that files, folders and patterns with `*` and `?` stand for, symbolic links followed.
 *
 * @throws UsageError when there is no such file or folder, or no access to it
 */
export async function givenPaths(paths: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths) {
    if (path === '') throw new UsageError("Expected a path, got '': name a cache folder or a file");
    assertNoUrl(path);
    const expanded = await expandPatterns([path]).catch((cause: unknown) => {
      const isNoMatch = isError(cause) && 'code' in cause && cause.code === 'ERR_INVALID_ARGUMENT';
      if (!isNoMatch) throw complaint(path, cause);
      throw new UsageError(`No file or folder matches ${path}: check the pattern`, { cause });
    });
    for (const each of expanded) {
      found.push(await realpath(each).catch((error: unknown) => Promise.reject(complaint(path, error))));
    }
  }
  return found;
}

/** @throws UsageError for a URL, which is not shown: it may hold a password */
export function assertNoUrl(path: string): void {
  if (isUrl(path))
    throw new UsageError('Expected a path, got a URL: name a cache in Redis with --redis <url>');
}

/** @throws UsageError when no partition file was found in the paths */
export function assertFound(count: number, paths: readonly string[]): void {
  if (count > 0) return;
  throw new UsageError(
    `No partition files in ${paths.join(', ')}: name a cache folder, or files that end in .cache`,
  );
}

/** A path for people: relative where that is shorter. */
export function shownPath(path: string): string {
  const near = relative(process.cwd(), path);
  return printable(near === '' || near.startsWith(`..${sep}..`) ? path : near);
}

function complaint(path: string, error: unknown): unknown {
  const code = isError(error) && 'code' in error ? error.code : undefined;
  const fixes: Partial<Record<string, string>> = {
    ENOENT: 'there is no such file or folder: check the path',
    ENOTDIR: 'a part of the path is no folder: check the path',
    EACCES: 'no permission to read it: check its mode',
  };
  const fix = typeof code === 'string' ? (fixes[code] ?? code) : undefined;
  return fix === undefined ? error : new UsageError(`Can't read ${path}: ${fix}`, { cause: error });
}
