/** Bodies of members: deflated off the event loop, inflated within bounds, and read with doubt. */

import { promisify } from 'node:util';
import {
  constants,
  crc32,
  deflateRaw,
  deflateRawSync,
  gunzip,
  inflateRaw,
  inflateRawSync,
  type ZlibOptions,
} from 'node:zlib';
import type { Stamp } from '../../stamp.js';
import type { TierRecord } from '../../tier.js';
import { MsgpackWriter } from '../../value/msgpack/writer.js';
import { PartitionDamagedError, TooLargeError } from '../disk-errors.js';
import { hasCode } from '../file-system.js';

import { BodyScanner } from './body-scanner.js';
import {
  type EntryBody,
  encodeRangeTombstoneBody,
  encodeValueBody,
  readEntryBody,
  wholeTime,
} from './entry-body.js';
import { isNameable } from './member-frame.js';
import { entryBytes, entryKind, type HeaderEntry, type MemberContent } from './member-header.js';
import { addressOf, type TombstoneScope } from './tombstone.js';

/** One entry on its way into a member. */
export interface EncodedEntry {
  readonly key: string;
  readonly kind: number;
  readonly stamp: Stamp;
  readonly expiresAt: number | null;
  /** Key and value as they stand in the body's map. */
  readonly keyBytes: Uint8Array;
  readonly valueBytes: Uint8Array;
}

/** Entries that share a new member take no more together: whoever wants one of them inflates them all. */
export const newMemberBytes = 8 * 1024;
/** Two of some KB each share one of up to this, as compressing each alone would take a tenth more room. */
export const pairMemberBytes = 16 * 1024;
/** They did once, up to this, and such a member is read whatever `maxMemberBytes` says. */
export const sharedMemberBytes = 64 * 1024;

const poolThreads = 4;
const nil = Uint8Array.of(0xc0);
const keyHead = 'd920';
const keyLength = 34;
/** Bodies up to this are deflated with little room, of which each takes its own. */
const smallWindow = 16 * 1024;
const smallMemLevel = 6;
/** DEFLATE can't do better, so a member that claims more lies. */
const bestRatio = 1_032;
const writer = new MsgpackWriter();
const deflating = promisify<Uint8Array, ZlibOptions, Buffer>(deflateRaw);

/** An entry with a value. */
export function encodeValue(record: TierRecord): EncodedEntry {
  return {
    key: record.key,
    kind: entryKind.value,
    stamp: record.stamp,
    expiresAt: wholeTime(record.metadata.expiresAt),
    keyBytes: entryKeyBytes(record.key),
    valueBytes: encodeValueBody(record, isNameable(record.method) ? undefined : record.method),
  };
}

/** The deletion of a key. */
export function encodeTombstone(key: string, stamp: Stamp): EncodedEntry {
  const keyBytes = entryKeyBytes(key);
  return { key, kind: entryKind.tombstone, stamp, expiresAt: null, keyBytes, valueBytes: nil };
}

/** A marker: it deletes what it covers, without naming it. */
export function encodeRangeTombstone(scope: TombstoneScope, stamp: Stamp): EncodedEntry {
  switch (scope.kind) {
    case 'method':
      return rangeTombstoneEntry(addressOf(scope), 'clear', scope.method, stamp);
    case 'all':
      return rangeTombstoneEntry(addressOf(scope), 'clear-all', null, stamp);
    case 'tag':
      return rangeTombstoneEntry(addressOf(scope), 'tag', scope.tag, stamp);
  }
}

/** A marker of which only the header is left: it still covers what it covered. */
export function encodeBareRangeTombstone(kind: number, key: string, stamp: Stamp): EncodedEntry {
  return rangeTombstoneEntry({ kind, key }, `buried-${kind}`, key, stamp);
}

/** Bytes an entry takes in a member, header and body together. */
export function encodedSize(entry: EncodedEntry): number {
  return entryBytes + entry.keyBytes.length + entry.valueBytes.length;
}

/** Puts entries into one body and deflates it in the thread pool. */
export async function deflateMember(
  methodHash: string,
  encoded: readonly EncodedEntry[],
  level: number,
): Promise<MemberContent> {
  const { body, entries } = bodyOf(encoded);
  const deflated = await deflating(body, deflateOptions(body, level));
  return { methodHash, entries, deflated, bodyCrc: crc32(body), bodyLength: body.length };
}

