/** The options of the disk tier, their defaults, and how they are checked and resolved. */

import { resolve } from 'node:path';
import { inspect } from 'node:util';
import { type Duration, parseDuration } from '../duration.js';
import { InvalidOptionError } from '../errors.js';

/** What a user can set of the disk tier. */
export interface DiskOptions {
  /**
   * The folder that the entries live in; it is made if it is not there.
   * @default './cache'
   */
  readonly persistDir?: string;
  /**
   * The longest that an entry waits in memory before it is written, in ms or as text.
   * @default 1000
   */
  readonly flushInterval?: Duration;
  /**
   * Bytes waiting that start a write at once.
   * @default 4194304 (4 MiB)
   */
  readonly flushBytes?: number;
  /**
   * The most bytes of values that wait in memory, because writing fails or is slower than what comes in. What comes on
   * top is reported, counted and not kept on disk; older entries of its keys are deleted, so that they can't come back
   * in its place. Deletions always wait. Where half of it waits, an awaited `set` waits for a flush, a second at most.
   * @default 67108864 (64 MiB)
   */
  readonly maxPendingBytes?: number;
  /**
   * A partition file that has reached this size is followed by the next one, in bytes.
   * @default 67108864 (64 MiB)
   */
  readonly partitionBytes?: number;
  /**
   * The largest inflated member that is read, and so the largest entry that is written, in bytes.
   * @default 67108864 (64 MiB)
   */
  readonly maxMemberBytes?: number;
  /**
   * When an entry counts as written: `'os'` once the operating system has it (it survives the death of the
   * process), `'disk'` once it is on the disk (it survives a loss of power).
   * @default 'os'
   */
  readonly durability?: 'os' | 'disk';
  /**
   * After how long without an append a partition counts as closed, in ms or as text. The same for all who share
   * a folder. It is closed earlier when its process has left, or goes on in another file.
   * @default 600000 (10 minutes)
   */
  readonly closeAfter?: Duration;
  /**
   * The same on a network file system (NFS, SMB, FUSE …), in ms or as text: there it is never less than this, and
   * nothing else closes a partition of another process, because an owner may see late that its file was taken away.
   * @default 3600000 (1 hour)
   */
  readonly networkCloseAfter?: Duration;
  /**
   * The longest that a lookup waits for the index while it is read, in ms or as text; then it fails as an error.
   * @default 5000
   */
  readonly openTimeout?: Duration;
  /**
   * The mode of new files. A mode with rights for the group or others also makes other users' files be read.
   * @default 0o600
   */
  readonly fileMode?: number;
  /**
   * The mode of new folders.
   * @default 0o700
   */
  readonly dirMode?: number;
  /**
   * How hard to compress: 1 (fast) to 9 (small). Level 6 takes 2.7 times the CPU of 3 for 3 % less disk.
   * @default 3
   */
  readonly compressionLevel?: number;
  /**
   * Files or folders with partition files that are read besides `persistDir`; nothing in them is changed. Without
   * `persist` they alone are read, and nothing is written.
   * @default []
   */
  readonly loadCache?: string | readonly string[];
  /**
   * Who uses the folder: `'single'` claims it for this cache and refuses a second one, `'multi'` shares it with other
   * processes and pulls in what they write.
   * @default 'single'
   */
  readonly mode?: 'single' | 'multi';
  /**
   * With `mode: 'multi'`: how often what other processes have written is pulled in, in ms or as text.
   * @default 5000
   */
  readonly syncInterval?: Duration;
  /**
   * How often closed partitions are merged, in ms or as text; `null` is only when `consolidate()` is called.
   * @default 3600000 (1 hour)
   */
  readonly consolidateInterval?: Duration | null;
  /**
   * The most bytes that the folder's partitions take after a consolidation; the oldest days go first, on a day the
   * oldest values of the method that takes most. `null` is without bound.
   * @default null
   */
  readonly maxDiskBytes?: number | null;
  /**
   * Days that ended longer ago leave at a consolidation, in ms or as text; `null` keeps them.
   * @default null
   */
  readonly maxDiskAge?: Duration | null;
  /**
   * How long a consolidation keeps deletions at least, in ms or as text: copies of the folder that are merged later
   * than that can bring back what was deleted. With `mode: 'multi'` never less than an hour, as the other processes
   * learn from them what to drop.
   * @default 2592000000 (30 days)
   */
  readonly tombstoneTtl?: Duration;
  /**
   * Whether what waits is written when the process runs out of work (Node's `beforeExit`).
   * @default true
   */
  readonly flushOnExit?: boolean;
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
  const given: DiskOptions = { ...defaultDiskOptions, ...withoutUndefined(options) };
  const loadCache = typeof given.loadCache === 'string' ? [given.loadCache] : given.loadCache;
  return {
    persistDir: resolve(text('persistDir', given.persistDir)),
    flushInterval: duration('flushInterval', given.flushInterval),
    flushBytes: whole('flushBytes', given.flushBytes, { from: 1 }),
    maxPendingBytes: whole('maxPendingBytes', given.maxPendingBytes, { from: 1 }),
    partitionBytes: whole('partitionBytes', given.partitionBytes, { from: 1 }),
    maxMemberBytes: whole('maxMemberBytes', given.maxMemberBytes, { from: 1_024, to: largestMember }),
    durability: oneOf('durability', given.durability, ['os', 'disk']),
    closeAfter: duration('closeAfter', given.closeAfter),
    networkCloseAfter: duration('networkCloseAfter', given.networkCloseAfter),
    openTimeout: duration('openTimeout', given.openTimeout),
    fileMode: whole('fileMode', given.fileMode, { from: 0, to: 0o777 }),
    dirMode: whole('dirMode', given.dirMode, { from: 0, to: 0o7777 }),
    compressionLevel: whole('compressionLevel', given.compressionLevel, { from: 1, to: 9 }),
    loadCache: texts('loadCache', loadCache).map((path) => resolve(path)),
    mode: oneOf('mode', given.mode, ['single', 'multi']),
    syncInterval: duration('syncInterval', given.syncInterval),
    consolidateInterval: orNull(given.consolidateInterval, (value) => duration('consolidateInterval', value)),
    maxDiskBytes: orNull(given.maxDiskBytes, (value) => whole('maxDiskBytes', value, { from: 1 })),
    maxDiskAge: orNull(given.maxDiskAge, (value) => duration('maxDiskAge', value)),
    tombstoneTtl: duration('tombstoneTtl', given.tombstoneTtl),
    flushOnExit: truth('flushOnExit', given.flushOnExit),
  };
}

