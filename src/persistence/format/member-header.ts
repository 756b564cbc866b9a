/**
 * Members of partition files, as bytes: gzip members (RFC 1952) whose header carries what a reader needs to know
 * without inflating, as BGZF does (SAM specification, 2009). `FORMAT.md` beside this file is the specification.
 */

import { crc32 } from 'node:zlib';
import { PartitionDamagedError } from '../disk-errors.js';
import { EntryTable, entryBytes, type TableRoom, writerBytes, writerOfWords } from './header-entries.js';

export { entryBytes, entryKind, maxStampTime } from './header-entries.js';

/** The version of the format that is written, and the newest that is read. */
export const formatVersion = 1;

/** The most entries that fit into one header: an extra field holds 65,535 bytes at most. */
export const maxMemberEntries = 1_600;

/** Bytes of our field before its lists, of what stands before it, and of a member's trailer. */
export const fixedBytes = 64;
export const gzipPrefixBytes = 12;
export const subfieldHeadBytes = 4;
export const trailerBytes = 8;
/** The longest name that is read, and that a merge takes over from files which earlier versions wrote. */
export const maxNameBytes = 1_024;
const gzipMagic = Buffer.of(0x1f, 0x8b, 8);

/** Flags of a gzip header. */
export const flagExtra = 4;
export const flagName = 8;

/** Which file and place a member belongs to. */
export interface MemberIdentity {
  /** The file's id, 32 hex digits. */
  readonly fileId: string;
  /** The id of who writes it, 16 hex digits. */
  readonly writer: string;
  /** Counted from 0 in each file. */
  readonly memberNumber: number;
  /** How many members of the same append lie before it. */
  readonly batchIndex: number;
}

/** One entry as the header tells it. */
export interface HeaderEntry {
  readonly key: string;
  readonly kind: number;
  readonly stampTime: number;
  readonly stampWriter: string;
  /** Epoch ms, `null` is never. */
  readonly expiresAt: number | null;
  /** Where its value starts in the inflated body. */
  readonly offset: number;
}

/** What goes into a member, compressed already. */
export interface MemberContent {
  readonly methodHash: string;
  readonly entries: readonly HeaderEntry[];
  /** The body after DEFLATE. */
  readonly deflated: Uint8Array;
  /** CRC-32 and length of the body before. */
  readonly bodyCrc: number;
  readonly bodyLength: number;
}

/** A member's header, read and found whole. */
export interface MemberHeader extends MemberIdentity {
  readonly methodHash: string;
  /** The method's name, where the header carries it (the first member does). */
  readonly method: string | undefined;
  /** From the first byte of the header to the last of the trailer. */
  readonly memberLength: number;
  readonly headerLength: number;
  /** CRC-32 of everything behind the header. */
  readonly dataCrc: number;
  /** With the ids of the writers that they refer to by number; 0 is the member's own. */
  readonly entries: EntryTable;
}

/** What lies at a place of a file. */
export type HeaderReading =
  | { readonly kind: 'member'; readonly header: MemberHeader }
  /** More bytes are needed to tell: at least this many. */
  | { readonly kind: 'incomplete'; readonly bytes: number }
  /** A gzip member without our field. */
  | { readonly kind: 'plain' }
  /** One of a later version of the format. */
  | { readonly kind: 'newer'; readonly version: number; readonly memberLength: number }
  | { readonly kind: 'damaged'; readonly reason: string };

/** Reads the header that starts at `start`, its entries into `room` where one is given. Never throws, whatever the bytes. */
export function readHeader(bytes: Buffer, start = 0, room?: TableRoom): HeaderReading {
  const available = bytes.length - start;
  if (available < 1) return { kind: 'incomplete', bytes: gzipPrefixBytes };
  if (bytes[start] !== 0x1f || (available > 1 && bytes[start + 1] !== 0x8b)) return damaged('no gzip member');
  if (available < gzipPrefixBytes) return { kind: 'incomplete', bytes: gzipPrefixBytes };
  if (bytes[start + 2] !== 8) return damaged('an unknown compression method');
  const flags = bytes[start + 3]!;
  if ((flags & 0xe0) !== 0) return damaged('reserved gzip flags');
  if ((flags & flagExtra) === 0) return { kind: 'plain' };
  const extraEnd = start + gzipPrefixBytes + bytes.readUInt16LE(start + 10);
  if (extraEnd > bytes.length) return { kind: 'incomplete', bytes: extraEnd - start };
  const field = findField(bytes, start + gzipPrefixBytes, extraEnd);
  if (field < 0) return { kind: 'plain' };
  return readField(bytes, start, { field, flags, extraEnd, room });
}

/**
 * Where the first header starts, or -1; what is found may still be the header of a member that is cut off.
 * At most `candidates` places that look like one are tried.
 */
export function findHeader(bytes: Buffer, candidates: number): { at: number; candidatesLeft: number } {
  let left = candidates;
  for (let at = bytes.indexOf(gzipMagic); at >= 0 && left > 0; at = bytes.indexOf(gzipMagic, at + 1)) {
    const reading = readHeader(bytes, at);
    if (reading.kind === 'member' || reading.kind === 'newer') return { at, candidatesLeft: left };
    if (((bytes[at + 3] ?? 0) & flagExtra) !== 0) left -= 1;
  }
  return { at: -1, candidatesLeft: left };
}

/** Bytes of a file's head that hold its id. */
export const headWithId = gzipPrefixBytes + subfieldHeadBytes + 24;

