/** What a disk tier is made from. */

import type { Clock } from '../clock.js';
import type { CacheError } from '../errors.js';
import type { ClockOffset, Stamp } from '../stamp.js';
import type { ResolvedDiskOptions } from './disk-options.js';
import type { FileSystem } from './file-system.js';
import type { IndexChanges } from './index/partition-index.js';
import type { FolderAccess } from './lock/folder-access.js';

/** What a disk tier is made from. */
export interface DiskTierInit {
  readonly options: ResolvedDiskOptions;
  readonly clock: Clock;
  /** Gets every failure. They are counted too, and none is thrown at a tool call. */
  readonly onError: (error: CacheError) => void;
  /** Whether nobody would hear that the folder can't be opened, so that a process warning has to say it. @default no */
  readonly hasNoErrorListener?: () => boolean;
  /** Gets the newest stamp of what was read, so that new ones are newer. */
  readonly onStamp?: (stamp: Stamp) => void;
  /**
   * Hears how the machine's clock stands to a shared folder's, and by how many microseconds what was taken in before
   * the folder was entered has been stamped earlier for it.
   */
  readonly onOffset?: (offset: ClockOffset, setBack: number) => void;
  /**
   * Hears which keys others' files have changed; `everything` when that can't be told key by key. The load waits until
   * what is outdated was let go of.
   */
  readonly onChanged?: (changes: IndexChanges | 'everything') => void | Promise<void>;
  /** The id of this process's writer, 16 hex digits; random by default. */
  readonly writer?: string;
  readonly files?: FileSystem;
  /** How it enters the folder: as `mode` says, but on a file system of another making without asking. */
  readonly access?: FolderAccess;
}
