/** Takes the good members out of a damaged partition, and the rest out of the way. */

import { basename, dirname, join } from 'node:path';
import { assertReadableLength, TooLargeError } from '../disk-errors.js';
import type { FileSystem, OpenFile } from '../file-system.js';
import { hasCode, readFully, unlinkIfThere } from '../file-system.js';
import {
  deflateMember,
  type EncodedEntry,
  encodeBareRangeTombstone,
  encodeTombstone,
  inflateMember,
  readEntryAt,
} from '../format/member-body.js';
import { frameMember } from '../format/member-frame.js';
import {
  assertWhole,
  entryKind,
  headerEntries,
  type MemberContent,
  type MemberHeader,
  maxMemberEntries,
} from '../format/member-header.js';
import {
  parsePartitionFileName,
  quarantineFolder,
  randomId,
  temporaryFileName,
} from '../format/partition-name.js';
import { type ScannedMember, scanPartition } from '../read/header-scan.js';
import type { PartitionFiles } from '../write/partition-files.js';
import { noWriter } from './closed-partitions.js';

/** What salvaging takes. */
export interface SalvageOptions {
  readonly files: FileSystem;
  readonly maker: PartitionFiles;
  readonly maxMemberBytes: number;
  readonly fileMode: number;
  readonly now: () => number;
}

/** What became of a damaged file. */
export interface SalvageReport {
  /** Members that were good. */
  readonly members: number;
  /** Where they are now; `undefined` when there were none. */
  readonly path: string | undefined;
  /** Where the damaged file is now; `undefined` when all it had was good or incomplete. */
  readonly quarantined: string | undefined;
}

/**
 * First gives the file another name, so that its owner notices and writes its last append elsewhere; then copies
 * the good members to a new partition; then puts the file into quarantine. A crash leaves duplicates at worst.
 * Returns `undefined` when somebody else took the file away first.
 * @throws TooLargeError when a member is too large to be looked into; the file keeps its new name then
 */
export async function salvagePartition(
  path: string,
  isDamaged: boolean,
  options: SalvageOptions,
): Promise<SalvageReport | undefined> {
  const { files, maker } = options;
  const name = parsePartitionFileName(basename(path));
  if (name === undefined) return undefined;
  let fenced: string;
  try {
    fenced = await maker.linkToFreeName(path, name);
    await files.unlink(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  const copy = new Copy(options, join(dirname(path), temporaryFileName()));
  let rescued: string | undefined;
  try {
    await copy.fill(fenced);
    if (copy.members > 0) {
      await copy.settle();
      rescued = await maker.linkToFreeName(copy.path, name);
    }
  } finally {
    await copy.discard();
  }
  const quarantined = isDamaged ? await quarantine(fenced, options) : undefined;
  if (!isDamaged) await files.unlink(fenced);
  return { members: copy.members, path: rescued, quarantined };
}

async function quarantine(path: string, { files, maker }: SalvageOptions): Promise<string> {
  const folder = await maker.makeFolder(quarantineFolder);
  const target = join(folder, `${basename(path)}.${randomId().slice(0, 8)}`);
  await files.rename(path, target);
  return target;
}

/** A partition in the making, under a temporary name. */
class Copy {
  readonly path: string;
  members = 0;
  readonly #options: SalvageOptions;
  readonly #fileId = randomId();
  #file: OpenFile | undefined;

  constructor(options: SalvageOptions, path: string) {
    this.#options = options;
    this.path = path;
  }

  async fill(source: string): Promise<void> {
    const file = await this.#options.files.openToRead(source);
    try {
      let method: string | undefined;
      const onMember = (member: ScannedMember) => {
        method ??= member.header.method;
        return this.#copy(file, member, method);
      };
      await scanPartition(file, { path: source, from: 0, nextMember: 0, onMember });
    } finally {
      await file.close();
    }
  }

  async settle(): Promise<void> {
    await this.#file?.sync();
  }

  /** Removes the temporary name. */
  async discard(): Promise<void> {
    if (this.#file === undefined) return;
    await this.#file.close();
    await unlinkIfThere(this.#options.files, this.path);
  }

  async #copy(
    file: OpenFile,
    { position, header, isTorn }: ScannedMember,
    method: string | undefined,
  ): Promise<void> {
    const { maxMemberBytes } = this.#options;
    if (isTorn) return this.#writeTombstones(header, method);
    assertReadableLength(header.memberLength, maxMemberBytes, this.path);
    const bytes = await readFully(file, header.memberLength, position);
    try {
      await assertReadable(header, bytes, maxMemberBytes);
    } catch (error) {
      if (error instanceof TooLargeError) throw error;
      // The damage itself was reported by whoever found the file; here it decides what is copied.
      return this.#writeTombstones(header, method);
    }
    const content: MemberContent = {
      methodHash: header.methodHash,
      entries: [...headerEntries(header)],
      deflated: bytes.subarray(header.headerLength, bytes.length - 8),
      bodyCrc: bytes.readUInt32LE(bytes.length - 8),
      bodyLength: bytes.readUInt32LE(bytes.length - 4),
    };
    await this.#append(content, method);
  }

  /** The values are lost, but what they replaced must not come back: their keys are deleted, markers stay. */
  async #writeTombstones(header: MemberHeader, method: string | undefined): Promise<void> {
    const deletions: EncodedEntry[] = [];
    for (const { key, kind, stampTime, stampWriter } of headerEntries(header)) {
      const stamp = { time: stampTime, writer: stampWriter };
      if (kind <= entryKind.tombstone) deletions.push(encodeTombstone(key, stamp));
      else if (kind <= entryKind.clearAll) deletions.push(encodeBareRangeTombstone(kind, key, stamp));
    }
    if (deletions.length === 0 || deletions.length > maxMemberEntries) return;
    await this.#append(await deflateMember(header.methodHash, deletions, 6), method);
  }

  async #append(content: MemberContent, method: string | undefined): Promise<void> {
    const { files, fileMode, now } = this.#options;
    this.#file ??= await files.create(this.path, fileMode);
    const frame = frameMember(content, {
      fileId: this.#fileId,
      writer: noWriter,
      memberNumber: this.members,
      batchIndex: 0,
      writtenAt: now(),
      ...(this.members === 0 && method !== undefined ? { method } : {}),
    });
    if ((await this.#file.append(frame)) !== frame.length) throw new Error('A short write');
    this.members += 1;
  }
}

async function assertReadable(header: MemberHeader, bytes: Buffer, maxBytes: number): Promise<void> {
  assertWhole(header, bytes);
  const body = await inflateMember(bytes, { headerLength: header.headerLength, maxBytes });
  for (const { key, kind, offset } of headerEntries(header)) {
    if (kind <= entryKind.tombstone) readEntryAt(body, offset, key);
  }
}
