/**
 * Members of partition files, as bytes: gzip members (RFC 1952) whose header carries what a reader needs to know
 * without inflating, as BGZF does (SAM specification, 2009). `FORMAT.md` beside this file is the specification.
 */

import { crc32 } from 'node:zlib';
import { PartitionDamagedError } from './damage.js';
import { EntryTable, entryBytes } from './entry-table.js';

export { entryBytes, entryKind, maxStampTime } from './entry-table.js';

/** The version of the format that is written, and the newest that is read. */
export const formatVersion = 1;

/** The most entries that fit into one header: an extra field holds 65,535 bytes at most. */
export const maxMemberEntries = 1_600;

const fixedBytes = 64;
const gzipPrefixBytes = 12;
const subfieldHeadBytes = 4;
const trailerBytes = 8;
const maxNameBytes = 1_024;
const gzipMagic = Buffer.of(0x1f, 0x8b, 8);

const flagExtra = 4;
const flagName = 8;

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
  /** Ids of writers that the entries refer to by number; 0 is the member's own. */
  readonly writers: readonly string[];
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

/** The bytes of a whole member. `method` is given for the first member of a file. */
export function frameMember(
  content: MemberContent,
  identity: MemberIdentity & { readonly method?: string; readonly writtenAt: number },
): Buffer {
  const name = memberName(identity.method);
  const writers = writerTable(content.entries, identity.writer);
  const fieldLength = fixedBytes + writers.length * 8 + content.entries.length * entryBytes + 4;
  const headerLength = gzipPrefixBytes + subfieldHeadBytes + fieldLength + (name?.length ?? 0);
  const memberLength = headerLength + content.deflated.length + trailerBytes;
  const bytes = Buffer.allocUnsafeSlow(memberLength);
  bytes.set([0x1f, 0x8b, 8, name === undefined ? flagExtra : flagExtra | flagName], 0);
  bytes.writeUInt32LE(Math.max(0, Math.floor(identity.writtenAt / 1000)) >>> 0, 4);
  bytes.set([0, 255], 8);
  bytes.writeUInt16LE(subfieldHeadBytes + fieldLength, 10);
  bytes.write('TS', 12, 'latin1');
  bytes.writeUInt16LE(fieldLength, 14);
  const field = gzipPrefixBytes + subfieldHeadBytes;
  bytes[field] = formatVersion;
  bytes[field + 1] = 0;
  bytes.writeUInt16LE(identity.batchIndex, field + 2);
  bytes.writeUInt32LE(memberLength, field + 4);
  bytes.write(identity.fileId, field + 8, 'hex');
  bytes.write(identity.writer, field + 24, 'hex');
  bytes.write(content.methodHash, field + 32, 'hex');
  bytes.writeUInt32LE(identity.memberNumber, field + 48);
  bytes.writeUInt16LE(content.entries.length, field + 56);
  bytes.writeUInt16LE(writers.length, field + 58);
  bytes.writeUInt32LE(0, field + 60);
  let at = field + fixedBytes;
  for (const writer of writers) at += bytes.write(writer, at, 'hex');
  for (const entry of content.entries) {
    writeEntry(bytes, at, entry, writers.indexOf(entry.stampWriter) + 1);
    at += entryBytes;
  }
  const dataStart = headerLength;
  if (name !== undefined) bytes.set(name, at + 4);
  bytes.set(content.deflated, dataStart);
  bytes.writeUInt32LE(content.bodyCrc, memberLength - 8);
  bytes.writeUInt32LE(content.bodyLength >>> 0, memberLength - 4);
  bytes.writeUInt32LE(crc32(bytes.subarray(dataStart)), field + 52);
  bytes.writeUInt32LE(crc32(bytes.subarray(gzipPrefixBytes, at)), at);
  return bytes;
}

/** Reads the header that starts at `start`. Never throws, whatever the bytes. */
export function readHeader(bytes: Buffer, start = 0): HeaderReading {
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
  if (field === undefined) return { kind: 'plain' };
  return readField(bytes, start, { ...field, flags, extraEnd });
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
  return number === 0 ? header.writer : header.writers[number - 1]!;
}

function readField(
  bytes: Buffer,
  start: number,
  at: { field: number; length: number; flags: number; extraEnd: number },
): HeaderReading {
  const { field, length, flags, extraEnd } = at;
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
  if (length !== fixedBytes + writerCount * 8 + entryCount * entryBytes + 4) {
    return damaged('an impossible count of entries');
  }
  const writersStart = field + fixedBytes;
  const entriesStart = writersStart + writerCount * 8;
  const writers: string[] = [];
  for (let writer = writersStart; writer < entriesStart; writer += 8) {
    writers.push(bytes.toString('hex', writer, writer + 8));
  }
  const entries = EntryTable.copyOf(bytes, entriesStart, end - 4);
  const fault = entries.fault(writerCount);
  if (fault !== undefined) return damaged(fault);
  return {
    kind: 'member',
    header: {
      fileId: bytes.toString('hex', field + 8, field + 24),
      writer: bytes.toString('hex', field + 24, field + 32),
      methodHash: bytes.toString('hex', field + 32, field + 48),
      memberNumber: bytes.readUInt32LE(field + 48),
      batchIndex: bytes.readUInt16LE(field + 2),
      dataCrc: bytes.readUInt32LE(field + 52),
      method,
      memberLength,
      headerLength,
      writers,
      entries,
    },
  };
}

/** The place of our field among the subfields of an extra field. */
function findField(bytes: Buffer, from: number, end: number): { field: number; length: number } | undefined {
  for (let at = from; at + subfieldHeadBytes <= end; ) {
    const length = bytes.readUInt16LE(at + 2);
    const field = at + subfieldHeadBytes;
    if (field + length > end) return undefined;
    if (bytes[at] === 0x54 && bytes[at + 1] === 0x53) return { field, length };
    at = field + length;
  }
  return undefined;
}

function writeEntry(bytes: Buffer, at: number, entry: HeaderEntry, writerNumber: number): void {
  bytes.write(entry.key, at, 'hex');
  writeWhole(bytes, at + 16, entry.stampTime);
  if (entry.expiresAt === null) bytes.fill(0xff, at + 24, at + 32);
  else writeWhole(bytes, at + 24, entry.expiresAt);
  bytes.writeUInt32LE(entry.offset, at + 32);
  bytes.writeUInt16LE(writerNumber, at + 36);
  bytes[at + 38] = entry.kind;
  bytes[at + 39] = 0;
}

function writeWhole(bytes: Buffer, at: number, value: number): void {
  bytes.writeUInt32LE(value % 2 ** 32, at);
  bytes.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
}

function writerTable(entries: readonly HeaderEntry[], own: string): string[] {
  const writers = new Set(entries.map((entry) => entry.stampWriter));
  writers.delete(own);
  return [...writers];
}

/** The method as a gzip file name, or `undefined` where it can't be one. */
function memberName(method: string | undefined): Uint8Array | undefined {
  if (method === undefined || !isNameable(method)) return undefined;
  return Buffer.from(`${method}\0`, 'utf8');
}

/** Whether a method's name fits into a gzip header; otherwise the entries' metadata carries it. */
export function isNameable(method: string): boolean {
  return method !== '' && !method.includes('\0') && Buffer.byteLength(method, 'utf8') <= maxNameBytes;
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
