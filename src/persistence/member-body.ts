/** Bodies of members: deflated off the event loop, inflated within bounds, and read with doubt. */

import { promisify } from 'node:util';
import { constants, crc32, deflateRaw, gunzip, inflateRaw, type ZlibOptions } from 'node:zlib';
import type { Stamp } from '../stamp.js';
import type { TierRecord } from '../tier.js';
import { PartitionDamagedError } from './damage.js';
import { type EntryBody, encodeMarkerBody, encodeValueBody, readEntryBody, wholeTime } from './entry-body.js';
import { noKey } from './marker-table.js';
import { MsgpackReader } from './msgpack-bytes.js';
import {
  entryBytes,
  entryKind,
  type HeaderEntry,
  isNameable,
  type MemberContent,
} from './partition-codec.js';
import { hashMethod } from './partition-path.js';

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

const nil = Uint8Array.of(0xc0);
const keyHead = 'd920';
const keyLength = 34;
/** DEFLATE can't do better, so a member that claims more lies. */
const bestRatio = 1_032;
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
export function encodeDeletion(key: string, stamp: Stamp): EncodedEntry {
  const keyBytes = entryKeyBytes(key);
  return { key, kind: entryKind.deletion, stamp, expiresAt: null, keyBytes, valueBytes: nil };
}

/** What a marker covers: one method, everything, or what carries a tag. */
export type MarkerScope =
  | { readonly kind: 'method'; readonly method: string }
  | { readonly kind: 'all' }
  | { readonly kind: 'tag'; readonly tag: string };

/** A marker: it deletes what it covers, without naming it. */
export function encodeMarker(scope: MarkerScope, stamp: Stamp): EncodedEntry {
  switch (scope.kind) {
    case 'method':
      return markerEntry(markerAddress(scope), 'clear', scope.method, stamp);
    case 'all':
      return markerEntry(markerAddress(scope), 'clear-all', null, stamp);
    case 'tag':
      return markerEntry(markerAddress(scope), 'tag', scope.tag, stamp);
  }
}

/** A marker as headers tell it: its kind, and the key of what it covers. */
export function markerAddress(scope: MarkerScope): { readonly kind: number; readonly key: string } {
  switch (scope.kind) {
    case 'method':
      return { kind: entryKind.clearMethod, key: hashMethod(scope.method) };
    case 'all':
      return { kind: entryKind.clearAll, key: noKey };
    case 'tag':
      return { kind: entryKind.invalidateTag, key: hashTag(scope.tag) };
  }
}

/** A marker of which only the header is left: it still covers what it covered. */
export function encodeBuriedMarker(kind: number, key: string, stamp: Stamp): EncodedEntry {
  return markerEntry({ kind, key }, `buried-${kind}`, key, stamp);
}

/** The name of a tag as headers carry it. */
export function hashTag(tag: string): string {
  return hashMethod(`tag:${tag}`);
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
  const head = mapHead(encoded.length);
  const entries: HeaderEntry[] = [];
  const parts: Uint8Array[] = [head];
  let length = head.length;
  for (const { key, kind, stamp, expiresAt, keyBytes, valueBytes } of encoded) {
    const offset = length + keyBytes.length;
    entries.push({ key, kind, expiresAt, offset, stampTime: stamp.time, stampWriter: stamp.writer });
    parts.push(keyBytes, valueBytes);
    length = offset + valueBytes.length;
  }
  const body = Buffer.concat(parts, length);
  // In one piece: every further one costs the event loop a turn.
  const deflated = await deflating(body, {
    level,
    chunkSize: Math.max(constants.Z_MIN_CHUNK, length + 1_024),
  });
  return { methodHash, entries, deflated, bodyCrc: crc32(body), bodyLength: length };
}

/** The length that a whole member says its body has. */
export function claimedBodyLength(member: Buffer): number {
  return member.readUInt32LE(member.length - 4);
}

/** Inflates a whole member, never beyond `maxBytes`, and checks it against its trailer. */
export async function inflateMember(
  member: Buffer,
  options: { readonly headerLength: number; readonly maxBytes: number },
): Promise<Buffer> {
  const { headerLength, maxBytes } = options;
  const deflated = member.subarray(headerLength, member.length - 8);
  const length = claimedBodyLength(member);
  if (length > maxBytes) throw new PartitionDamagedError(`a member of ${length} bytes, over ${maxBytes}`);
  if (length > deflated.length * bestRatio) throw new PartitionDamagedError('a member of impossible length');
  const { body, consumed } = await inflate(deflated, length);
  if (consumed !== deflated.length || body.length !== length) {
    throw new PartitionDamagedError('a member whose length is wrong');
  }
  if (crc32(body) !== member.readUInt32LE(member.length - 8)) {
    throw new PartitionDamagedError('a body that fails its checksum');
  }
  return body;
}

