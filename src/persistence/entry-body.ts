/** What a member's body says of one entry: `{result, metadata}`, nil for a deletion, or a marker. */

import type { TierMetadata, TierRecord } from '../tier.js';
import { PartitionDamagedError } from './damage.js';
import { factsFrom, fieldsOf, isFactField } from './entry-facts.js';
import { type MsgpackReader, MsgpackWriter } from './msgpack-bytes.js';

/** A value as it lies in a body. Its bytes share memory with the body. */
export interface ValueBody {
  readonly kind: 'value';
  readonly encoded: Buffer;
  readonly metadata: TierMetadata;
  readonly method?: string;
  readonly tags?: readonly string[];
  readonly encodedParams?: Buffer;
}

export type EntryBody = ValueBody | { readonly kind: 'deletion' } | { readonly kind: 'marker' };

/** The moment as files carry it: an integer, not before 1970. */
export function wholeTime(epochMs: number | null): number | null {
  if (epochMs === null || !(epochMs < Number.MAX_SAFE_INTEGER)) return null;
  return Math.max(0, Math.floor(epochMs));
}

/** The body of an entry with a value. `writtenMethod` is left out where the file names the method. */
export function encodeValueBody(record: TierRecord, writtenMethod: string | undefined): Buffer {
  const { encoded, metadata, tags, encodedParams } = record;
  const optional = [writtenMethod, tags?.length ? tags : undefined, encodedParams];
  const facts = fieldsOf(metadata);
  const writer = new MsgpackWriter(encoded.length + 160);
  writer.map(2);
  writer.string('result');
  writer.raw(encoded);
  writer.string('metadata');
  writer.map(6 + facts.length + optional.filter((field) => field !== undefined).length);
  writer.string('created_at');
  writer.number(wholeTime(metadata.createdAt) ?? 0);
  writeTime(writer, 'stale_at', metadata.staleAt);
  writeTime(writer, 'expires_at', metadata.expiresAt);
  writer.string('access_count');
  writer.number(metadata.accessCount);
  writer.string('last_access');
  writer.number(wholeTime(metadata.lastAccess) ?? 0);
  writer.string('load_ms');
  writer.number(Number.isFinite(metadata.loadMs) ? metadata.loadMs : 0);
  for (const [name, value] of facts) {
    writer.string(name);
    if (typeof value === 'number') writer.number(value);
    else writer.boolean(value);
  }
  if (writtenMethod !== undefined) {
    writer.string('method');
    writer.string(writtenMethod);
  }
  if (tags !== undefined && tags.length > 0) {
    writer.string('tags');
    writer.array(tags.length);
    for (const tag of tags) writer.string(tag);
  }
  if (encodedParams !== undefined) {
    writer.string('params');
    writer.raw(encodedParams);
  }
  return writer.finish();
}

/** The body of a marker: for people and other programs; Toolstash itself reads markers from the header. */
export function encodeMarkerBody(kind: string, subject: string | null): Buffer {
  const writer = new MsgpackWriter(64);
  writer.map(2);
  writer.string('marker');
  writer.string(kind);
  writer.string('of');
  if (subject === null) writer.nil();
  else writer.string(subject);
  return writer.finish();
}

/** Reads the entry that starts at the reader's position and leaves the reader behind it. */
export function readEntryBody(reader: MsgpackReader): EntryBody {
  reader.startEntry();
  if (reader.takeNil()) return { kind: 'deletion' };
  let encoded: Buffer | undefined;
  let fields: Omit<ValueBody, 'kind' | 'encoded'> | undefined;
  let isMarker = false;
  for (let pairs = reader.fieldCount(); pairs > 0; pairs -= 1) {
    const name = reader.stringOrSkip();
    if (name === 'metadata') {
      fields = readMetadata(reader);
    } else {
      const start = reader.position;
      reader.skip();
      if (name === 'result') encoded = reader.bytes.subarray(start, reader.position);
      else if (name === 'marker') isMarker = true;
    }
  }
  if (encoded !== undefined && fields !== undefined) return { kind: 'value', encoded, ...fields };
  if (isMarker) return { kind: 'marker' };
  throw new PartitionDamagedError('an entry without result or metadata');
}

function readMetadata(reader: MsgpackReader): Omit<ValueBody, 'kind' | 'encoded'> {
  const numbers = new Map<string, number | null>();
  const facts = new Map<string, unknown>();
  let method: string | undefined;
  let tags: string[] | undefined;
  let encodedParams: Buffer | undefined;
  for (let pairs = reader.fieldCount(); pairs > 0; pairs -= 1) {
    const name = reader.stringOrSkip();
    if (name === 'method') {
      method = reader.stringOrSkip();
    } else if (name === 'tags') {
      if (!reader.takeNil()) tags = reader.strings();
    } else if (name !== undefined && numberFields.has(name)) {
      numbers.set(name, reader.numberOrNull());
    } else if (name !== undefined && isFactField(name)) {
      facts.set(name, reader.scalarOrSkip());
    } else {
      const start = reader.position;
      reader.skip();
      if (name === 'params') encodedParams = reader.bytes.subarray(start, reader.position);
    }
  }
  const createdAt = numbers.get('created_at') ?? 0;
  return {
    metadata: {
      createdAt,
      staleAt: numbers.get('stale_at') ?? null,
      expiresAt: numbers.get('expires_at') ?? null,
      accessCount: numbers.get('access_count') ?? 0,
      lastAccess: numbers.get('last_access') ?? createdAt,
      loadMs: numbers.get('load_ms') ?? 0,
      ...(facts.size > 0 && factsFrom(facts, numbers.get('expires_at') ?? null)),
    },
    ...(method === undefined ? {} : { method }),
    ...(tags === undefined ? {} : { tags }),
    ...(encodedParams === undefined ? {} : { encodedParams }),
  };
}

const numberFields = new Set([
  'created_at',
  'stale_at',
  'expires_at',
  'access_count',
  'last_access',
  'load_ms',
]);

function writeTime(writer: MsgpackWriter, name: string, epochMs: number | null): void {
  const whole = wholeTime(epochMs);
  writer.string(name);
  if (whole === null) writer.nil();
  else writer.number(whole);
}