/** The same for several, as many at a time as the thread pool has threads: those that wait only take room. */
export async function deflateMembers(
  methodHash: string,
  groups: readonly (readonly EncodedEntry[])[],
  level: number,
): Promise<MemberContent[]> {
  const contents: MemberContent[] = [];
  const numbered = groups.entries();
  const work = async () => {
    for (const [number, group] of numbered) contents[number] = await deflateMember(methodHash, group, level);
  };
  await Promise.all(Array.from({ length: poolThreads }, work));
  return contents;
}

/** The same at once, blocking. */
export function deflateMemberSync(
  methodHash: string,
  encoded: readonly EncodedEntry[],
  level: number,
): MemberContent {
  const { body, entries } = bodyOf(encoded);
  const deflated = deflateRawSync(body, deflateOptions(body, level));
  return { methodHash, entries, deflated, bodyCrc: crc32(body), bodyLength: body.length };
}

function bodyOf(encoded: readonly EncodedEntry[]): { body: Buffer; entries: HeaderEntry[] } {
  writer.map(encoded.length);
  const head = writer.take();
  const entries: HeaderEntry[] = [];
  const parts: Uint8Array[] = [head];
  let length = head.length;
  for (const { key, kind, stamp, expiresAt, keyBytes, valueBytes } of encoded) {
    const offset = length + keyBytes.length;
    entries.push({ key, kind, expiresAt, offset, stampTime: stamp.time, stampWriter: stamp.writer });
    parts.push(keyBytes, valueBytes);
    length = offset + valueBytes.length;
  }
  return { body: Buffer.concat(parts, length), entries };
}

function deflateOptions(body: Buffer, level: number): ZlibOptions {
  // In one piece: every further one costs the event loop a turn.
  const chunkSize = Math.max(constants.Z_MIN_CHUNK, body.length + 1_024);
  if (body.length > smallWindow) return { level, chunkSize };
  // Making room for the largest window, and giving it back, would take longer than deflating what needs none.
  const windowBits = Math.max(constants.Z_MIN_WINDOWBITS + 1, Math.ceil(Math.log2(body.length)));
  return { level, chunkSize, windowBits, memLevel: smallMemLevel };
}

/** The length that a whole member says its body has. */
export function claimedBodyLength(member: Buffer): number {
  return member.readUInt32LE(member.length - 4);
}

interface InflateLimits {
  readonly headerLength: number;
  readonly maxBytes: number;
}

/** What is this small is inflated at once: handing it to the thread pool and waiting for it takes longer. */
export const atOnceBytes = 16 * 1024;

/**
 * Inflates a whole member, never beyond `maxBytes`, and checks it against its trailer.
 * @throws TooLargeError, PartitionDamagedError
 */
export async function inflateMember(member: Buffer, limits: InflateLimits): Promise<Buffer> {
  const length = claimedBodyLength(member);
  if (length <= atOnceBytes) return inflateMemberSync(member, limits);
  const deflated = deflatedOf(member, limits);
  return checkedBody(member, deflated, await inflate(deflated, length));
}

/** The same at once, blocking. */
export function inflateMemberSync(member: Buffer, limits: InflateLimits): Buffer {
  const deflated = deflatedOf(member, limits);
  let inflated: Inflated;
  try {
    inflated = inflateRawSync(deflated, inflateOptions(claimedBodyLength(member))) as unknown as Inflated;
  } catch (error) {
    throw unreadableBody(error as Error);
  }
  return checkedBody(member, deflated, inflated);
}

/** What there is to inflate, if it may be. */
function deflatedOf(member: Buffer, { headerLength, maxBytes }: InflateLimits): Buffer {
  const deflated = member.subarray(headerLength, member.length - 8);
  const length = claimedBodyLength(member);
  if (length > deflated.length * bestRatio) throw new PartitionDamagedError('a member of impossible length');
  if (length > Math.max(maxBytes, sharedMemberBytes))
    throw new TooLargeError({ bytes: length, limit: maxBytes });
  return deflated;
}

function checkedBody(member: Buffer, deflated: Buffer, { buffer: body, engine }: Inflated): Buffer {
  if (engine.bytesWritten !== deflated.length || body.length !== claimedBodyLength(member)) {
    throw new PartitionDamagedError('a member whose length is wrong');
  }
  if (crc32(body) !== member.readUInt32LE(member.length - 8)) {
    throw new PartitionDamagedError('a body that fails its checksum');
  }
  return body;
}

