/**
 * What a flight file says: who loads a key, in one line of JSON; then signs of life, which are empty lines; and once the
 * load is over what it came to, announced in another line, as the entry's body that a partition would hold. It is only
 * ever appended to, by who has made it: what is appended to a file that was taken away is in nobody's way.
 */

import { crc32 } from 'node:zlib';
import type { Stamp } from '../../stamp.js';
import type { TierRecord } from '../../tier.js';
import { type FileStatus, type FileSystem, type OpenFile, readFully } from '../file-system.js';
import { BodyScanner } from '../format/body-scanner.js';
import { encodeValueBody, readEntryBody } from '../format/entry-body.js';
import { type HolderNote, toNote } from '../lock/holder-note.js';

/** The largest result that is handed over in a flight file, in bytes; larger ones are had from their partition. */
export const maxHandOverBytes = 1024 * 1024;

/** A sign of life. */
export const signOfLife = Buffer.from('\n');

/** With room for metadata, and a sign of life every second for days. */
const maxFileBytes = maxHandOverBytes + 1024 * 1024;
const maxNoteBytes = 4_096;

/** A flight file as it was read. */
export interface FlightFile {
  readonly status: FileStatus;
  /** Who made it; `undefined` while that is being written, or where it can't be read. */
  readonly note: HolderNote | undefined;
  /** What the load came to. */
  readonly record: TierRecord | undefined;
}

/** A result as its line announces it. */
interface Announced {
  readonly bytes: number;
  readonly crc: number;
  readonly stamp: Stamp;
}

/** What a flight file begins with. */
export function encodeNote(note: HolderNote): Buffer {
  return Buffer.from(`${JSON.stringify(note)}\n`);
}

/** What is appended to hand a record over. */
export function encodeHandOver(record: TierRecord): Buffer {
  const body = encodeValueBody(record, record.method);
  const result: Announced = { bytes: body.length, crc: crc32(body), stamp: record.stamp };
  return Buffer.concat([Buffer.from(`${JSON.stringify(result)}\n`), body]);
}

/** Reads the flight file of a key; rejects as opening and reading do. */
export async function readFlightFile(files: FileSystem, path: string, key: string): Promise<FlightFile> {
  const file = await files.openToRead(path);
  try {
    return await readOpen(file, key);
  } finally {
    await file.close();
  }
}

async function readOpen(file: OpenFile, key: string): Promise<FlightFile> {
  const status = await file.status();
  const nothing = { status, note: undefined, record: undefined };
  if (status.size > maxFileBytes) return nothing;
  const bytes = await readFully(file, status.size, 0);
  const first = readLine(bytes, 0);
  const note = first && toNote(first.value);
  if (first === undefined || note === undefined) return nothing;
  let at = first.end;
  while (bytes[at] === signOfLife[0]) at += 1;
  const second = readLine(bytes, at);
  const announced = second && toAnnounced(second.value);
  const record = announced && toRecord(bytes.subarray(second.end), key, announced);
  return { status, note, record };
}

/** The JSON of the line that begins at `start`, and where the next one does; `undefined`: it is not whole, or no JSON. */
function readLine(
  bytes: Buffer,
  start: number,
): { readonly value: unknown; readonly end: number } | undefined {
  const end = bytes.subarray(start, start + maxNoteBytes).indexOf('\n');
  if (end < 0) return undefined;
  try {
    return { value: JSON.parse(bytes.toString('utf8', start, start + end)), end: start + end + 1 };
  } catch {
    // Somebody else's file: what it says nobody can tell.
    return undefined;
  }
}

/** Whether a file still begins with the note of this token. */
export async function hasToken(file: OpenFile, token: string): Promise<boolean> {
  const head = (await file.read(maxNoteBytes, 0)).toString('utf8');
  return head.slice(0, head.indexOf('\n')).includes(`"token":${JSON.stringify(token)}`);
}

function toAnnounced(value: unknown): Announced | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { bytes, crc, stamp } = value as Partial<Record<keyof Announced, unknown>>;
  if (typeof bytes !== 'number' || typeof crc !== 'number' || typeof stamp !== 'object') return undefined;
  const { time, writer } = (stamp ?? {}) as Partial<Record<keyof Stamp, unknown>>;
  if (!Number.isSafeInteger(time) || typeof writer !== 'string' || !/^[0-9a-f]{16}$/.test(writer))
    return undefined;
  return { bytes, crc, stamp: { time: time as number, writer } };
}

/** What is not as it was announced is nothing: it is being written, or the load is made again. */
function toRecord(
  bytes: Buffer,
  key: string,
  { bytes: length, crc, stamp }: Announced,
): TierRecord | undefined {
  const body = bytes.subarray(0, length);
  if (body.length !== length || crc32(body) !== crc) return undefined;
  try {
    const entry = readEntryBody(new BodyScanner(body));
    if (entry.kind !== 'value' || entry.method === undefined) return undefined;
    const { kind: _, method, ...value } = entry;
    return { ...value, key, method, stamp };
  } catch {
    // As above.
    return undefined;
  }
}
