/** Merges the cache folders of other nodes into one, by file name and stamp: twice, or in another order, is the same. */

import { resolve } from 'node:path';
import { systemClock } from '../clock.js';
import { type CacheError, InvalidArgumentError } from '../errors.js';
import { type DiskOptions, resolveDiskOptions } from './disk-options.js';
import { DiskTier } from './disk-tier.js';
import type { DirectoryMergeReport } from './folder-merge.js';

/**
 * Takes over what other folders hold that is newer. They are only read; `into` is claimed meanwhile.
 * @throws DirectoryTakenError when another process has `into`
 */
export async function mergeDirectories(
  folders: readonly string[],
  into: string,
  options: Omit<DiskOptions, 'persistDir' | 'mode'> & { onError?: (error: CacheError) => void } = {},
): Promise<DirectoryMergeReport> {
  const { onError, ...rest } = options;
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
    clock: systemClock,
    onError: (error) => onError?.(error),
  });
  try {
    await tier.open();
    return await tier.mergeFrom(folders);
  } finally {
    await tier.close();
  }
}
