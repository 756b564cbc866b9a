/** Looks into partition files for people and programs: what is there, is it whole, what does it say. Changes nothing. */

import { sep } from 'node:path';
import { type Clock, systemClock } from '../clock.js';
import type { CacheError } from '../errors.js';
import { hashKey, type KeyOptions } from '../key/key-hasher.js';
import type { Stamp } from '../stamp.js';
import type { TierRecord } from '../tier.js';
import { damageAt } from './damage.js';
import { defaultDiskOptions, resolveDiskOptions } from './disk-options.js';
import { DiskTier, type DiskTierInit } from './disk-tier.js';
import { type FileSystem, nodeFileSystem, readFully } from './file-system.js';
import { tierWithoutFolder } from './given-files.js';
import { findPartitionFiles } from './given-paths.js';
import { byMethod, type FileInspection, type MethodInspection, Tally } from './inspection-tally.js';
import { inflateMember, inflatePlain, readEntryAt } from './member-body.js';
import { assertWhole, entryKind, headerEntries, type MemberHeader } from './partition-codec.js';
import { parsePartitionFileName } from './partition-path.js';
import { HeaderWindow, type ScannedMember, scanPartition } from './partition-scan.js';

export { expandPatterns, findPartitionFiles } from './given-paths.js';
export type { FileInspection, MethodInspection } from './inspection-tally.js';

/** What a look into files can be told. */
export interface InspectionOptions {
  /** The largest body that is inflated, in bytes; 64 MiB by default. */
  readonly maxMemberBytes?: number;
  readonly files?: FileSystem;
  readonly clock?: Clock;
  /** Called after each file, with how many are done and how many there are. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** What files hold. */
export interface Inspection {
  readonly files: readonly FileInspection[];
  readonly methods: readonly MethodInspection[];
}

/** Tells what files hold, by their headers; bodies are not read but for those of plain files. */
export async function inspectFiles(
  paths: readonly string[],
  options: InspectionOptions = {},
): Promise<Inspection> {
  const found = await findPartitionFiles(paths, options);
  const files: FileInspection[] = [];
  for (const path of found) {
    files.push(await inspectFile(path, { ...options, readsBodies: false }));
    options.onProgress?.(files.length, found.length);
  }
  return { files, methods: byMethod(files) };
}

/** Reads every byte of files and tells what is wrong with them, in `damage` of each. */
export async function verifyFiles(
  paths: readonly string[],
  options: InspectionOptions = {},
): Promise<Inspection> {
  const found = await findPartitionFiles(paths, options);
  const files: FileInspection[] = [];
  for (const path of found) {
    files.push(await inspectFile(path, { ...options, readsBodies: true }));
    options.onProgress?.(files.length, found.length);
  }
  return { files, methods: byMethod(files) };
}

/** The newest entry of a call in files, if it has not expired. */
export async function getFromFiles(
  paths: readonly string[],
  call: KeyOptions & { readonly method: string; readonly params: unknown },
  options: InspectionOptions & { readonly onError?: (error: CacheError) => void } = {},
): Promise<TierRecord | undefined> {
  const { method, params, ...keyOptions } = call;
  const key = hashKey(method, params, keyOptions);
  const tier = await openFiles(paths, options);
  try {
    return await tier.lookup(key, method);
  } finally {
    await tier.close();
  }
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

/** Writes entries to a cache folder and returns how many. Entries keep their stamps, so a newer one there stays. */
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
  let count = 0;
  try {
    await tier.open();
    for await (const record of records) {
      tier.write(record);
      count += 1;
      if (tier.pendingBytes >= flushBytes) await tier.flush();
    }
  } finally {
    await tier.close();
  }
  return count;
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
  await tier.load({ files: await findPartitionFiles(paths, options) });
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
  const tally = new Tally(clock.now());
  let [bytes, tailBytes, isPlain] = [0, 0, false];
  try {
    const file = await files.openToRead(path);
    try {
      bytes = (await file.status()).size;
      isPlain = (await new HeaderWindow(file, bytes).read(0)).kind === 'plain';
      if (isPlain) {
        tally.addPlain(await inflatePlain(await readFully(file, bytes, 0), maxMemberBytes));
      } else {
        const members: ScannedMember[] = [];
        const onMember = (member: ScannedMember) => members.push(member);
        const scan = await scanPartition(file, { path, from: 0, nextMember: 0, onMember });
        tailBytes = scan.tailBytes;
        tally.damage.push(...scan.damage);
        for (const { header, position, isTorn } of members) {
          tally.add(header);
          // What is wrong with a torn one was told by the walk.
          if (!options.readsBodies || isTorn) continue;
          try {
            await verifyMember(header, await readFully(file, header.memberLength, position), maxMemberBytes);
          } catch (error) {
            tally.damage.push(damageAt(error, path, position));
          }
        }
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    tally.damage.push(damageAt(error, path, 0));
  }
  const { method, methodHash = name?.methodHash, ...counts } = tally;
  return { path, method, methodHash, day: name?.day, isPlain, bytes, tailBytes, ...counts };
}

async function verifyMember(header: MemberHeader, bytes: Buffer, maxBytes: number): Promise<void> {
  assertWhole(header, bytes);
  const body = await inflateMember(bytes, { headerLength: header.headerLength, maxBytes });
  for (const { key, kind, offset } of headerEntries(header)) {
    if (kind <= entryKind.deletion) readEntryAt(body, offset, key);
  }
}
