/** What a cache folder is opened with, whom it believes, and what it counts. */

import type { Clock } from '../clock.js';
import type { CacheError } from '../errors.js';
import type { Stamp } from '../stamp.js';
import type { RepairCounters } from './consolidate/repair.js';
import type { ResolvedDiskOptions } from './disk-options.js';
import type { FileSystem } from './file-system.js';
import type { RangeTombstone } from './format/tombstone.js';
import type { IndexChanges } from './index/partition-index.js';

/** `incremental` reads new members only, `full` everything again. */
export type LoadMode = 'incremental' | 'full';

/** What a store is made from. */
export interface DiskFolderInit {
  readonly options: ResolvedDiskOptions;
  readonly clock: Clock;
  readonly files: FileSystem;
  readonly writer: string;
  readonly onError: (error: CacheError) => void;
  readonly onStamp: (stamp: Stamp) => void;
  /** Hears what others' files have changed; of `everything` when that can't be told. */
  readonly onChanged: (changes: IndexChanges | 'everything') => void | Promise<void>;
  /** The markers that are in no file yet. */
  readonly bufferedTombstones: () => Iterable<RangeTombstone>;
}

/** What a store has done since it was made. */
export interface FolderCounters extends RepairCounters {
  readonly writtenEntries: number;
  readonly writtenBytes: number;
  /** Keys that the index holds in memory, deleted ones included. */
  readonly indexedKeys: number;
}

const groupRights = 0o077;

/** Whether files of a user are read: one's own, and with rights for others in `fileMode` everybody's. */
export function trustedOwners(fileMode: number): (owner: number) => boolean {
  const ownUser = process.getuid?.();
  return (owner) => ownUser === undefined || owner === ownUser || (fileMode & groupRights) !== 0;
}