/** Inflates a file of gzip members that carry no field of ours. */
export function inflatePlain(bytes: Buffer, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const claimed = bytes.length < 18 ? 0 : bytes.readUInt32LE(bytes.length - 4);
    // In one piece if it tells its length rightly: put together from several, a body would take its room twice.
    const chunkSize = Math.max(64 * 1024, claimed <= maxBytes ? claimed + 64 : 0);
    gunzip(bytes, { maxOutputLength: maxBytes, chunkSize }, (error, body) => {
      if (error === null) resolve(body);
      else reject(new PartitionDamagedError(`no readable gzip: ${error.message}`, {}, { cause: error }));
    });
  });
}

/** The entry that a header says starts at `offset`; it has to be the one of `key`. */
export function readEntryAt(body: Buffer, offset: number, key: string): EntryBody {
  const keyStart = offset - keyLength;
  const isKey =
    keyStart >= 0 &&
    body.toString('hex', keyStart, keyStart + 2) === keyHead &&
    body.toString('latin1', keyStart + 2, offset) === key;
  if (!isKey) throw new PartitionDamagedError('a header that does not match its body');
  return readEntryBody(new MsgpackReader(body, offset));
}

/** An entry of a plain body, and where it starts. */
interface PlainEntry {
  readonly key: string;
  readonly offset: number;
  readonly entry: EntryBody;
}

/** The entries of a plain body. A body is one map after another. */
export function* plainEntries(body: Buffer): IterableIterator<PlainEntry> {
  for (const step of plainSteps(new MsgpackReader(body))) if (step !== undefined) yield step;
}

/** The same in small steps, with nothing where something else is passed over: of that there may be millions. */
export function* plainSteps(reader: MsgpackReader): IterableIterator<PlainEntry | undefined> {
  while (!reader.atEnd) {
    yield undefined;
    for (let pairs = reader.mapLength(); pairs > 0; pairs -= 1) {
      reader.startEntry();
      const key = reader.stringOrSkip();
      const offset = reader.position;
      if (key !== undefined && isEntryKey(key)) {
        yield { key, offset, entry: readEntryBody(reader) };
      } else {
        reader.skip();
        yield undefined;
      }
    }
  }
}

/** Whether a string is the key of an entry: 32 hex digits. */
export function isEntryKey(key: string): boolean {
  return /^[0-9a-f]{32}$/.test(key);
}

function inflate(deflated: Buffer, length: number): Promise<{ body: Buffer; consumed: number }> {
  return new Promise((resolve, reject) => {
    const options = {
      info: true,
      maxOutputLength: Math.max(length, 1),
      // In one piece: put together from several, a body would take its room twice.
      chunkSize: Math.max(constants.Z_MIN_CHUNK, length + 64),
    };
    inflateRaw(deflated, options, (error, result) => {
      if (error !== null) {
        reject(new PartitionDamagedError(`no readable body: ${error.message}`, {}, { cause: error }));
        return;
      }
      const { buffer, engine } = result as unknown as { buffer: Buffer; engine: { bytesWritten: number } };
      resolve({ body: buffer, consumed: engine.bytesWritten });
    });
  });
}

function markerEntry(
  { kind, key }: { readonly kind: number; readonly key: string },
  name: string,
  subject: string | null,
  stamp: Stamp,
): EncodedEntry {
  const text = subject === null || name === 'clear' ? name : `${name}:${subject}`;
  const keyBytes = Buffer.concat([stringHead(Buffer.byteLength(text)), Buffer.from(text)]);
  return { key, kind, stamp, expiresAt: null, keyBytes, valueBytes: encodeMarkerBody(name, subject) };
}

function entryKeyBytes(key: string): Uint8Array {
  const bytes = Buffer.allocUnsafe(keyLength);
  bytes.write(keyHead, 0, 'hex');
  bytes.write(key, 2, 'latin1');
  return bytes;
}

function stringHead(size: number): Buffer {
  const head = Buffer.alloc(5);
  head[0] = 0xdb;
  head.writeUInt32BE(size, 1);
  return head;
}

function mapHead(count: number): Buffer {
  const head = Buffer.alloc(3);
  if (count < 16) return Buffer.of(0x80 | count);
  head[0] = 0xde;
  head.writeUInt16BE(count, 1);
  return head;
}
