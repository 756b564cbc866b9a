/** Entries as lines of JSON, and back, byte for byte: what JSON can't say exactly travels as base64 of its msgpack. */

import { parseDuration } from '../../duration.js';
import { type Duration, hashKey } from '../../index.js';
import { factFields, factsFrom, fieldsOf, slidingFields } from '../../persistence/format/entry-facts.js';
import { maxStampTime } from '../../persistence/format/member-header.js';
import { importStamp } from '../../persistence/offline/inspection.js';
import type { TierRecord } from '../../tier.js';
import { createValueCodec } from '../../value/codec.js';
import { MsgpackScanner } from '../../value/msgpack/scanner.js';
import { type Malformed, nameOfType, parseFields } from '../json-lines.js';
import { formatJson, parseJson } from '../lossless-json.js';

const codec = createValueCodec();

/** The JSON text of an encoded value, if encoding it anew gives exactly the same bytes. */
export function exactJson(encoded: Uint8Array): string | undefined {
  try {
    const text = formatJson(codec.decode(encoded));
    return Buffer.compare(codec.encode(parseJson(text)), encoded) === 0 ? text : undefined;
  } catch {
    // JSON can't say it, or it is of a class that only its owner's codec can read: the bytes say it all.
    return undefined;
  }
}

/** An entry as one line of JSON, without the line break. The names are those in the files. */
export function formatEntryLine(record: TierRecord): string {
  const { key, method, encoded, encodedParams, scope, version, task, rollout, metadata, tags, stamp } =
    record;
  const fields: [name: string, json: string][] = [
    ['key', JSON.stringify(key)],
    ['method', JSON.stringify(method)],
    ...(encodedParams === undefined ? [] : [valueField('params', encodedParams)]),
    valueField('result', encoded),
    ...(scope === undefined ? [] : [jsonField('scope', scope)]),
    ...(version === undefined ? [] : [jsonField('version', version)]),
    ...(task === undefined ? [] : [jsonField('task', task)]),
    ...(rollout === undefined ? [] : [jsonField('rollout', rollout)]),
    [
      'metadata',
      JSON.stringify({
        created_at: metadata.createdAt,
        stale_at: metadata.staleAt,
        expires_at: metadata.expiresAt,
        access_count: metadata.accessCount,
        last_access: metadata.lastAccess,
        load_ms: metadata.loadMs,
        ...Object.fromEntries(fieldsOf(metadata)),
      }),
    ],
    ...(tags === undefined ? [] : [jsonField('tags', tags)]),
    ['stamp', JSON.stringify(stamp)],
  ];
  return `{${fields.map(([name, json]) => `${JSON.stringify(name)}:${json}`).join(',')}}`;
}

/** The fields that a line may have. */
const lineFields = [
  ...['key', 'method', 'params', 'params_msgpack', 'result', 'result_msgpack'],
  ...['scope', 'version', 'task', 'rollout', 'ttl', 'metadata', 'tags', 'stamp'],
];

/** The fields that a line's `metadata` may have. */
const metadataFields = [
  ...['created_at', 'stale_at', 'expires_at', 'access_count', 'last_access', 'load_ms'],
  ...factFields,
];

/**
 * The entry of a line. `key` may be left out where `params`, `scope` and `version` say it, `metadata` and `stamp` where
 * the entry is to count as made at `now`. `ttl` (ms, or text such as `1h`) says how long after that it lives. A field that
 * is not known is refused: one that was meant to narrow down whom the entry answers, or for how long, must not be lost.
 *
 * @throws UsageError that `malformed` makes of the reason
 */
export function parseEntryLine(text: string, malformed: Malformed, now: number): TierRecord {
  const fields = parseFields(text, malformed);
  refuseUnknown([...fields.keys()], lineFields, malformed);
  const method = fields.get('method');
  if (method === undefined) throw malformed('`method` is missing');
  if (typeof method !== 'string' || method === '' || /\p{Surrogate}/u.test(method)) {
    throw malformed(`expected \`method\` to be the method's name, got ${nameOfType(method)}`);
  }
  const encoded = parseValue(fields, 'result', malformed);
  if (encoded === undefined) throw malformed('`result` is missing');
  const encodedParams = parseValue(fields, 'params', malformed);
  const metadata = withTtl(fields, parseMetadata(fields.get('metadata'), malformed, now), malformed);
  const scope = parseText(fields, 'scope', malformed);
  const task = parseText(fields, 'task', malformed);
  const rollout = parseText(fields, 'rollout', malformed);
  const version = parseVersion(fields, malformed);
  const tags = parseTags(fields.get('tags'), malformed);
  return {
    key: parseKey(fields, { method, scope, version }, malformed),
    method,
    encoded,
    metadata,
    stamp: parseStamp(fields.get('stamp'), malformed) ?? importStamp(metadata.createdAt),
    ...(tags === undefined ? {} : { tags }),
    ...(encodedParams === undefined ? {} : { encodedParams }),
    ...(scope === undefined ? {} : { scope }),
    ...(version === undefined ? {} : { version }),
    ...(task === undefined ? {} : { task }),
    ...(rollout === undefined ? {} : { rollout }),
  };
}