function withoutUndefined(options: DiskOptions): DiskOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function duration(name: string, value: Duration | undefined): number {
  const ms = parseDuration(value ?? 0, name);
  return ms > 0 ? ms : wrong(name, 'a duration above 0', value);
}

/** `null` as it is, anything else resolved. */
function orNull<T>(value: T | null, resolveValue: (value: T) => number): number | null {
  return value === null ? null : resolveValue(value);
}

function whole(name: string, value: unknown, range: { from: number; to?: number }): number {
  const { from, to = Number.MAX_SAFE_INTEGER } = range;
  const isWhole = typeof value === 'number' && Number.isSafeInteger(value) && value >= from && value <= to;
  if (isWhole) return value;
  const limit = to === Number.MAX_SAFE_INTEGER ? `of at least ${from}` : `from ${from} to ${to}`;
  return wrong(name, `an integer ${limit}`, value);
}

function text(name: string, value: unknown): string {
  const isPath = typeof value === 'string' && value !== '' && !value.includes('\0');
  return isPath ? value : wrong(name, 'a path', value);
}

function texts(name: string, value: unknown): readonly string[] {
  if (!Array.isArray(value)) return wrong(name, 'a path or an array of paths', value);
  return value.map((path: unknown) => text(name, path));
}

function truth(name: string, value: unknown): boolean {
  return typeof value === 'boolean' ? value : wrong(name, 'true or false', value);
}

function oneOf<T extends string>(name: string, value: unknown, choices: readonly T[]): T {
  const choice = choices.find((one) => one === value);
  const list = choices.map((one) => `'${one}'`).join(' or ');
  return choice ?? wrong(name, list, value);
}

function wrong(name: string, expected: string, value: unknown): never {
  throw new InvalidOptionError(`Expected \`${name}\` to be ${expected}, got \`${inspect(value)}\``);
}
