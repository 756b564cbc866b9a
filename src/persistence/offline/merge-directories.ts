/** Merges the cache folders of other nodes into one, by file name and stamp: twice, or in another order, is the same. */

import { resolve } from 'node:path';
import { type Clock, systemClock } from '../../clock.js';
import { type CacheError, InvalidArgumentError } from '../../errors.js';
import type { FolderMergeReport } from '../consolidate/merge-folders.js';
import { type DiskOptions, resolveDiskOptions } from '../disk-options.js';
import { DiskTier } from '../disk-tier.js';
import type { FileSystem } from '../file-system.js';

/** What a merge can be told besides the options of the folder that it merges into. */
export interface MergeDirectoriesOptions
  extends Omit<DiskOptions, 'persistDir' | 'mode' | 'loadCache' | 'consolidateInterval' | 'flushOnExit'> {
  /** Gets what goes wrong with single files while the rest is merged. */
  readonly onError?: ((error: CacheError) => void) | undefined;
  readonly files?: FileSystem | undefined;
  readonly clock?: Clock | undefined;
}

/**
 * Takes over what other folders hold that is newer. They are only read; `into` is claimed meanwhile.
 * @throws DirectoryTakenError when another process has `into`
 */
export async function mergeDirectories(
  folders: readonly string[],
  into: string,
  options: MergeDirectoriesOptions = {},
): Promise<FolderMergeReport> {
  const { onError, files, clock = systemClock, ...rest } = options;
  const target = resolve(into);
  const isItself = folders.find((folder) => resolve(folder) === target);
  if (isItself !== undefined) {
    throw new InvalidArgumentError(`Expected folders other than the one to merge into, got \`${isItself}\``);
  }
  const tier = new DiskTier({
    options: resolveDiskOptions({
      ...rest,
      persistDir: into,
      mode: 'single',
      consolidateInterval: null,
      flushOnExit: false,
    }),
    clock,
    onError: (error) => onError?.(error),
    ...(files === undefined ? {} : { files }),
  });
  try {
    await tier.open();
    return await tier.mergeFrom(folders);
  } finally {
    await tier.close();
  }
}
