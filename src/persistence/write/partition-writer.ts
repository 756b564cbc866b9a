/** One process's logs: a partition of its own for each method, appended to by nobody else. */

import { CacheError } from '../../errors.js';
import { type FileSystem, hasCode } from '../file-system.js';
import { deflateMembers, type EncodedEntry } from '../format/member-body.js';
import { frameMember, isNameable } from '../format/member-frame.js';
import { type MemberContent, type MemberHeader, readHeader } from '../format/member-header.js';
import { hashMethod, randomId, utcDay } from '../format/partition-name.js';
import { memberBatches } from './member-groups.js';
import { OwnPartitions, type Partition } from './own-partitions.js';
import type { PartitionFiles } from './partition-files.js';

/** What a writer works with. */
export interface PartitionWriterOptions {
  readonly files: FileSystem;
  readonly maker: PartitionFiles;
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

interface Content {
  readonly content: MemberContent;
  readonly entries: readonly EncodedEntry[];
}

/** Times that a partition may be taken away under an append before it counts as a failure. */
const maxFences = 5;

export class PartitionWriter {
  readonly #options: PartitionWriterOptions;
  readonly #partitions: OwnPartitions;

  constructor(options: PartitionWriterOptions) {
    this.#options = options;
    this.#partitions = new OwnPartitions(options.files);
  }

  /** Whether this writer may still append to the file. */
  owns(path: string): boolean {
    return this.#partitions.has(path);
  }

  /**
   * Writes entries of one method. When it rejects, those told by `onWritten` are written, and the others are to be
   * written again; the file that failed is never touched any more.
   */
  async write(method: string, entries: Iterable<EncodedEntry>): Promise<void> {
    const methodHash = hashMethod(method);
    for (const batch of memberBatches(entries)) await this.#writeBatch(method, methodHash, batch);
  }

  /** The files that this writer may still append to. */
  get paths(): string[] {
    return this.#partitions.paths;
  }

  /** Closes all files; what is written from now on goes into new ones. */
  close(): Promise<void> {
    return this.#partitions.leaveAll();
  }

  async #writeBatch(method: string, methodHash: string, groups: EncodedEntry[][]): Promise<void> {
    const level = this.#options.compressionLevel;
    const deflated = await deflateMembers(methodHash, groups, level);
    const contents = deflated.map((content, at) => ({ content, entries: groups[at]! }));
    for (let from = 0; from < contents.length; ) {
      from += await this.#append(method, methodHash, contents.slice(from));
    }
  }

  /** Appends as many members as the partition has room for, one at least, and tells how many. */
  async #append(method: string, methodHash: string, contents: readonly Content[]): Promise<number> {
    for (let fences = 0; ; fences += 1) {
      const partition = await this.#partition(methodHash, contents[0]!.content);
      const taken = this.#fitting(partition, contents);
      const written = await this.#appendTo(partition, { method, contents: taken });
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
    batch: { method: string; contents: readonly Content[] },
  ): Promise<WrittenMember[] | undefined> {
    const { method, contents } = batch;
    const frames = contents.map(({ content }, index) => this.#frame(partition, method, content, index));
    const bytes = frames.length === 1 ? frames[0]! : Buffer.concat(frames);
    const start = partition.bytes;
    partition.appends += 1;
    try {
      const file = await this.#partitions.open(partition);
      if (file === undefined) {
        await this.#abandon(partition);
        return undefined;
      }
      const taken = await file.append(bytes);
      if (taken !== bytes.length) {
        throw new CacheError(
          'ERR_STORAGE',
          `Only ${taken} of ${bytes.length} bytes were written to ${partition.path}`,
        );
      }
      if (this.#options.durability === 'disk') await file.sync();
      if (!(await this.#isInPlace(partition))) {
        await this.#abandon(partition);
        return undefined;
      }
    } catch (error) {
      await this.#abandon(partition);
      throw error;
    } finally {
      partition.appends -= 1;
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
      ...(memberNumber === 0 && isNameable(method) ? { method } : {}),
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
    const open = this.#partitions.of(methodHash);
    if (open !== undefined) {
      // Half of the time that others wait, so that an owner never appends to what they hold for closed.
      const isOpen = open.day === day && elapsed() - open.lastAppend < closeAfter / 2;
      if (isOpen && open.bytes + sizeOf(first) <= partitionBytes) return open;
      await this.#partitions.leave(open);
    }
    const { path, file } = await maker.create({ methodHash, day });
    let identity: string;
    try {
      ({ identity } = await file.status());
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
    const place = { path, file, identity, methodHash, day, id: randomId() };
    const partition = { ...place, bytes: 0, members: 0, appends: 0, lastAppend: elapsed() };
    await this.#partitions.add(partition);
    return partition;
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

  async #abandon(partition: Partition): Promise<void> {
    // What matters of the failure is on its way to the caller already.
    await this.#partitions.leave(partition).catch(() => undefined);
  }
}

/** What a member will take in the file, not less. */
function sizeOf(content: MemberContent): number {
  return content.deflated.length + content.entries.length * 48 + 1_200;
}
