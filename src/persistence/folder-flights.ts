/** The loads that the processes on a cache folder share, as its disk tier sees them. */

import type { Clock } from '../clock.js';
import type { CacheError } from '../errors.js';
import { toStorageError } from './disk-errors.js';
import type { DiskFolder } from './disk-folder.js';
import type { ResolvedDiskOptions } from './disk-options.js';
import type { FileSystem } from './file-system.js';
import { FlightFolder } from './flight/flight-folder.js';
import { Flights } from './flight/flights.js';
import { trustedOwners } from './folder-context.js';
import { hashMethod } from './format/partition-name.js';
import type { FlushScheduler } from './write/flush-scheduler.js';

/** The flights of a folder; `undefined` where no loads are shared. */
export function folderFlights(tier: {
  readonly options: ResolvedDiskOptions;
  readonly clock: Clock;
  readonly files: FileSystem;
  readonly folder: DiskFolder;
  readonly flushes: FlushScheduler;
  readonly isOpen: () => boolean;
  /** By how many ms the machine's clock is ahead of the folder's. */
  readonly aheadMs: () => number;
  readonly onError: (error: CacheError) => void;
}): Flights | undefined {
  const { options, clock, files, folder, flushes } = tier;
  if (options.mode !== 'multi' || !options.shareLoads) return undefined;
  return new Flights({
    clock,
    folder: new FlightFolder({
      ...{ ...options, files, isTrustedOwner: trustedOwners(options.fileMode) },
      statusOf: (path) => folder.syncStat.of(path),
    }),
    timeout: options.shareLoadsTimeout,
    isOpen: tier.isOpen,
    folderTime: () => clock.now() - tier.aheadMs(),
    refresh: (method) => folder.refreshMethod(method),
    stampOf(key, method) {
      const place = folder.index.find(key, hashMethod(method));
      const isLive = place !== undefined && (place.expiresAt === null || clock.now() < place.expiresAt);
      return isLive ? place.stamp : undefined;
    },
    watch: (load, onChange) =>
      folder.watches.watch(load, (change, stamp) => {
        if (change === 'key') onChange(stamp);
      }),
    waiting(key) {
      const entry = flushes.find(key);
      return entry?.kind === 'value' ? entry.record : undefined;
    },
    flush: () => flushes.flush(),
    onError: (error) => tier.onError(toStorageError(error, `Sharing loads in ${options.persistDir} failed`)),
  });
}
