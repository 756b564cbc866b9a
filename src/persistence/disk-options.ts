/** The options of the disk tier, their defaults, and how they are checked and resolved. */

import { resolve } from 'node:path';
import { type Duration, positiveDuration } from '../duration.js';
import {
  type Defined,
  definedOnly,
  expected,
  filePath,
  integer,
  missing,
  oneOf,
  trueOrFalse,
} from '../option-checks.js';

/** What a user can set of the disk tier. */
export interface DiskOptions {
  /**
   * The folder that the entries live in; it is made if it is not there.
   * @default './cache'
   */
  readonly persistDir?: string | undefined;
  /**
   * The longest that an entry waits in memory before it is written, in ms or as text.
   * @default 1000
   */
  readonly flushInterval?: Duration | undefined;
  /**
   * Bytes waiting that start a write at once.
   * @default 4194304 (4 MiB)
   */
  readonly flushBytes?: number | undefined;
  /**
   * The most bytes of values that wait in memory, because writing fails or is slower than what comes in. What comes on
   * top is reported, counted and not kept on disk; older entries of its keys are deleted, so that they can't come back
   * in its place. Deletions always wait. Where half of it waits, an awaited `set` waits for a flush, a second at most.
   * @default 67108864 (64 MiB)
   */
  readonly maxPendingBytes?: number | undefined;
  /**
   * A partition file that has reached this size is followed by the next one, in bytes.
   * @default 67108864 (64 MiB)
   */
  readonly partitionBytes?: number | undefined;
  /**
   * The largest inflated member that is read, and so the largest entry that is written, in bytes. What another process
   * has written with a larger limit is an error when it is looked up, and stays as it is. Small entries, which share
   * members of 8 to 16 KiB (once 64 KiB), are always read.
   * @default 67108864 (64 MiB)
   */
  readonly maxMemberBytes?: number | undefined;
  /**
   * When an entry counts as written: `'os'` once the operating system has it (it survives the death of the
   * process), `'disk'` once it is on the disk (it survives a loss of power).
   * @default 'os'
   */
  readonly durability?: 'os' | 'disk' | undefined;
  /**
   * After how long without an append a partition counts as closed, in ms or as text. The same for all who share
   * a folder. It is closed earlier when its process has left, or goes on in another file.
   * @default 600000 (10 minutes)
   */
  readonly closeAfter?: Duration | undefined;
  /**
   * The same on a network file system (NFS, SMB, FUSE …), in ms or as text: there it is never less than this, and
   * nothing else closes a partition of another process, because an owner may see late that its file was taken away.
   * @default 3600000 (1 hour)
   */
  readonly networkCloseAfter?: Duration | undefined;
  /**
   * The longest that a lookup waits for the index while it is read, in ms or as text; then it fails as an error.
   * @default 5000
   */
  readonly openTimeout?: Duration | undefined;
  /**
   * The mode of new files. A mode with rights for the group or others also makes other users' files be read.
   * @default 0o600
   */
  readonly fileMode?: number | undefined;
  /**
   * The mode of new folders.
   * @default 0o700
   */
  readonly dirMode?: number | undefined;
  /**
   * How hard to compress: 1 (fast) to 9 (small). Level 6 takes 2.7 times the CPU of 3 for 3 % less disk.
   * @default 3
   */
  readonly compressionLevel?: number | undefined;
  /**
   * Files or folders with partition files that are read besides `persistDir`; nothing in them is changed. Without
   * `persist` they alone are read, and nothing is written.
   * @default []
   */
  readonly loadCache?: string | readonly string[] | undefined;
  /**
   * Who uses the folder: `'single'` claims it for this cache and refuses a second one, `'multi'` shares it with other
   * processes and pulls in what they write.
   * @default 'single'
   */
  readonly mode?: 'single' | 'multi' | undefined;
  /**
   * With `mode: 'multi'`: how often what other processes have written is pulled in, in ms or as text.
   * @default 5000
   */
  readonly syncInterval?: Duration | undefined;
  /**
   * With `mode: 'multi'`: whether the processes share their loads too. While one of them calls a tool, the others wait for
   * what it says instead of calling it themselves. `false` lets each process load for itself.
   * @default true
   */
  readonly shareLoads?: boolean | undefined;
  /**
   * The longest that a call waits for another process's load, in ms or as text; then it calls the tool itself. Its own
   * `hardTimeout`, `softTimeout` and signal hold besides. A load that another load waits for waits for 5 s at most: two
   * processes whose loaders wait for each other's loads can't be told from slow ones.
   * @default 60000 (1 minute)
   */
  readonly shareLoadsTimeout?: Duration | undefined;
  /**
   * How often closed partitions are merged, in ms or as text; `null` is only when `consolidate()` is called.
   * @default 3600000 (1 hour)
   */
  readonly consolidateInterval?: Duration | null | undefined;
  /**
   * The most bytes that the folder's partitions take after a consolidation; the oldest days go first, on a day the
   * oldest values of the method that takes most. `null` is without bound.
   * @default null
   */
  readonly maxDiskBytes?: number | null | undefined;
  /**
   * Days that ended longer ago leave at a consolidation, in ms or as text; `null` keeps them.
   * @default null
   */
  readonly maxDiskAge?: Duration | null | undefined;
  /**
   * How long a consolidation keeps deletions at least, in ms or as text: copies of the folder that are merged later
   * than that can bring back what was deleted. With `mode: 'multi'` never less than an hour, as the other processes
   * learn from them what to drop.
   * @default 2592000000 (30 days)
   */
  readonly tombstoneTtl?: Duration | undefined;
  /**
   * Whether what waits is written when the process runs out of work (Node's `beforeExit`), and, at once and blocking, when
   * it exits otherwise: by `process.exit()` or an uncaught error. A signal that nobody handles leaves no time for it.
   * @default true
   */
  readonly flushOnExit?: boolean | undefined;
}