function refuseUnknown(
  names: readonly string[],
  known: readonly string[],
  malformed: Malformed,
  owner = '',
): void {
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  const shown = unknown.slice(0, 5).map((name) => `\`${owner}${name.slice(0, 40)}\``);
  throw malformed(
    `unknown field${unknown.length === 1 ? '' : 's'} ${shown.join(', ')}. Known: ${known.join(', ')}`,
  );
}

/** The suffix of a field that holds msgpack as base64. */
const bytesSuffix = '_msgpack';

function jsonField(name: string, value: unknown): [name: string, json: string] {
  return [name, JSON.stringify(value)];
}

function valueField(name: string, encoded: Uint8Array): [name: string, json: string] {
  const json = exactJson(encoded);
  if (json !== undefined) return [name, json];
  return [`${name}${bytesSuffix}`, JSON.stringify(Buffer.from(encoded).toString('base64'))];
}

function parseValue(
  fields: ReadonlyMap<string, unknown>,
  name: string,
  malformed: Malformed,
): Uint8Array | undefined {
  const bytesName = `${name}${bytesSuffix}`;
  const base64 = fields.get(bytesName);
  if (fields.has(name) && base64 !== undefined) {
    throw malformed(`expected \`${name}\` or \`${bytesName}\`, got both`);
  }
  try {
    if (fields.has(name)) return codec.encode(fields.get(name));
  } catch (cause) {
    throw malformed(`\`${name}\` can't be stored: ${(cause as Error).message}`, cause);
  }
  if (base64 === undefined) return undefined;
  const bytes = typeof base64 === 'string' ? Buffer.from(base64, 'base64') : Buffer.alloc(0);
  if (bytes.toString('base64') !== base64 || !isMsgpack(bytes)) {
    throw malformed(`expected \`${bytesName}\` to be the base64 of msgpack, got ${nameOfType(base64)}`);
  }
  return Uint8Array.from(bytes);
}

/** Whether these bytes are one msgpack value: another thing would spoil the member it is written to. */
function isMsgpack(bytes: Buffer): boolean {
  const scanner = new MsgpackScanner(bytes);
  try {
    scanner.skip();
    return scanner.position === bytes.length;
  } catch {
    return false;
  }
}

/** What a key is made from besides the params. */
interface KeyParts {
  readonly method: string;
  readonly scope: string | undefined;
  readonly version: string | number | undefined;
}

function parseKey(
  fields: ReadonlyMap<string, unknown>,
  { method, scope, version }: KeyParts,
  malformed: Malformed,
): string {
  const key = fields.get('key');
  if (key === undefined) {
    if (!fields.has('params')) throw malformed('`key` is missing, and `params` to make it from');
    return hashKey(method, fields.get('params'), { scope, version });
  }
  if (typeof key !== 'string' || !/^[0-9a-f]{32}$/.test(key)) {
    throw malformed(`expected \`key\` to be 32 hex digits, got ${nameOfType(key)}`);
  }
  // Other params than those given may have made it: some may be ignored in it, or redacted here.
  const isNarrowed = scope !== undefined || version !== undefined;
  if (isNarrowed && fields.has('params') && key === hashKey(method, fields.get('params'))) {
    throw malformed(
      'expected `key` to be that of the call under its `scope` and `version`, got the key of the call without them: ' +
        'leave it out',
    );
  }
  return key;
}

function parseText(
  fields: ReadonlyMap<string, unknown>,
  name: string,
  malformed: Malformed,
): string | undefined {
  const text = fields.get(name);
  if (!fields.has(name) || typeof text === 'string') return text as string | undefined;
  throw malformed(`expected \`${name}\` to be a string, got ${nameOfType(text)}`);
}

