/** Looks into partition files for people and programs: what is there, is it whole, what does it say. Changes nothing. */

import { sep } from 'node:path';
import { type Clock, systemClock } from '../../clock.js';
import { CacheError, isError } from '../../errors.js';
import { hashKey, type KeyOptions } from '../../key/key-hasher.js';
import type { Stamp } from '../../stamp.js';
import type { TierRecord } from '../../tier.js';
import { assertReadableLength, damageAt, TooLargeError, unreadablePath } from '../disk-errors.js';
import { defaultDiskOptions, resolveDiskOptions } from '../disk-options.js';
import { DiskTier } from '../disk-tier.js';
import type { DiskTierInit } from '../disk-tier-init.js';
import { type FileSystem, nodeFileSystem, readFully } from '../file-system.js';
import { inflateMember, inflatePlain, readEntryAt } from '../format/member-body.js';
import { assertWhole, entryKind, headerEntries, type MemberHeader } from '../format/member-header.js';
import { parsePartitionFileName } from '../format/partition-name.js';
import { HeaderWindow, type ScannedMember, scanPartition } from '../read/header-scan.js';
import { tierWithoutFolder } from '../read-only-tier.js';
import { byMethod, type FileInspection, FileSummary, type MethodInspection } from './file-summary.js';
import { findPartitionFiles } from './path-patterns.js';

export type { FileInspection, MethodInspection } from './file-summary.js';
export { expandPatterns, findPartitionFiles } from './path-patterns.js';

