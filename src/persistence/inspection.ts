/** Looks into partition files for people and programs: what is there, is it whole, what does it say. Changes nothing. */

import { readdir } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { type Clock, systemClock } from '../clock.js';
import { type CacheError, InvalidArgumentError } from '../errors.js';
import { hashKey, type KeyOptions } from '../key/key-hasher.js';
import type { Stamp } from '../stamp.js';
import type { TierRecord } from '../tier.js';
import { damageAt, type PartitionDamagedError } from './damage.js';
import { defaultDiskOptions, resolveDiskOptions } from './disk-options.js';
import { DiskTier, type DiskTierInit } from './disk-tier.js';
import { type FileSystem, nodeFileSystem, readFully } from './file-system.js';
import { tierWithoutFolder } from './given-files.js';
import { inflateMember, inflatePlain, plainEntries, readEntryAt } from './member-body.js';
import { assertWhole, entryKind, headerEntries, type MemberHeader } from './partition-codec.js';
import { hashMethod, isMonthFolder, parsePartitionFileName } from './partition-path.js';
import { HeaderWindow, type ScannedMember, scanPartition } from './partition-scan.js';

/** What a look into files can be told. */
export interface InspectionOptions {
  /** The largest body that is inflated, in bytes; 64 MiB by default. */
  readonly maxMemberBytes?: number;
  readonly files?: FileSystem;
  readonly clock?: Clock;
  /** Called after each file, with how many are done and how many there are. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** What is known of one file. */
export interface FileInspection {
  readonly path: string;
  /** The method's name; `undefined` where the file does not tell it. */
  readonly method: string | undefined;
  readonly methodHash: string | undefined;
  readonly day: string | undefined;
  readonly isPlain: boolean;
  readonly bytes: number;
  readonly members: number;
  /** Values, deletions and markers written in it, overwritten ones included. */
  readonly values: number;
  readonly deletions: number;
  readonly markers: number;
  /** Values whose time is over. */
  readonly expired: number;
  /** The first and last stamp, as epoch ms; `undefined` in an empty file. */
  readonly oldest: number | undefined;
  readonly newest: number | undefined;
  /** Bytes of an incomplete member at the end. */
  readonly tailBytes: number;
  readonly damage: readonly PartitionDamagedError[];
}

/** What is known of one method's files together. */
export interface MethodInspection {
  readonly method: string | undefined;
  readonly methodHash: string | undefined;
  readonly partitions: number;
  readonly members: number;
  readonly values: number;
  readonly deletions: number;
  readonly markers: number;
  readonly expired: number;
  readonly bytes: number;
  readonly oldest: number | undefined;
  readonly newest: number | undefined;
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
  let waiting = 0;
  try {
    await tier.open();
    for await (const record of records) {
      tier.write(record);
      count += 1;
      waiting += record.encoded.length;
      if (waiting < flushBytes) continue;
      await tier.flush();
      waiting = 0;
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

/** The files that paths stand for: files, cache folders, their month folders, and patterns with `*` and `?`. */
export async function findPartitionFiles(
  paths: readonly string[],
  options: InspectionOptions = {},
): Promise<string[]> {
  const { files = nodeFileSystem } = options;
  const found = new Set<string>();
  const add = async (path: string): Promise<void> => {
    if ((await files.status(path)).kind !== 'directory') {
      found.add(path);
      return;
    }
    for (const { name, kind } of await files.list(path)) {
      if (kind === 'directory' && isMonthFolder(name)) await add(join(path, name));
      else if (kind === 'file' && name.endsWith('.cache')) found.add(join(path, name));
    }
  };
  for (const path of await expandPatterns(paths)) await add(path);
  return [...found].sort();
}

/** Paths with `*` and `?` in their segments replaced by what they match; others as they are. */
export async function expandPatterns(paths: readonly string[]): Promise<string[]> {
  const expanded: string[] = [];
  for (const path of paths) {
    const matches = isPattern(path) ? await expand(resolve(path)) : [resolve(path)];
    if (matches.length === 0)
      throw new InvalidArgumentError(`Expected \`${path}\` to match a file or folder`);
    expanded.push(...matches);
  }
  return expanded;
}

async function expand(path: string): Promise<string[]> {
  const parent = dirname(path);
  if (parent === path) return [path];
  const last = path.slice(parent.endsWith(sep) ? parent.length : parent.length + 1);
  const parents = isPattern(parent) ? await expand(parent) : [parent];
  if (!isPattern(last)) return parents.map((one) => join(one, last));
  const escaped = last
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  const pattern = new RegExp(`^${escaped}$`, 's');
  const matches: string[] = [];
  for (const one of parents) {
    // A parent that is no folder matches nothing.
    const names = await readdir(one).catch((): string[] => []);
    matches.push(...names.filter((name) => pattern.test(name)).map((name) => join(one, name)));
  }
  return matches.sort();
}

function isPattern(path: string): boolean {
  return /[*?]/.test(path);
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

/** Counts what a file holds. */
class Tally {
  method: string | undefined;
  methodHash: string | undefined;
  members = 0;
  values = 0;
  deletions = 0;
  markers = 0;
  expired = 0;
  oldest: number | undefined;
  newest: number | undefined;
  readonly damage: PartitionDamagedError[] = [];
  readonly #now: number;

  constructor(now: number) {
    this.#now = now;
  }

  add(header: MemberHeader): void {
    this.members += 1;
    this.methodHash ??= header.methodHash;
    if (header.method !== undefined && hashMethod(header.method) === this.methodHash)
      this.method ??= header.method;
    for (const { kind, stampTime, expiresAt } of headerEntries(header)) {
      this.#note(stampTime / 1_000);
      if (kind === entryKind.deletion) this.deletions += 1;
      else if (kind !== entryKind.value) this.markers += 1;
      else this.#addValue(expiresAt);
    }
  }

  addPlain(body: Buffer): void {
    this.members += 1;
    for (const { entry } of plainEntries(body)) {
      if (entry.kind !== 'value') continue;
      this.method ??= entry.method;
      this.#note(entry.metadata.createdAt);
      this.#addValue(entry.metadata.expiresAt);
    }
  }

  #addValue(expiresAt: number | null): void {
    this.values += 1;
    if (expiresAt !== null && expiresAt <= this.#now) this.expired += 1;
  }

  #note(epochMs: number): void {
    this.oldest = Math.min(this.oldest ?? epochMs, epochMs);
    this.newest = Math.max(this.newest ?? epochMs, epochMs);
  }
}

function byMethod(files: readonly FileInspection[]): MethodInspection[] {
  const methods = new Map<string, MethodInspection>();
  for (const file of files) {
    const id = file.methodHash ?? file.path;
    const { method, methodHash, members, values, deletions, markers, expired, bytes, oldest, newest } = file;
    const known = methods.get(id);
    if (known === undefined) {
      methods.set(id, {
        method,
        methodHash,
        partitions: 1,
        members,
        values,
        deletions,
        markers,
        expired,
        bytes,
        oldest,
        newest,
      });
      continue;
    }
    methods.set(id, {
      method: known.method ?? method,
      methodHash,
      partitions: known.partitions + 1,
      members: known.members + members,
      values: known.values + values,
      deletions: known.deletions + deletions,
      markers: known.markers + markers,
      expired: known.expired + expired,
      bytes: known.bytes + bytes,
      oldest: least(known.oldest, oldest),
      newest: most(known.newest, newest),
    });
  }
  return [...methods.values()].sort((one, other) => other.bytes - one.bytes);
}

function least(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
}

function most(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.max(one, other);
}