/** The id that a file of ours begins with, which was written without a fault: nothing is checked. */
export function fileIdOf(head: Buffer): string {
  return head.toString('hex', headWithId - 16, headWithId);
}

/** Entry number `index` of a header. */
export function headerEntry(header: MemberHeader, index: number): HeaderEntry {
  const { entries } = header;
  const expiry = entries.expiry(index);
  return {
    key: entries.key(index),
    stampTime: entries.stampTime(index),
    expiresAt: expiry === Number.POSITIVE_INFINITY ? null : expiry,
    offset: entries.offset(index),
    stampWriter: writerOf(header, entries.writerNumber(index)),
    kind: entries.kind(index),
  };
}

/** All entries of a header. */
export function* headerEntries(header: MemberHeader): IterableIterator<HeaderEntry> {
  for (let index = 0; index < header.entries.count; index += 1) yield headerEntry(header, index);
}

/** The id behind an entry's writer number. */
export function writerOf(header: MemberHeader, number: number): string {
  const { entries } = header;
  return number === 0 ? header.writer : writerOfWords(entries.words, entries.writerAt(number));
}

/** Reads hex digits that come again and again, so that the headers of a file share one text. */
class SharedHex {
  #last = '';
  #lastBytes = Buffer.alloc(0);

  read(bytes: Buffer, from: number, to: number): string {
    const last = this.#lastBytes;
    let same = 0;
    while (same < last.length && last[same] === bytes[from + same]) same += 1;
    if (same === 0 || same < last.length) {
      this.#lastBytes = Buffer.from(bytes.subarray(from, to));
      this.#last = bytes.toString('hex', from, to);
    }
    return this.#last;
  }
}

const lastFileId = new SharedHex();
const lastWriter = new SharedHex();
const lastMethodHash = new SharedHex();

function readField(
  bytes: Buffer,
  start: number,
  at: { field: number; flags: number; extraEnd: number; room: TableRoom | undefined },
): HeaderReading {
  const { field, flags, extraEnd, room } = at;
  const length = bytes.readUInt16LE(field - 2);
  if (length < fixedBytes + 4) return damaged('a header field that is too short');
  const end = field + length;
  if (crc32(bytes.subarray(field - subfieldHeadBytes, end - 4)) !== bytes.readUInt32LE(end - 4)) {
    return damaged('a header that fails its checksum');
  }
  const version = bytes[field]!;
  const memberLength = bytes.readUInt32LE(field + 4);
  if (version > formatVersion) {
    if (memberLength < extraEnd - start) return damaged('an impossible length');
    return { kind: 'newer', version, memberLength };
  }
  if (version !== formatVersion) return damaged(`an impossible version ${version}`);
  if ((flags & ~(flagExtra | flagName)) !== 0) return damaged('gzip flags that are never written');
  if (end !== extraEnd) return damaged('a header with fields that are never written');
  let headerEnd = extraEnd;
  let method: string | undefined;
  if ((flags & flagName) !== 0) {
    const zero = bytes.indexOf(0, extraEnd);
    if (zero < 0 && bytes.length - extraEnd <= maxNameBytes) {
      return { kind: 'incomplete', bytes: bytes.length - start + maxNameBytes };
    }
    if (zero < 0 || zero - extraEnd > maxNameBytes) return damaged('a name that does not end');
    method = bytes.toString('utf8', extraEnd, zero);
    headerEnd = zero + 1;
  }
  const headerLength = headerEnd - start;
  if (memberLength < headerLength + trailerBytes) return damaged('an impossible length');
  const entryCount = bytes.readUInt16LE(field + 56);
  const writerCount = bytes.readUInt16LE(field + 58);
  // Each of the others is mentioned by an entry: a header of ids alone would only fill memory.
  if (entryCount === 0 || writerCount > entryCount) return damaged('an impossible count of entries');
  if (length !== fixedBytes + writerCount * writerBytes + entryCount * entryBytes + 4) {
    return damaged('an impossible count of entries');
  }
  const counts = { writers: writerCount, entries: entryCount };
  const entries = EntryTable.copyOf(bytes, field + fixedBytes, counts, room);
  const fault = entries.fault();
  if (fault !== undefined) return damaged(fault);
  return {
    kind: 'member',
    header: {
      fileId: lastFileId.read(bytes, field + 8, field + 24),
      writer: lastWriter.read(bytes, field + 24, field + 32),
      methodHash: lastMethodHash.read(bytes, field + 32, field + 48),
      memberNumber: bytes.readUInt32LE(field + 48),
      batchIndex: bytes.readUInt16LE(field + 2),
      dataCrc: bytes.readUInt32LE(field + 52),
      method,
      memberLength,
      headerLength,
      entries,
    },
  };
}

/** Where what our subfield holds begins in an extra field, or -1. */
function findField(bytes: Buffer, from: number, end: number): number {
  for (let at = from; at + subfieldHeadBytes <= end; ) {
    const length = bytes.readUInt16LE(at + 2);
    const field = at + subfieldHeadBytes;
    if (field + length > end) return -1;
    if (bytes[at] === 0x54 && bytes[at + 1] === 0x53) return field;
    at = field + length;
  }
  return -1;
}

function damaged(reason: string): HeaderReading {
  return { kind: 'damaged', reason };
}

/** Fails unless the bytes behind a header are those that were written there. */
export function assertWhole(header: MemberHeader, member: Buffer): void {
  if (member.length !== header.memberLength) throw new PartitionDamagedError('a member cut short');
  if (crc32(member.subarray(header.headerLength)) !== header.dataCrc) {
    throw new PartitionDamagedError('a member that fails its checksum');
  }
}
