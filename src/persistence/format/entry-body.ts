/** What a member's body says of one entry: `{result, metadata}`, nil for a deletion, or a marker. */

import type { TierMetadata, TierRecord } from '../../tier.js';
import { MsgpackWriter } from '../../value/msgpack/writer.js';
import { PartitionDamagedError } from '../disk-errors.js';
import type { BodyScanner } from './body-scanner.js';
import { factsFrom, fieldsOf, isFactField } from './entry-facts.js';

/** A value as it lies in a body. Its bytes share memory with the body. */
export interface ValueBody {
  readonly kind: 'value';
  readonly encoded: Buffer;
  readonly metadata: TierMetadata;
  readonly method?: string;
  readonly tags?: readonly string[];
  readonly encodedParams?: Buffer;
  readonly scope?: string;
  readonly version?: string | number;
  readonly task?: string;
  readonly rollout?: string;
}

export type EntryBody = ValueBody | { readonly kind: 'tombstone' } | { readonly kind: 'rangeTombstone' };

/** The moment as files carry it: an integer, not before 1970. */
export function wholeTime(epochMs: number | null): number | null {
  if (epochMs === null || !(epochMs < Number.MAX_SAFE_INTEGER)) return null;
  return Math.max(0, Math.floor(epochMs));
}

/** Cleared before each use: an entry that failed may have left something in it. */
const writer = new MsgpackWriter();

/** What comes before the value: the head of a map of two pairs and the first key. */
const resultHead = Buffer.from('\x82\xa6result', 'latin1');

/** What comes after it. */
const metadataName = Buffer.from('\xa8metadata', 'latin1');

/** The fields that all metadata begin with, in the order in which they are written. */
const firstFields = ['created_at', 'stale_at', 'expires_at', 'access_count', 'last_access', 'load_ms'].map(
  (name) => ({ name, bytes: Buffer.from(`${String.fromCharCode(0xa0 + name.length)}${name}`, 'latin1') }),
);

/** The body of an entry with a value. `writtenMethod` is left out where the file names the method. */
export function encodeValueBody(record: TierRecord, writtenMethod: string | undefined): Buffer {
  const { encoded, metadata, tags, encodedParams, version } = record;
  const texts = textFields.flatMap((name) =>
    record[name] === undefined ? [] : [[name, record[name]] as const],
  );
  const optional = [writtenMethod, tags?.length ? tags : undefined, encodedParams, version];
  const facts = fieldsOf(metadata);
  writer.clear();
  writer.string('metadata');
  writer.map(6 + facts.length + texts.length + optional.filter((field) => field !== undefined).length);
  writer.string('created_at');
  writer.number(wholeTime(metadata.createdAt) ?? 0);
  writeTime('stale_at', metadata.staleAt);
  writeTime('expires_at', metadata.expiresAt);
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
  for (const [name, text] of texts) {
    writer.string(name);
    writer.string(text);
  }
  if (version !== undefined) {
    writer.string('version');
    if (typeof version === 'number') writer.number(version);
    else writer.string(version);
  }
  return Buffer.concat([resultHead, encoded, writer.take()]);
}

/** The body of a marker: for people and other programs; Toolstash itself reads markers from the header. */
export function encodeRangeTombstoneBody(kind: string, subject: string | null): Uint8Array {
  writer.clear();
  writer.map(2);
  writer.string('marker');
  writer.string(kind);
  writer.string('of');
  if (subject === null) writer.nil();
  else writer.string(subject);
  return writer.take();
}

