/**
 * Values as they lie in Redis.
 *
 * ```
 *  0       1  version, 1
 *  1       1  flags; bit 0: the envelope is gzipped
 *  2      16  epoch, hex
 * 18      32  stamp: its time in microseconds as 16 digits, the writer as 16 hex digits
 * 50       8  the first hex digits of the stamp's SHA-1: scripts write stamps, and can't make the other checksum anew
 * 58       4  CRC-32, big endian, of all but bytes 18 to 62
 * 62       …  the envelope, msgpack: { result, metadata }, as partition files have it
 * ```
 *
 * Where such a value is being loaded, a token lies under its key instead: `T`, a mark that somebody waits, and who loads.
 */

import { hash } from 'node:crypto';
import { crc32, gunzipSync, gzipSync } from 'node:zlib';
import { CacheError } from '../errors.js';
import { BodyScanner } from '../persistence/format/body-scanner.js';
import { encodeValueBody, readEntryBody, type ValueBody } from '../persistence/format/entry-body.js';
import type { Stamp } from '../stamp.js';
import type { TierRecord } from '../tier.js';

const version = 1;
const gzipFlag = 1;
const stampStart = 18;
const stampEnd = 50;
const checkEnd = 58;
const bodyStart = 62;

/** The first byte of a token. */
const tokenByte = 0x54;

/** How values are written and read. */
export interface ValueFormat {
  /** Envelopes of at least so many bytes are gzipped. */
  readonly gzipBytes: number;
  /** The most bytes that an envelope may inflate to. */
  readonly maxBytes: number;
}

/** What a value that was not read tells: the miss of one, or why there is an error. */
export type Unread = 'absent' | 'token' | 'old epoch';

/** A stamp as scripts compare it: text. */
export function stampText({ time, writer }: Stamp): string {
  return `${String(time).padStart(16, '0')}${writer}`;
}

/** The arguments that a change carries: the caller's time and its writer. */
export function callerOf(stamp: Stamp): [time: string, writer: string] {
  const text = stampText(stamp);
  return [text.slice(0, 16), text.slice(16)];
}

/** The stamp that a text of 32 characters says. */
export function stampFrom(text: string): Stamp {
  const stamp = stampOrNone(text);
  if (stamp === undefined) throw damaged(`its stamp is \`${text.slice(0, 40)}\``);
  return stamp;
}

/** The same, `undefined` where it says none. */
export function stampOrNone(text: string): Stamp | undefined {
  const time = timeOf(text);
  return time === undefined ? undefined : { time, writer: text.slice(16) };
}

/** The time of a text of 16 digits and 16 hex digits. By a loop, which takes a third of what a pattern does. */
function timeOf(text: string): number | undefined {
  if (text.length !== 32) return undefined;
  let time = 0;
  for (let at = 0; at < 32; at += 1) {
    const code = text.charCodeAt(at);
    const isDigit = code >= 0x30 && code <= 0x39;
    if (!isDigit && (at < 16 || code < 0x61 || code > 0x66)) return undefined;
    if (at < 16) time = time * 10 + code - 0x30;
  }
  return time;
}

/** The two parts of a value between which its stamp and the check of that are written. */
export interface ValueParts {
  readonly head: Buffer;
  readonly tail: Buffer;
}

/** A record as Redis holds it, but for its stamp. */
export function encodeValue(record: TierRecord, epoch: string, { gzipBytes }: ValueFormat): ValueParts {
  const plain = encodeValueBody(record, record.method);
  const isGzipped = plain.length >= gzipBytes;
  const body = isGzipped ? gzipSync(plain, { level: 1 }) : plain;
  const head = Buffer.alloc(stampStart);
  head[0] = version;
  head[1] = isGzipped ? gzipFlag : 0;
  head.write(epoch, 2, 'latin1');
  const tail = Buffer.allocUnsafe(4 + body.length);
  tail.set(body, 4);
  tail.writeUInt32BE(crc32(body, crc32(head)), 0);
  return { head, tail };
}

/** A whole value. */
export function stampedValue({ head, tail }: ValueParts, stamp: Stamp): Buffer {
  const text = stampText(stamp);
  return Buffer.concat([head, Buffer.from(text + checkOf(text), 'latin1'), tail]);
}

/**
 * Reads what lies under a key; tells what it is where that is no value of this epoch.
 * @param asked without a method, it may be of any
 * @throws CacheError for a value that is damaged, or of another making
 */
export function readValue(
  bytes: Buffer | null,
  asked: { readonly key: string; readonly method: string | undefined; readonly epoch: string },
  { maxBytes }: ValueFormat,
): TierRecord | Unread {
  if (bytes === null) return 'absent';
  if (bytes[0] === tokenByte) return 'token';
  if (bytes[0] !== version) throw damaged(`its version is ${bytes[0]}, and this release reads ${version}`);
  if (bytes.length < bodyStart) throw damaged(`it has ${bytes.length} bytes`);
  if (bytes.toString('latin1', 2, stampStart) !== asked.epoch) return 'old epoch';
  const text = bytes.toString('latin1', stampStart, stampEnd);
  const stamp = stampFrom(text);
  const body = bytes.subarray(bodyStart);
  const isWhole =
    bytes.toString('latin1', stampEnd, checkEnd) === checkOf(text) &&
    bytes.readUInt32BE(checkEnd) === crc32(body, crcOfHead(bytes, asked.epoch));
  if (!isWhole) throw damaged('its checksum is another');
  const flags = bytes[1]!;
  if (flags > gzipFlag) throw damaged(`its flags are ${flags}`);
  const plain = flags === gzipFlag ? gunzipSync(body, { maxOutputLength: maxBytes }) : body;
  const entry = readEntryBody(new BodyScanner(plain));
  if (entry.kind !== 'value') throw damaged('there is no value in it');
  const { method } = entry;
  if (method === undefined || (asked.method ?? method) !== method) throw damaged('it is of another method');
  return recordOf(entry, { key: asked.key, method, stamp });
}

/** Written out: spreading objects takes longer than all the rest. */
function recordOf(
  entry: ValueBody,
  { key, method, stamp }: Pick<TierRecord, 'key' | 'method' | 'stamp'>,
): TierRecord {
  const { encoded, metadata, tags, encodedParams, scope, version, task, rollout } = entry;
  const record = { key, method, stamp, encoded, metadata };
  const hasMore = tags ?? encodedParams ?? scope ?? version ?? task ?? rollout;
  if (hasMore === undefined) return record;
  const { kind: _, ...fields } = entry;
  return { ...record, ...fields, method };
}

/** Whether it is a value that this release should be able to read. */
export function isOfThisVersion(bytes: Buffer): boolean {
  return bytes[0] === version;
}

/** The checksum of the last head: those of one epoch are equal. */
const lastHead = { epoch: '', flags: -1, crc: 0 };

function crcOfHead(bytes: Buffer, epoch: string): number {
  const flags = bytes[1]!;
  if (lastHead.epoch !== epoch || lastHead.flags !== flags)
    Object.assign(lastHead, { epoch, flags, crc: crc32(bytes.subarray(0, stampStart)) });
  return lastHead.crc;
}

function checkOf(text: string): string {
  return hash('sha1', text).slice(0, checkEnd - stampEnd);
}

function damaged(what: string): CacheError {
  return new CacheError('ERR_UNREADABLE_VALUE', `A value in Redis can't be read: ${what}`);
}
