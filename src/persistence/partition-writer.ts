/** One process's logs: a partition of its own for each method, appended to by nobody else. */

import { CacheError } from '../errors.js';
import type { OpenFile } from './file-system.js';
import { type FileSystem, hasCode } from './file-system.js';
import { deflateMember, type EncodedEntry, encodedSize } from './member-body.js';
import {
  frameMember,
  type MemberContent,
  type MemberHeader,
  maxMemberEntries,
  readHeader,
} from './partition-codec.js';
import { type PartitionFileMaker, randomId } from './partition-file-maker.js';
import { hashMethod, utcDay } from './partition-path.js';

/** What a writer works with. */
export interface PartitionWriterOptions {
  readonly files: FileSystem;
  readonly maker: PartitionFileMaker;
  /** The id of this process's writer, 16 hex digits. */
  readonly writer: string;
  readonly durability: 'os' | 'disk';
  /** A partition that has reached this is followed by the next one. */
  readonly partitionBytes: number;
  /** A partition that was not appended to for so long is closed: others may merge it. */
  readonly closeAfter: number;
  readonly compressionLevel: number;
  readonly now: () => number;
  readonly elapsed: () => number;
  /** Called for every member that is written at the wanted durability. */
  readonly onWritten: (written: WrittenMember) => void;
}

/** A member that is written. */
export interface WrittenMember {
  readonly path: string;
  readonly method: string;
  readonly position: number;
  readonly header: MemberHeader;
  readonly entries: readonly EncodedEntry[];
}

interface Partition {
  readonly path: string;
  readonly file: OpenFile;
  readonly identity: string;
  readonly id: string;
  readonly day: string;
  bytes: number;
  members: number;
  lastAppend: number;
}

interface Content {
  readonly content: MemberContent;
  readonly entries: readonly EncodedEntry[];
}

/** Raw bytes of a member; one lookup inflates one member. */
const maxRawBytes = 64 * 1024;
/** What the header's extra field can hold besides its fixed part. */
const maxHeaderBytes = 64_000;
/** Members that are deflated at once and appended together. */
const appendMembers = 4;
const maxOpenPartitions = 256;
/** Times that a partition may be taken away under an append before it counts as a failure. */
const maxFences = 5;

export class PartitionWriter {
  readonly #options: PartitionWriterOptions;
  readonly #partitions = new Map<string, Partition>();

  constructor(options: PartitionWriterOptions) {
    this.#options = options;
  }