/** The disk tier's options with nothing left open. */
export interface ResolvedDiskOptions {
  readonly persistDir: string;
  readonly flushInterval: number;
  readonly flushBytes: number;
  readonly maxPendingBytes: number;
  readonly partitionBytes: number;
  readonly maxMemberBytes: number;
  readonly durability: 'os' | 'disk';
  readonly closeAfter: number;
  readonly networkCloseAfter: number;
  readonly openTimeout: number;
  readonly fileMode: number;
  readonly dirMode: number;
  readonly compressionLevel: number;
  readonly loadCache: readonly string[];
  readonly mode: 'single' | 'multi';
  readonly syncInterval: number;
  readonly shareLoads: boolean;
  readonly shareLoadsTimeout: number;
  readonly consolidateInterval: number | null;
  readonly maxDiskBytes: number | null;
  readonly maxDiskAge: number | null;
  readonly tombstoneTtl: number;
  readonly flushOnExit: boolean;
}

/** The default of every option. */
export const defaultDiskOptions = {
  persistDir: './cache',
  flushInterval: 1_000,
  flushBytes: 4 * 1024 * 1024,
  maxPendingBytes: 64 * 1024 * 1024,
  partitionBytes: 64 * 1024 * 1024,
  maxMemberBytes: 64 * 1024 * 1024,
  durability: 'os',
  closeAfter: 600_000,
  networkCloseAfter: 3_600_000,
  openTimeout: 5_000,
  fileMode: 0o600,
  dirMode: 0o700,
  compressionLevel: 3,
  loadCache: [],
  mode: 'single',
  syncInterval: 5_000,
  shareLoads: true,
  shareLoadsTimeout: 60_000,
  consolidateInterval: 3_600_000,
  maxDiskBytes: null,
  maxDiskAge: null,
  tombstoneTtl: 30 * 86_400_000,
  flushOnExit: true,
} as const;

/** The names of the disk tier's options. */
export const diskOptionNames = Object.keys(defaultDiskOptions) as readonly (keyof DiskOptions)[];

/** Members carry their length in 32 bits. */
const largestMember = 2 ** 31;

