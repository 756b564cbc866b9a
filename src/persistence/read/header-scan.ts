/** Walks through a partition file by its headers, without inflating anything. */

import { crc32 } from 'node:zlib';
import { TimeSlice } from '../../next-turn.js';
import { PartitionDamagedError } from '../disk-errors.js';
import { type OpenFile, readFully } from '../file-system.js';
import { TableRoom } from '../format/header-entries.js';
import {
  entryKind,
  findHeader,
  type HeaderReading,
  type MemberHeader,
  readHeader,
} from '../format/member-header.js';

/** A member and where it lies. */
export interface ScannedMember {
  readonly position: number;
  readonly header: MemberHeader;
  /** Set when only the header is whole: it tells the deletions and markers, and none of the values. */
  readonly isTorn?: true;
}

/** What a walk came to. */
export interface Scan {
  /** The byte after the last whole member: from there on there is nothing, or a tail. */
  readonly end: number;
  /** Bytes behind it: an append in progress, or one that was cut off. */
  readonly tailBytes: number;
  /** What is wrong in the file; its good members were told all the same. */
  readonly damage: readonly PartitionDamagedError[];
  /** Whether a later version of the format has written into it: then it is not ours to judge. */
  readonly isNewer: boolean;
}

/** What a walk needs to know. */
export interface ScanRequest {
  readonly path: string;
  /** Where to start, and the member number expected there. */
  readonly from: number;
  readonly nextMember: number;
  /** The id that all members must have, if it is known. */
  readonly fileId?: string | undefined;
  /** The method that all members must be of, if it is known. */
  readonly methodHash?: string | undefined;
  /** What lies behind this byte is not looked at; without it the whole file is. */
  readonly until?: number;
  /**
   * Called for every good member, in the order of the file, and waited for. The entries of its header are good until it
   * returns: those of a million members, all together, would take more memory than any index.
   */
  readonly onMember: (member: ScannedMember) => void | Promise<void>;
}

const headBytes = 16 * 1024;
/** Each reading costs a turn of the event loop and one of the thread pool, which a megabyte hardly prolongs. */
const largeWindow = 1024 * 1024;
/** Headers that lie farther apart are read one by one. */
const farApart = 128 * 1024;
const maxHeadBytes = 128 * 1024;
const searchBytes = 1024 * 1024;
/** Members of one append whose data is checked before they count; a flush has fewer. */
const maxBatch = 64;
/** Enough to tell what is wrong with a file. */
const maxReports = 20;
/** Checking one that only looks like a header may cost a checksum over 64 KB: a hostile file holds millions. */
const maxCandidates = 4_000;

/** Reads headers of one file in its order; what was read ahead serves the next ones. */
export class HeaderWindow {
  readonly #file: OpenFile;
  readonly #fileSize: number;
  #start = 0;
  #bytes: Buffer = Buffer.alloc(0);
  #last = 0;
  /** Where large windows are read to, one after another. */
  #room: Buffer | undefined;
  /** Where the entries of headers are put. */
  tables = new TableRoom();

  constructor(file: OpenFile, fileSize: number) {
    this.#file = file;
    this.#fileSize = fileSize;
  }