/** Reads the entry that starts at the scanner's position and leaves the scanner behind it. */
export function readEntryBody(scanner: BodyScanner): EntryBody {
  let encoded: Buffer | undefined;
  let fields: Omit<ValueBody, 'kind' | 'encoded'> | undefined;
  let isMarker = false;
  let pairs = 1;
  // As Toolstash itself writes it, nothing has to be made out.
  if (scanner.takes(resultHead)) encoded = skipped(scanner);
  else if (scanner.takeNil()) return { kind: 'tombstone' };
  else pairs = scanner.fieldCount();
  for (; pairs > 0; pairs -= 1) {
    const name = scanner.takes(metadataName) ? 'metadata' : scanner.stringOrSkip();
    if (name === 'metadata') {
      fields = readMetadata(scanner);
    } else {
      const bytes = skipped(scanner);
      if (name === 'result') encoded = bytes;
      else if (name === 'marker') isMarker = true;
    }
  }
  if (encoded !== undefined && fields !== undefined) return { kind: 'value', encoded, ...fields };
  if (isMarker) return { kind: 'rangeTombstone' };
  throw new PartitionDamagedError('an entry without result or metadata');
}

/** The bytes of the value that starts here, which is passed over. */
function skipped(scanner: BodyScanner): Buffer {
  const start = scanner.position;
  scanner.skip();
  return scanner.bytes.subarray(start, scanner.position);
}

function readMetadata(scanner: BodyScanner): Omit<ValueBody, 'kind' | 'encoded'> {
  let createdAt: number | null = null;
  let staleAt: number | null = null;
  let expiresAt: number | null = null;
  let accessCount: number | null = null;
  let lastAccess: number | null = null;
  let loadMs: number | null = null;
  let facts: Map<string, unknown> | undefined;
  const others: { -readonly [Field in Optional]?: ValueBody[Field] } = {};
  let field = 0;
  for (let pairs = scanner.fieldCount(); pairs > 0; pairs -= 1) {
    const likely = firstFields[field++];
    const name = likely !== undefined && scanner.takes(likely.bytes) ? likely.name : scanner.stringOrSkip();
    switch (name) {
      case 'created_at':
        createdAt = scanner.numberOrNull();
        break;
      case 'stale_at':
        staleAt = scanner.numberOrNull();
        break;
      case 'expires_at':
        expiresAt = scanner.numberOrNull();
        break;
      case 'access_count':
        accessCount = scanner.numberOrNull();
        break;
      case 'last_access':
        lastAccess = scanner.numberOrNull();
        break;
      case 'load_ms':
        loadMs = scanner.numberOrNull();
        break;
      default:
        if (name !== undefined && isFactField(name)) {
          facts ??= new Map();
          facts.set(name, scanner.scalarOrSkip());
        } else {
          readOther(scanner, name, others);
        }
    }
  }
  const metadata = {
    createdAt: createdAt ?? 0,
    staleAt,
    expiresAt,
    accessCount: accessCount ?? 0,
    lastAccess: lastAccess ?? createdAt ?? 0,
    loadMs: loadMs ?? 0,
  };
  return {
    metadata: facts === undefined ? metadata : { ...metadata, ...factsFrom(facts, expiresAt) },
    ...others,
  };
}

/** Texts that are part of what is kept of a call. */
const textFields = ['scope', 'task', 'rollout'] as const;

type Optional = 'method' | 'tags' | 'encodedParams' | 'version' | (typeof textFields)[number];

/** Reads a field that only some entries have; what is none of them, or of another type, is passed over. */
function readOther(
  scanner: BodyScanner,
  name: string | undefined,
  into: { -readonly [Field in Optional]?: ValueBody[Field] },
): void {
  if (name === 'method' || name === 'scope' || name === 'task' || name === 'rollout') {
    const text = scanner.stringOrSkip();
    if (text === undefined) delete into[name];
    else into[name] = text;
  } else if (name === 'version') {
    const value = scanner.isAtString() ? scanner.stringOrSkip() : scanner.scalarOrSkip();
    if (value === undefined || typeof value === 'boolean') delete into.version;
    else into.version = value;
  } else if (name === 'tags') {
    if (!scanner.takeNil()) into.tags = scanner.strings();
  } else {
    const bytes = skipped(scanner);
    if (name === 'params') into.encodedParams = bytes;
  }
}

function writeTime(name: string, epochMs: number | null): void {
  const whole = wholeTime(epochMs);
  writer.string(name);
  if (whole === null) writer.nil();
  else writer.number(whole);
}