/** What a look into files can be told. */
export interface InspectionOptions {
  /** The largest body that is inflated, in bytes; 64 MiB by default. */
  readonly maxMemberBytes?: number | undefined;
  readonly files?: FileSystem | undefined;
  readonly clock?: Clock | undefined;
  /** Called after each file, with how many are done and how many there are. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** What files hold. */
export interface Inspection {
  readonly files: readonly FileInspection[];
  readonly methods: readonly MethodInspection[];
  /** Month folders that could not be listed. */
  readonly unlisted: readonly CacheError[];
}

/** Tells what files hold, by their headers; bodies are not read but for those of plain files. */
export function inspectFiles(paths: readonly string[], options: InspectionOptions = {}): Promise<Inspection> {
  return lookInto(paths, { ...options, readsBodies: false });
}

/** Reads every byte of files and tells what is wrong with them, in `damage` of each. */
export function verifyFiles(paths: readonly string[], options: InspectionOptions = {}): Promise<Inspection> {
  return lookInto(paths, { ...options, readsBodies: true });
}

async function lookInto(
  paths: readonly string[],
  options: InspectionOptions & { readonly readsBodies: boolean },
): Promise<Inspection> {
  const unlisted: CacheError[] = [];
  const found = await findPartitionFiles(paths, { ...options, onUnlisted: (error) => unlisted.push(error) });
  const files: FileInspection[] = [];
  for (const path of found) {
    files.push(await inspectFile(path, options));
    options.onProgress?.(files.length, found.length);
  }
  return { files, methods: byMethod(files), unlisted };
}

/** The newest entry of a call, or of a key, in files, if it has not expired. */
export async function getFromFiles(
  paths: readonly string[],
  call: { readonly method: string } & (
    | (KeyOptions & { readonly params: unknown })
    | { readonly key: string }
  ),
  options: InspectionOptions & { readonly onError?: (error: CacheError) => void } = {},
): Promise<TierRecord | undefined> {
  const key = 'key' in call ? call.key : keyOf(call);
  const tier = await openFiles(paths, options);
  try {
    return await tier.lookup(key, call.method);
  } finally {
    await tier.close();
  }
}

function keyOf(call: KeyOptions & { readonly method: string; readonly params: unknown }): string {
  const { method, params, ...options } = call;
  return hashKey(method, params, options);
}

/** Every entry in files that has not expired, the newest of each key. */
export async function* exportFiles(
  paths: readonly string[],
  options: InspectionOptions & { readonly onError?: (error: CacheError) => void } = {},
): AsyncGenerator<TierRecord> {
  const tier = await openFiles(paths, options);
  try {
    yield* tier.entries();
  } finally {
    await tier.close();
  }
}

/** Writes entries to a cache folder. Entries keep their stamps, so a newer one there stays: returns how many it took. */
export async function importRecords(
  folder: string,
  records: AsyncIterable<TierRecord> | Iterable<TierRecord>,
  options: InspectionOptions & {
    readonly onError?: (error: CacheError) => void;
    readonly flushBytes?: number;
  } = {},
): Promise<number> {
  const { flushBytes = defaultDiskOptions.flushBytes } = options;
  const tier = new DiskTier(initOf({ persistDir: folder }, options));
  try {
    await tier.open();
    for await (const record of records) {
      tier.write(record);
      if (tier.bufferedBytes >= flushBytes) await tier.flush();
    }
  } finally {
    await tier.close();
  }
  return tier.counters.writtenEntries;
}

/** The stamp of an entry that comes without one: as old as it says it is. */
export function importStamp(createdAt: number): Stamp {
  return { time: Math.max(0, Math.floor(createdAt * 1_000)), writer: '0'.repeat(16) };
}

async function openFiles(
  paths: readonly string[],
  options: InspectionOptions & { readonly onError?: (error: CacheError) => void },
): Promise<DiskTier> {
  const tier = tierWithoutFolder(initOf({}, options));
  const onUnlisted = options.onError ?? (() => undefined);
  await tier.load({ files: await findPartitionFiles(paths, { ...options, onUnlisted }) });
  return tier;
}

function initOf(
  disk: { persistDir?: string },
  options: InspectionOptions & { readonly onError?: (error: CacheError) => void },
): DiskTierInit {
  const { maxMemberBytes, files, clock = systemClock, onError = () => undefined } = options;
  return {
    options: resolveDiskOptions({
      ...disk,
      flushOnExit: false,
      ...(maxMemberBytes ? { maxMemberBytes } : {}),
    }),
    clock,
    onError,
    ...(files === undefined ? {} : { files }),
  };
}

async function inspectFile(
  path: string,
  options: InspectionOptions & { readonly readsBodies: boolean },
): Promise<FileInspection> {
  const {
    files = nodeFileSystem,
    clock = systemClock,
    maxMemberBytes = defaultDiskOptions.maxMemberBytes,
  } = options;
  const name = parsePartitionFileName(path.slice(path.lastIndexOf(sep) + 1));
  const summary = new FileSummary(clock.now());
  let [bytes, tailBytes, isPlain] = [0, 0, false];
  let unreadable: string | undefined;
  try {
    const file = await files.openToRead(path);
    try {
      bytes = (await file.status()).size;
      isPlain = (await new HeaderWindow(file, bytes).read(0)).kind === 'plain';
      if (isPlain) {
        summary.addPlain(await inflatePlain(await readFully(file, bytes, 0), maxMemberBytes));
      } else {
        const verify = async ({ header, position }: ScannedMember) => {
          try {
            assertReadableLength(header.memberLength, maxMemberBytes, path);
            await verifyMember(header, await readFully(file, header.memberLength, position), maxMemberBytes);
          } catch (error) {
            if (isSystemError(error)) throw error;
            if (error instanceof TooLargeError) summary.unread.push(error.in(path));
            else summary.damage.push(damageAt(error, path, position));
          }
        };
        const onMember = (member: ScannedMember) => {
          summary.add(member.header);
          // What is wrong with a torn one is told by the walk.
          return options.readsBodies && !member.isTorn ? verify(member) : undefined;
        };
        const scan = await scanPartition(file, { path, from: 0, nextMember: 0, onMember });
        tailBytes = scan.tailBytes;
        summary.damage.unshift(...scan.damage);
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    if (isSystemError(error)) unreadable = unreadablePath(path, error).message;
    else if (error instanceof TooLargeError) summary.unread.push(error.in(path));
    else summary.damage.push(damageAt(error, path, 0));
  }
  const { method, methodHash = name?.methodHash, ...counts } = summary;
  return {
    path,
    method,
    methodHash,
    day: name?.day,
    isPlain,
    bytes,
    tailBytes,
    ...counts,
    ...(unreadable && { unreadable }),
  };
}

/** Whether a file could not be read, rather than be understood. */
function isSystemError(error: unknown): boolean {
  return (
    isError(error) &&
    !(error instanceof CacheError) &&
    'code' in error &&
    /^E[A-Z0-9]+$/.test(String(error.code))
  );
}

async function verifyMember(header: MemberHeader, bytes: Buffer, maxBytes: number): Promise<void> {
  assertWhole(header, bytes);
  const body = await inflateMember(bytes, { headerLength: header.headerLength, maxBytes });
  for (const { key, kind, offset } of headerEntries(header)) {
    if (kind <= entryKind.tombstone) readEntryAt(body, offset, key);
  }
}