  /** What lies at a place: a promise of it where more of the file has to be read, since there may be millions. */
  read(position: number): HeaderReading | Promise<HeaderReading> {
    const at = position - this.#start;
    if (at >= 0 && at < this.#bytes.length) {
      const reading = readHeader(this.#bytes, at, this.tables);
      if (reading.kind !== 'incomplete') return this.#noted(reading, position);
    }
    return this.#readOn(position);
  }

  async #readOn(position: number): Promise<HeaderReading> {
    // Where members are small, reading over them costs less than a reading for each.
    let wanted = position > this.#last && position - this.#last < farApart ? largeWindow : headBytes;
    for (;;) {
      const length = Math.min(wanted, this.#fileSize - position);
      if (wanted > headBytes && (this.#room?.length ?? 0) < length)
        this.#room = Buffer.allocUnsafeSlow(length);
      this.#bytes = await readFully(this.#file, length, position, this.#room);
      this.#start = position;
      const reading = readHeader(this.#bytes, 0, this.tables);
      if (reading.kind !== 'incomplete' || length < wanted) return this.#noted(reading, position);
      if (reading.bytes > maxHeadBytes) return { kind: 'damaged', reason: 'a header that does not end' };
      wanted = Math.max(reading.bytes, wanted + 1);
    }
  }

  /** What was read ahead from a place on, if anything. Good until the next reading. */
  bytesFrom(position: number): Buffer {
    const at = position - this.#start;
    return at < 0 ? Buffer.alloc(0) : this.#bytes.subarray(at);
  }

  #noted(reading: HeaderReading, position: number): HeaderReading {
    this.#last = position;
    return reading;
  }
}

/**
 * Walks from member to member. The members of the file's last append are checked against their data's checksum
 * before they count: that append may have been cut off by a loss of power, with any of its blocks missing.
 */
export async function scanPartition(file: OpenFile, request: ScanRequest): Promise<Scan> {
  const { size } = await file.status();
  return new PartitionWalk(file, Math.min(size, request.until ?? size), request).run();
}

class PartitionWalk {
  readonly #file: OpenFile;
  readonly #size: number;
  readonly #request: ScanRequest;
  readonly #damage: PartitionDamagedError[] = [];
  readonly #window: HeaderWindow;
  #candidates = maxCandidates;
  #isNewer = false;
  #fileId: string | undefined;
  #methodHash: string | undefined;
  #nextMember: number;
  #lastBatch: ScannedMember[] = [];
  readonly #slice = new TimeSlice();
  /** The members of the batch before the last were put here, and so will those after the last. */
  #otherTables = new TableRoom();

  constructor(file: OpenFile, size: number, request: ScanRequest) {
    this.#file = file;
    this.#window = new HeaderWindow(file, size);
    this.#size = size;
    this.#request = request;
    this.#fileId = request.fileId;
    this.#methodHash = request.methodHash;
    this.#nextMember = request.nextMember;
  }

  async run(): Promise<Scan> {
    let position = this.#request.from;
    let end = position;
    while (position < this.#size) {
      // What was read ahead holds thousands of headers.
      if (this.#slice.isOver) await this.#slice.next();
      const read = this.#window.read(position);
      const reading = read instanceof Promise ? await read : read;
      if (reading.kind === 'member' && this.#endsBatch(reading.header, position)) {
        const settling = this.#settleBatch(this.#lastBatch, 0);
        if (settling !== undefined) await settling;
      }
      const next = this.#take(reading, position);
      if (next === 'tail') break;
      if (next !== undefined) {
        position = next;
        end = next;
        continue;
      }
      const found = await this.#search(position + 1);
      position = found < 0 ? this.#size : found;
      end = position;
    }
    const torn = await this.#checkLastBatch();
    end = Math.min(end, torn ?? end);
    return { end, tailBytes: this.#size - end, damage: this.#damage, isNewer: this.#isNewer };
  }

  /** Takes what was read: the position behind it, `tail` when the file ends in it, `undefined` to search on. */
  #take(reading: HeaderReading, position: number): number | 'tail' | undefined {
    switch (reading.kind) {
      case 'incomplete':
        return 'tail';
      case 'member':
        if (position + reading.header.memberLength > this.#size) return 'tail';
        this.#takeMember({ position, header: reading.header });
        return position + reading.header.memberLength;
      case 'newer':
        this.#isNewer = true;
        this.#report(
          `a member of format version ${reading.version}, which is newer than this reader`,
          position,
        );
        return position + reading.memberLength > this.#size ? 'tail' : position + reading.memberLength;
      case 'plain':
        this.#report('a member without a header of ours', position);
        return undefined;
      case 'damaged':
        this.#report(reading.reason, position);
        return undefined;
    }
  }

  #takeMember(member: ScannedMember): void {
    const { header, position } = member;
    this.#fileId ??= header.fileId;
    this.#methodHash ??= header.methodHash;
    if (this.#isForeign(header)) {
      this.#report('a member of another file', position);
      return;
    }
    if (header.memberNumber > this.#nextMember) {
      this.#report(`members ${this.#nextMember} to ${header.memberNumber - 1} are missing`, position);
    } else if (header.memberNumber < this.#nextMember) {
      this.#report(`member ${header.memberNumber} comes again or too late`, position);
    }
    this.#nextMember = Math.max(this.#nextMember, header.memberNumber + 1);
    this.#lastBatch.push(member);
  }

  /** Whether a member shows that the append before it is over. */
  #endsBatch(header: MemberHeader, position: number): boolean {
    if (this.#lastBatch.length === 0 || position + header.memberLength > this.#size) return false;
    return (header.batchIndex === 0 || this.#lastBatch.length >= maxBatch) && !this.#isForeign(header);
  }

  #isForeign({ fileId, methodHash }: MemberHeader): boolean {
    return fileId !== this.#fileId || methodHash !== this.#methodHash;
  }

  /** Tells the members of a batch that is over; a promise only where it has to wait, as there may be millions. */
  #settleBatch(batch: readonly ScannedMember[], from: number): Promise<void> | undefined {
    for (let at = from; at < batch.length; at += 1) {
      const taking = this.#request.onMember(batch[at]!);
      if (taking !== undefined || this.#slice.isOver) return this.#settleLater(taking, batch, at + 1);
    }
    this.#lastBatch = [];
    // The member that has come after them was put where they were.
    const { tables } = this.#window;
    this.#otherTables.empty();
    this.#window.tables = this.#otherTables;
    this.#otherTables = tables;
    return undefined;
  }

  async #settleLater(
    taking: void | Promise<void>,
    batch: readonly ScannedMember[],
    from: number,
  ): Promise<void> {
    await taking;
    if (this.#slice.isOver) await this.#slice.next();
    await this.#settleBatch(batch, from);
  }

  /** Tells the members of the last append that are whole; returns where the first starts that is not. */
  async #checkLastBatch(): Promise<number | undefined> {
    const batch = this.#lastBatch;
    this.#lastBatch = [];
    let torn: number | undefined;
    for (const member of batch) {
      if (await this.#isWhole(member)) {
        await this.#request.onMember(member);
      } else {
        this.#report('a member of the last append that fails its checksum', member.position);
        torn ??= member.position;
        // Nobody was promised its values. What it deletes was to be deleted, promised or not.
        await this.#request.onMember({ ...member, header: withoutValues(member.header), isTorn: true });
      }
    }
    return torn;
  }

  async #isWhole({ header, position }: ScannedMember): Promise<boolean> {
    let crc = 0;
    const end = position + header.memberLength;
    for (let at = position + header.headerLength; at < end; at += searchBytes) {
      const bytes = await readFully(this.#file, Math.min(searchBytes, end - at), at);
      crc = crc32(bytes, crc);
    }
    return crc === header.dataCrc;
  }

  /** The place of the next header that can be read, or -1. */
  async #search(from: number): Promise<number> {
    // Mostly it is near: a file may hold one damaged member after another, and reading on at each would never end.
    const ahead = this.#window.bytesFrom(from);
    const near = findHeader(ahead, this.#candidates);
    this.#candidates = near.candidatesLeft;
    if (near.at >= 0) return from + near.at;
    for (let at = from + Math.max(0, ahead.length - maxHeadBytes); at < this.#size; at += searchBytes) {
      // The overlap holds the largest header, so that none is missed between two chunks.
      const bytes = await readFully(this.#file, Math.min(searchBytes + maxHeadBytes, this.#size - at), at);
      const search = findHeader(bytes, this.#candidates);
      this.#candidates = search.candidatesLeft;
      if (search.at >= 0 && search.at < searchBytes) return at + search.at;
    }
    return -1;
  }

  #report(reason: string, offset: number): void {
    if (this.#damage.length >= maxReports) return;
    this.#damage.push(new PartitionDamagedError(reason, { file: this.#request.path, offset }));
  }
}

function withoutValues(header: MemberHeader): MemberHeader {
  const entries = header.entries.filter((entry) => header.entries.kind(entry) !== entryKind.value);
  return { ...header, entries };
}