/** @throws InvalidOptionError naming the option, its value and the fix */
export function resolveDiskOptions(options: DiskOptions): ResolvedDiskOptions {
  const given = { ...defaultDiskOptions, ...definedOnly(options) } as Required<Defined<DiskOptions>>;
  const loadCache = typeof given.loadCache === 'string' ? [given.loadCache] : given.loadCache;
  return {
    persistDir: resolve(filePath(given.persistDir, 'persistDir')),
    flushInterval: positiveDuration(given.flushInterval, 'flushInterval'),
    flushBytes: integer(given.flushBytes, 'flushBytes'),
    maxPendingBytes: integer(given.maxPendingBytes, 'maxPendingBytes'),
    partitionBytes: integer(given.partitionBytes, 'partitionBytes'),
    maxMemberBytes: integer(given.maxMemberBytes, 'maxMemberBytes', { from: 1_024, to: largestMember }),
    durability: oneOf(given.durability, 'durability', ['os', 'disk']),
    closeAfter: positiveDuration(given.closeAfter, 'closeAfter'),
    networkCloseAfter: positiveDuration(given.networkCloseAfter, 'networkCloseAfter'),
    openTimeout: positiveDuration(given.openTimeout, 'openTimeout'),
    fileMode: integer(given.fileMode, 'fileMode', { from: 0, to: 0o777 }),
    dirMode: integer(given.dirMode, 'dirMode', { from: 0, to: 0o7777 }),
    compressionLevel: integer(given.compressionLevel, 'compressionLevel', { from: 1, to: 9 }),
    loadCache: filePaths(loadCache, 'loadCache').map((path) => resolve(path)),
    mode: oneOf(given.mode, 'mode', ['single', 'multi']),
    syncInterval: positiveDuration(given.syncInterval, 'syncInterval'),
    shareLoads: trueOrFalse(given.shareLoads, 'shareLoads'),
    shareLoadsTimeout: positiveDuration(given.shareLoadsTimeout, 'shareLoadsTimeout'),
    consolidateInterval: orNull(given.consolidateInterval, (value) =>
      positiveDuration(value, 'consolidateInterval'),
    ),
    maxDiskBytes: orNull(given.maxDiskBytes, (value) => integer(value, 'maxDiskBytes')),
    maxDiskAge: orNull(given.maxDiskAge, (value) => positiveDuration(value, 'maxDiskAge')),
    tombstoneTtl: positiveDuration(given.tombstoneTtl, 'tombstoneTtl'),
    flushOnExit: trueOrFalse(given.flushOnExit, 'flushOnExit'),
  };
}

/**
 * The options of a recording's folder, which the processes of a test run share. It is kept with a program's sources, so that
 * it may belong to whoever checked those out.
 */
export function recordingDiskOptions(persistDir: string): ResolvedDiskOptions {
  const modes = { fileMode: 0o644, dirMode: 0o755 };
  return resolveDiskOptions({ persistDir, mode: 'multi', consolidateInterval: null, ...modes });
}

/** Disk options that also concern files which are only read. */
const readingOptions: readonly string[] = ['maxMemberBytes', 'openTimeout'] satisfies (keyof DiskOptions)[];

/** Refuses options that do nothing because another is missing. One that is given and says no is meant so. */
export function refuseIdleDiskOptions(
  options: DiskOptions & { readonly persist?: boolean | undefined },
  hasGiven: boolean,
): void {
  if (options.persist === undefined) {
    const names = diskOptionNames.filter((name) => name !== 'loadCache' && options[name] !== undefined);
    const idle = names.find((name) => !hasGiven || !readingOptions.includes(name));
    if (idle !== undefined) {
      throw readingOptions.includes(idle)
        ? missing('`persist: true` or `loadCache`', idle, 'without them nothing is read')
        : missing('`persist: true`', idle, 'without it nothing is written');
    }
  }
  if (options.mode !== undefined) return;
  if (options.syncInterval !== undefined) {
    throw missing(`\`mode: 'multi'\``, 'syncInterval', 'a folder that is not shared has nothing to pull in');
  }
  for (const name of ['shareLoads', 'shareLoadsTimeout'] as const) {
    if (options[name] !== undefined)
      throw missing(`\`mode: 'multi'\``, name, 'a folder that is not shared has nobody to share loads with');
  }
}

/** `null` as it is, anything else resolved. */
function orNull<T>(value: T | null, resolveValue: (value: T) => number): number | null {
  return value === null ? null : resolveValue(value);
}

function filePaths(value: unknown, path: string): readonly string[] {
  if (!Array.isArray(value)) throw expected(path, 'a path or an array of paths', value);
  return value.map((each: unknown) => filePath(each, path));
}