function parseVersion(
  fields: ReadonlyMap<string, unknown>,
  malformed: Malformed,
): string | number | undefined {
  const version = fields.get('version');
  if (!fields.has('version')) return undefined;
  if (typeof version === 'string' || (typeof version === 'number' && Number.isFinite(version)))
    return version;
  throw malformed(`expected \`version\` to be a string or a number, got ${nameOfType(version)}`);
}

/** The metadata with the times that a line's `ttl` comes to. */
function withTtl(
  fields: ReadonlyMap<string, unknown>,
  metadata: TierRecord['metadata'],
  malformed: Malformed,
): TierRecord['metadata'] {
  if (!fields.has('ttl')) return metadata;
  if (metadata.staleAt !== null || metadata.expiresAt !== null) {
    throw malformed('expected `ttl` or the times `stale_at` and `expires_at` of `metadata`, got both');
  }
  const ttl = fields.get('ttl');
  if (ttl === null) return { ...metadata, hasOwnTtl: true };
  let ms: number;
  try {
    ms = parseDuration(ttl as Duration, 'ttl');
  } catch (cause) {
    const forms = 'null, a number of ms, or text such as "5m"';
    throw malformed(`expected \`ttl\` to be ${forms}, got ${nameOfType(ttl)}`, cause);
  }
  const endsAt = metadata.createdAt + ms;
  return { ...metadata, staleAt: endsAt, expiresAt: endsAt, hasOwnTtl: true };
}

function parseMetadata(value: unknown, malformed: Malformed, now: number): TierRecord['metadata'] {
  const fields = objectFields(value ?? {}, 'metadata', malformed);
  refuseUnknown([...fields.keys()], metadataFields, malformed, 'metadata.');
  const numberOrNull = (name: string) => {
    const number = fields.get(name) ?? null;
    const isTime = typeof number === 'number' && number >= 0 && number <= Number.MAX_SAFE_INTEGER;
    if (number === null || isTime) return number;
    throw malformed(`expected \`metadata.${name}\` to be a number from 0 on, got ${nameOfType(number)}`);
  };
  const createdAt = numberOrNull('created_at') ?? now;
  const expiresAt = numberOrNull('expires_at');
  for (const name of ['cost', ...slidingFields]) numberOrNull(name);
  for (const name of ['negative', 'own_ttl']) {
    const flag = fields.get(name) ?? false;
    if (typeof flag === 'boolean') continue;
    throw malformed(`expected \`metadata.${name}\` to be true or false, got ${nameOfType(flag)}`);
  }
  const facts = factsFrom(fields, expiresAt);
  if (slidingFields.some((name) => fields.has(name)) && facts.sliding === undefined) {
    const together = slidingFields.map((name) => `\`${name}\``).join(', ');
    throw malformed(
      `expected ${together} of \`metadata\` together, the first above 0, the last not before \`expires_at\``,
    );
  }
  return {
    createdAt,
    staleAt: numberOrNull('stale_at'),
    expiresAt,
    accessCount: numberOrNull('access_count') ?? 0,
    lastAccess: numberOrNull('last_access') ?? createdAt,
    loadMs: numberOrNull('load_ms') ?? 0,
    ...facts,
  };
}

function parseTags(value: unknown, malformed: Malformed): readonly string[] | undefined {
  if (value === undefined) return undefined;
  const isStrings = (list: readonly unknown[]): list is readonly string[] =>
    list.every((tag) => typeof tag === 'string');
  if (Array.isArray(value) && isStrings(value)) return value;
  throw malformed('expected `tags` to be an array of strings');
}

function parseStamp(value: unknown, malformed: Malformed): TierRecord['stamp'] | undefined {
  if (value === undefined) return undefined;
  const fields = objectFields(value, 'stamp', malformed);
  const [time, writer] = [fields.get('time'), fields.get('writer')];
  if (typeof time !== 'number' || !Number.isSafeInteger(time) || time < 0 || time >= maxStampTime) {
    throw malformed(`expected \`stamp.time\` to be microseconds since 1970, got ${nameOfType(time)}`);
  }
  if (typeof writer !== 'string' || !/^[0-9a-f]{16}$/.test(writer)) {
    throw malformed(`expected \`stamp.writer\` to be 16 hex digits, got ${nameOfType(writer)}`);
  }
  return { time, writer };
}

function objectFields(value: unknown, name: string, malformed: Malformed): Map<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return new Map(Object.entries(value));
  }
  throw malformed(`expected \`${name}\` to be an object, got ${nameOfType(value)}`);
}