  /** Whether this writer may still append to the file. */
  owns(path: string): boolean {
    for (const partition of this.#partitions.values()) if (partition.path === path) return true;
    return false;
  }

  /**
   * Writes entries of one method. When it rejects, those told by `onWritten` are written, and the others are to be
   * written again; the file that failed is never touched any more.
   */
  async write(method: string, entries: Iterable<EncodedEntry>): Promise<void> {
    const methodHash = hashMethod(method);
    let batch: EncodedEntry[][] = [];
    for (const group of memberGroups(entries)) {
      batch.push(group);
      if (batch.length < appendMembers) continue;
      await this.#writeBatch(method, methodHash, batch);
      batch = [];
    }
    if (batch.length > 0) await this.#writeBatch(method, methodHash, batch);
  }

  /** The files that this writer may still append to. */
  get paths(): string[] {
    return Array.from(this.#partitions.values(), ({ path }) => path);
  }

  /** Closes all files; what is written from now on goes into new ones. */
  async close(): Promise<void> {
    const partitions = [...this.#partitions.values()];
    this.#partitions.clear();
    await Promise.all(partitions.map(({ file }) => file.close()));
  }

  async #writeBatch(method: string, methodHash: string, groups: EncodedEntry[][]): Promise<void> {
    const level = this.#options.compressionLevel;
    const contents = await Promise.all(
      groups.map(async (entries) => ({ entries, content: await deflateMember(methodHash, entries, level) })),
    );
    for (let from = 0; from < contents.length; ) {
      from += await this.#append(method, methodHash, contents.slice(from));
    }
  }

  /** Appends as many members as the partition has room for, one at least, and tells how many. */
  async #append(method: string, methodHash: string, contents: readonly Content[]): Promise<number> {
    for (let fences = 0; ; fences += 1) {
      const partition = await this.#partition(methodHash, contents[0]!.content);
      const taken = this.#fitting(partition, contents);
      const written = await this.#appendTo(partition, { method, methodHash, contents: taken });
      if (written !== undefined) {
        for (const member of written) this.#options.onWritten(member);
        return taken.length;
      }
      if (fences >= maxFences)
        throw new CacheError('ERR_STORAGE', 'Partitions are taken away while they are written');
    }
  }

  /** The members written, or `undefined` when the file is no longer where it was: others can't see the append. */
  async #appendTo(
    partition: Partition,
    batch: { method: string; methodHash: string; contents: readonly Content[] },
  ): Promise<WrittenMember[] | undefined> {
    const { method, methodHash, contents } = batch;
    const frames = contents.map(({ content }, index) => this.#frame(partition, method, content, index));
    const bytes = frames.length === 1 ? frames[0]! : Buffer.concat(frames);
    const start = partition.bytes;
    try {
      const taken = await partition.file.append(bytes);
      if (taken !== bytes.length) {
        throw new CacheError(
          'ERR_STORAGE',
          `Only ${taken} of ${bytes.length} bytes were written to ${partition.path}`,
        );
      }
      if (this.#options.durability === 'disk') await partition.file.sync();
      if (!(await this.#isInPlace(partition))) {
        await this.#abandon(methodHash, partition);
        return undefined;
      }
    } catch (error) {
      await this.#abandon(methodHash, partition);
      throw error;
    }
    partition.bytes += bytes.length;
    partition.members += frames.length;
    partition.lastAppend = this.#options.elapsed();
    let position = start;
    return frames.map((frame, index) => {
      const reading = readHeader(frame);
      if (reading.kind !== 'member') throw new Error(`A member was framed wrongly: ${reading.kind}`);
      const member = {
        path: partition.path,
        method,
        position,
        header: reading.header,
        entries: contents[index]!.entries,
      };
      position += frame.length;
      return member;
    });
  }

  #frame(partition: Partition, method: string, content: MemberContent, index: number): Buffer {
    const memberNumber = partition.members + index;
    return frameMember(content, {
      fileId: partition.id,
      writer: this.#options.writer,
      memberNumber,
      batchIndex: index,
      writtenAt: this.#options.now(),
      ...(memberNumber === 0 ? { method } : {}),
    });
  }

  #fitting(partition: Partition, contents: readonly Content[]): readonly Content[] {
    let room = this.#options.partitionBytes - partition.bytes - sizeOf(contents[0]!.content);
    let count = 1;
    while (count < contents.length) {
      room -= sizeOf(contents[count]!.content);
      if (room < 0) break;
      count += 1;
    }
    return contents.slice(0, count);
  }

  /** The partition to append to: the open one while it has room and its day lasts, else a new one. */
  async #partition(methodHash: string, first: MemberContent): Promise<Partition> {
    const { maker, now, elapsed, closeAfter, partitionBytes } = this.#options;
    const day = utcDay(now());
    const open = this.#partitions.get(methodHash);
    if (open !== undefined) {
      // Half of the time that others wait, so that an owner never appends to what they hold for closed.
      const isOpen = open.day === day && elapsed() - open.lastAppend < closeAfter / 2;
      if (isOpen && open.bytes + sizeOf(first) <= partitionBytes) return open;
      this.#partitions.delete(methodHash);
      await open.file.close();
    }
    const { path, file } = await maker.create({ methodHash, day });
    try {
      const { identity } = await file.status();
      const partition = {
        path,
        file,
        identity,
        day,
        id: randomId(),
        bytes: 0,
        members: 0,
        lastAppend: elapsed(),
      };
      this.#partitions.set(methodHash, partition);
      await this.#closeOldest(methodHash);
      return partition;
    } catch (error) {
      this.#partitions.delete(methodHash);
      await file.close().catch(() => undefined);
      throw error;
    }
  }

  async #closeOldest(kept: string): Promise<void> {
    if (this.#partitions.size <= maxOpenPartitions) return;
    let oldest: [string, Partition] | undefined;
    for (const entry of this.#partitions) {
      const isOlder = oldest === undefined || entry[1].lastAppend < oldest[1].lastAppend;
      if (entry[0] !== kept && isOlder) oldest = entry;
    }
    if (oldest === undefined) return;
    this.#partitions.delete(oldest[0]);
    await oldest[1].file.close();
  }

  /** Whether the path still leads to the file that was written to. */
  async #isInPlace(partition: Partition): Promise<boolean> {
    try {
      return (await this.#options.files.status(partition.path)).identity === partition.identity;
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return false;
      throw error;
    }
  }

  async #abandon(methodHash: string, partition: Partition): Promise<void> {
    this.#partitions.delete(methodHash);
    // What matters of the failure is on its way to the caller already.
    await partition.file.close().catch(() => undefined);
  }
}

/** Entries in groups that fit one member each; one that is larger stands alone. */
export function* memberGroups(entries: Iterable<EncodedEntry>): IterableIterator<EncodedEntry[]> {
  let group: EncodedEntry[] = [];
  let rawBytes = 0;
  let headerBytes = 0;
  let writers = new Set<string>();
  for (const entry of entries) {
    const size = encodedSize(entry);
    const headerSize = 40 + (writers.has(entry.stamp.writer) ? 0 : 8);
    const isFull =
      rawBytes + size > maxRawBytes ||
      headerBytes + headerSize > maxHeaderBytes ||
      group.length >= maxMemberEntries;
    if (isFull && group.length > 0) {
      yield group;
      group = [];
      rawBytes = 0;
      headerBytes = 0;
      writers = new Set();
    }
    group.push(entry);
    writers.add(entry.stamp.writer);
    rawBytes += size;
    headerBytes += headerSize;
  }
  if (group.length > 0) yield group;
}

/** What a member will take in the file, not less. */
function sizeOf(content: MemberContent): number {
  return content.deflated.length + content.entries.length * 48 + 1_200;
}
