/** Writes members: new ones, and those of other files as they stand. */

import { crc32 } from 'node:zlib';
import { entryBytes, writerBytes } from './header-entries.js';
import {
  fixedBytes,
  flagExtra,
  flagName,
  formatVersion,
  gzipPrefixBytes,
  type HeaderEntry,
  type MemberContent,
  type MemberHeader,
  type MemberIdentity,
  maxNameBytes,
  subfieldHeadBytes,
  trailerBytes,
} from './member-header.js';

/** The longest name that new files get: Go's gzip reader refuses a file whose name takes 512 bytes or more. */
const maxNewNameBytes = 511;
/** What 16 bits tell. */
const maxExtraBytes = 65_535;
/** Where the ids of writers begin, and then the entries. */
const listsStart = gzipPrefixBytes + subfieldHeadBytes + fixedBytes;

/** The bytes of a whole member. `method` is given for the first member of a file. */
export function frameMember(
  content: MemberContent,
  identity: MemberIdentity & { readonly method?: string; readonly writtenAt: number },
): Buffer {
  const { entries, deflated, methodHash } = content;
  const writers = numberWriters(entries, identity.writer);
  const counts = { entries: entries.length, writers: writers.size - 1 };
  const frame = startFrame(identity, { ...counts, methodHash, dataBytes: deflated.length + trailerBytes });
  const { bytes, dataStart } = frame;
  let at = listsStart;
  for (const [writer, number] of writers) if (number > 0) at += bytes.write(writer, at, 'hex');
  for (const entry of entries) {
    writeEntry(bytes, at, entry, writers.get(entry.stampWriter)!);
    at += entryBytes;
  }
  bytes.set(deflated, dataStart);
  bytes.writeUInt32LE(content.bodyCrc, bytes.length - 8);
  bytes.writeUInt32LE(content.bodyLength >>> 0, bytes.length - 4);
  return sealed(frame, at);
}

/**
 * A member of another file as one of this: nothing in it becomes an object, as a merge copies entries by the million.
 * `undefined` where it has no room for the id of its writer, or would name the new one twice.
 */
export function copyMember(
  member: Buffer,
  header: MemberHeader,
  identity: MemberIdentity & { readonly method?: string; readonly writtenAt: number },
): Buffer | undefined {
  const { entries, methodHash, headerLength, writer } = header;
  const { count } = entries;
  const isOthers = writer !== identity.writer;
  const added = isOthers && mentionsOwnWriter(header) ? 1 : 0;
  const writers = entries.writers + added;
  const fits =
    subfieldHeadBytes + fixedBytes + writers * writerBytes + count * entryBytes + 4 <= maxExtraBytes;
  const listsEnd = gzipPrefixBytes + member.readUInt16LE(10) - 4;
  const from = listsEnd - count * entryBytes - entries.writers * writerBytes;
  const ids = member.subarray(from, listsEnd - count * entryBytes);
  if (!fits || (isOthers && hasId(ids, identity.writer))) return undefined;
  const dataBytes = member.length - headerLength;
  const frame = startFrame(identity, { entries: count, writers, methodHash, dataBytes });
  const { bytes, dataStart } = frame;
  bytes.set(ids, listsStart);
  if (added > 0) bytes.write(writer, listsStart + ids.length, 'hex');
  const entriesStart = listsStart + writers * writerBytes;
  const end = entriesStart + member.copy(bytes, entriesStart, listsEnd - count * entryBytes, listsEnd);
  for (let at = entriesStart + 36; added > 0 && at < end; at += entryBytes)
    if (bytes.readUInt16LE(at) === 0) bytes.writeUInt16LE(writers, at);
  member.copy(bytes, dataStart, headerLength);
  return sealed(frame, end);
}

function mentionsOwnWriter({ entries }: MemberHeader): boolean {
  for (let entry = 0; entry < entries.count; entry += 1) if (entries.writerNumber(entry) === 0) return true;
  return false;
}

function hasId(ids: Buffer, id: string): boolean {
  const bytes = Buffer.from(id, 'hex');
  for (let at = ids.indexOf(bytes); at >= 0; at = ids.indexOf(bytes, at + 1))
    if (at % writerBytes === 0) return true;
  return false;
}

interface Frame {
  readonly bytes: Buffer;
  readonly dataStart: number;
  readonly name: Uint8Array | undefined;
}

/** A member of which all is written but lists, data and checksums. */
function startFrame(
  identity: MemberIdentity & { readonly method?: string; readonly writtenAt: number },
  content: { entries: number; writers: number; methodHash: string; dataBytes: number },
): Frame {
  const name = memberName(identity.method);
  const fieldLength = fixedBytes + content.writers * writerBytes + content.entries * entryBytes + 4;
  const dataStart = gzipPrefixBytes + subfieldHeadBytes + fieldLength + (name?.length ?? 0);
  const bytes = Buffer.allocUnsafeSlow(dataStart + content.dataBytes);
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
  bytes.writeUInt32LE(bytes.length, field + 4);
  bytes.write(identity.fileId, field + 8, 'hex');
  bytes.write(identity.writer, field + 24, 'hex');
  bytes.write(content.methodHash, field + 32, 'hex');
  bytes.writeUInt32LE(identity.memberNumber, field + 48);
  bytes.writeUInt16LE(content.entries, field + 56);
  bytes.writeUInt16LE(content.writers, field + 58);
  bytes.writeUInt32LE(0, field + 60);
  return { bytes, dataStart, name };
}

/** The member with its checksums; the lists end at `listsEnd`. */
function sealed({ bytes, dataStart, name }: Frame, listsEnd: number): Buffer {
  if (name !== undefined) bytes.set(name, listsEnd + 4);
  bytes.writeUInt32LE(crc32(bytes.subarray(dataStart)), gzipPrefixBytes + subfieldHeadBytes + 52);
  bytes.writeUInt32LE(crc32(bytes.subarray(gzipPrefixBytes, listsEnd)), listsEnd);
  return bytes;
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

/** The writers of the entries by number, in that order; 0 is the member's own. */
function numberWriters(entries: readonly HeaderEntry[], own: string): Map<string, number> {
  const numbers = new Map([[own, 0]]);
  for (const { stampWriter } of entries)
    if (!numbers.has(stampWriter)) numbers.set(stampWriter, numbers.size);
  return numbers;
}

/** The method as a gzip file name, or `undefined` where it can't be one. */
function memberName(method: string | undefined): Uint8Array | undefined {
  if (method === undefined || !fitsHeader(method, maxNameBytes)) return undefined;
  return Buffer.from(`${method}\0`, 'utf8');
}

/** Whether a new file names the method in its gzip header; otherwise the entries' metadata carries the name. */
export function isNameable(method: string): boolean {
  return fitsHeader(method, maxNewNameBytes);
}

function fitsHeader(method: string, maxBytes: number): boolean {
  return method !== '' && !method.includes('\0') && Buffer.byteLength(method, 'utf8') <= maxBytes;
}