/**
 * Inflates a file of gzip members that carry no field of ours, never beyond `maxBytes`.
 * @throws TooLargeError, PartitionDamagedError
 */
export function inflatePlain(bytes: Buffer, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const claimed = bytes.length < 18 ? 0 : bytes.readUInt32LE(bytes.length - 4);
    // In one piece if it tells its length rightly: put together from several, a body would take its room twice.
    const chunkSize = Math.max(64 * 1024, claimed <= maxBytes ? claimed + 64 : 0);
    gunzip(bytes, { maxOutputLength: maxBytes, chunkSize }, (error, body) => {
      if (error === null) resolve(body);
      else if (hasCode(error, 'ERR_BUFFER_TOO_LARGE'))
        reject(new TooLargeError({ bytes: Math.max(claimed, maxBytes + 1), limit: maxBytes }));
      else reject(new PartitionDamagedError(`no readable gzip: ${error.message}`, {}, { cause: error }));
    });
  });
}

/** The entry that a header says starts at `offset`; it has to be the one of `key`. */
export function readEntryAt(body: Buffer, offset: number, key: string): EntryBody {
  const keyStart = offset - keyLength;
  const isKey =
    keyStart >= 0 &&
    body[keyStart] === 0xd9 &&
    body[keyStart + 1] === 0x20 &&
    body.toString('latin1', keyStart + 2, offset) === key;
  if (!isKey) throw new PartitionDamagedError('a header that does not match its body');
  return readEntryBody(new BodyScanner(body, offset));
}

/** An entry of a plain body, and where it starts. */
interface PlainEntry {
  readonly key: string;
  readonly offset: number;
  readonly entry: EntryBody;
}

/** The entries of a plain body. A body is one map after another. */
export function* plainEntries(body: Buffer): IterableIterator<PlainEntry> {
  for (const step of plainSteps(new BodyScanner(body))) if (step !== undefined) yield step;
}

/** The same in small steps, with nothing where something else is passed over: of that there may be millions. */
export function* plainSteps(scanner: BodyScanner): IterableIterator<PlainEntry | undefined> {
  while (!scanner.atEnd) {
    yield undefined;
    for (let pairs = scanner.mapLength(); pairs > 0; pairs -= 1) {
      scanner.startEntry();
      const key = scanner.stringOrSkip();
      const offset = scanner.position;
      if (key !== undefined && isEntryKey(key)) {
        yield { key, offset, entry: readEntryBody(scanner) };
      } else {
        scanner.skip();
        yield undefined;
      }
    }
  }
}

/** Whether a string is the key of an entry: 32 hex digits. */
export function isEntryKey(key: string): boolean {
  return /^[0-9a-f]{32}$/.test(key);
}

/** What inflating with `info` returns; the bytes written into the engine are those it has consumed. */
interface Inflated {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}

function inflateOptions(length: number): ZlibOptions {
  return {
    info: true,
    maxOutputLength: Math.max(length, 1),
    // In one piece: put together from several, a body would take its room twice.
    chunkSize: Math.max(constants.Z_MIN_CHUNK, length + 64),
  };
}

function inflate(deflated: Buffer, length: number): Promise<Inflated> {
  return new Promise((resolve, reject) => {
    inflateRaw(deflated, inflateOptions(length), (error, result) => {
      if (error === null) resolve(result as unknown as Inflated);
      else reject(unreadableBody(error));
    });
  });
}

function unreadableBody(error: Error): PartitionDamagedError {
  return new PartitionDamagedError(`no readable body: ${error.message}`, {}, { cause: error });
}

function rangeTombstoneEntry(
  { kind, key }: { readonly kind: number; readonly key: string },
  name: string,
  subject: string | null,
  stamp: Stamp,
): EncodedEntry {
  const text = subject === null || name === 'clear' ? name : `${name}:${subject}`;
  writer.string(text);
  const keyBytes = writer.take();
  return { key, kind, stamp, expiresAt: null, keyBytes, valueBytes: encodeRangeTombstoneBody(name, subject) };
}

function entryKeyBytes(key: string): Uint8Array {
  const bytes = Buffer.allocUnsafe(keyLength);
  bytes.write(keyHead, 0, 'hex');
  bytes.write(key, 2, 'latin1');
  return bytes;
}
