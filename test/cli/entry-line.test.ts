import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { complaintsOn } from '../../src/cli/json-lines.js';
import { exactJson, formatEntryLine, parseEntryLine } from '../../src/cli/partitions/entry-line.js';
import { hashKey } from '../../src/index.js';
import type { TierRecord } from '../../src/tier.js';
import { createValueCodec } from '../../src/value/codec.js';

const codec = createValueCodec();
const now = 1_795_000_000_000;
const parse = (line: string) => parseEntryLine(line, complaintsOn('FILE', 7), now);

function record(parts: Partial<TierRecord> = {}): TierRecord {
  return {
    key: 'ab'.repeat(16),
    method: 'search',
    encoded: codec.encode({ n: 1 }),
    metadata: {
      createdAt: now - 5_000,
      staleAt: null,
      expiresAt: now + 5_000,
      accessCount: 3,
      lastAccess: now - 1,
      loadMs: 12.25,
    },
    stamp: { time: now * 1_000 + 7, writer: '0123456789abcdef' },
    ...parts,
  };
}

describe('an entry as a line', () => {
  test.each<[string, unknown, string | undefined]>([
    ['an object', { a: [1, 'x', null, true, 1.5] }, '{"a":[1,"x",null,true,1.5]}'],
    ['a long integer', [2n ** 64n + 1n], '[18446744073709551617]'],
    ['a number beyond 2^53', [2 ** 64], '[18446744073709551616]'],
    ['a BigInt that a number holds', 5n, undefined],
    ['a large BigInt that a number holds', 2n ** 64n, undefined],
    ['-0', -0, undefined],
    ['undefined', undefined, undefined],
    ['NaN', Number.NaN, undefined],
    ['a Date', new Date(0), undefined],
    ['a Map', new Map([['a', 1]]), undefined],
    ['bytes', Buffer.from('a'), undefined],
    ['a lone surrogate', '\ud800', undefined],
  ])('%s is JSON only if that says exactly it', (_name, value, json) => {
    const encoded = codec.encode(value);
    if (json !== undefined) expect(exactJson(encoded)).toBe(json);
    const line = formatEntryLine(record({ encoded }));
    expect(Object.keys(JSON.parse(line))).toContain(
      exactJson(encoded) === undefined ? 'result_msgpack' : 'result',
    );
    expect(Buffer.from(parse(line).encoded)).toEqual(Buffer.from(encoded));
  });

  test('comes back equal in every field and byte', () => {
    const value = fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true });
    fc.assert(
      fc.property(
        value,
        fc.anything({ withBigInt: true }),
        fc.array(fc.string({ unit: 'grapheme' })),
        (result, params, tags) => {
          const encoded = codec.encode(result);
          const kept = {
            encodedParams: codec.encode(params),
            scope: 'task "1"',
            version: '2',
            task: '',
            rollout: '7',
          };
          const before = record({ encoded, ...kept, tags });
          const line = formatEntryLine(before);
          expect(line).not.toContain('\n');
          const after = parse(line);
          expect(after).toEqual({
            ...before,
            encoded: Uint8Array.from(before.encoded),
            encodedParams: Uint8Array.from(before.encodedParams ?? []),
          });
        },
      ),
      { numRuns: 500 },
    );
  });

  test('keeps the facts that only some entries have', () => {
    const { metadata } = record();
    const sliding = { idleMs: 60.5, staleAt: now + 7_000, expiresAt: now + 8_000 };
    const line = formatEntryLine(
      record({ metadata: { ...metadata, cost: 0.5, isNegative: true, hasOwnTtl: true, sliding } }),
    );
    expect(JSON.parse(line).metadata).toMatchObject({
      ...{ cost: 0.5, negative: true, idle_ms: 60.5, max_stale_at: now + 7_000, max_expires_at: now + 8_000 },
    });
    expect(parse(line).metadata).toEqual({
      ...metadata,
      cost: 0.5,
      isNegative: true,
      hasOwnTtl: true,
      sliding,
    });
  });

  test('bytes that no codec here reads travel all the same', () => {
    const encoded = Uint8Array.from([0xc7, 0x01, 0x2a, 0xff]);
    const line = formatEntryLine(record({ encoded }));
    expect(JSON.parse(line).result_msgpack).toBe('xwEq/w==');
    expect(parse(line).encoded).toEqual(encoded);
  });

  test('written by hand, needs no more than method, params and result', () => {
    expect(parse('{"method":"add","params":{"a":1},"result":2}')).toEqual({
      key: hashKey('add', { a: 1 }),
      method: 'add',
      encoded: Uint8Array.from(codec.encode(2)),
      encodedParams: Uint8Array.from(codec.encode({ a: 1 })),
      metadata: {
        createdAt: now,
        staleAt: null,
        expiresAt: null,
        accessCount: 0,
        lastAccess: now,
        loadMs: 0,
      },
      stamp: { time: now * 1_000, writer: '0'.repeat(16) },
    });
  });
});

describe('a line of its own scope, version and ttl', () => {
  const line = (fields: object) => JSON.stringify({ method: 'add', params: { a: 1 }, result: 2, ...fields });

  test.each([{ scope: 'task-1' }, { version: 2 }, { version: '2' }, { scope: '', version: 'v1' }])(
    'answers %j alone',
    (extras) => {
      const { key, scope, version } = parse(line(extras));
      expect(key).toBe(hashKey('add', { a: 1 }, extras));
      expect(key).not.toBe(hashKey('add', { a: 1 }));
      expect({ scope, version }).toEqual({ scope: undefined, version: undefined, ...extras });
    },
  );

  test.each([
    [60_000, 60_000],
    ['1m', 60_000],
    [0, 0],
  ])('lives for its ttl of %j from when it was made', (ttl, ms) => {
    const { metadata } = parse(line({ ttl, metadata: { created_at: now - 5 } }));
    expect(metadata).toMatchObject({ createdAt: now - 5, staleAt: now - 5 + ms, expiresAt: now - 5 + ms });
  });

  test('lives for ever where its ttl is null', () => {
    expect(parse(line({ ttl: null })).metadata).toMatchObject({ staleAt: null, expiresAt: null });
  });

  test('keeps the key that is given with it, as params may have been ignored or redacted in it', () => {
    const key = hashKey('add', { a: 1, trace: 7 }, { scope: 's', ignore: ['trace'] });
    expect(parse(line({ key, scope: 's', params: { a: 1, trace: '[redacted]' } })).key).toBe(key);
  });
});

describe('a malformed line is refused with file, line number and reason', () => {
  const entry = { method: 'm', params: 1, result: 2 };
  test.each<[string, unknown, string]>([
    ['a missing method', { params: 1, result: 2 }, '`method` is missing'],
    [
      'a method that is no name',
      { ...entry, method: '' },
      "expected `method` to be the method's name, got an empty string",
    ],
    ['a missing result', { method: 'm', params: 1 }, '`result` is missing'],
    ['two results', { ...entry, result_msgpack: 'Ag==' }, 'expected `result` or `result_msgpack`, got both'],
    [
      'bytes that are no base64',
      { method: 'm', params: 1, result_msgpack: 'Ag' },
      'expected `result_msgpack` to be the base64 of msgpack, got the string "Ag"',
    ],
    [
      'bytes that are no msgpack value',
      { method: 'm', params: 1, result_msgpack: 'kQ==' },
      'expected `result_msgpack` to be the base64 of msgpack, got the string "kQ=="',
    ],
    ['no key and no params', { method: 'm', result: 2 }, '`key` is missing, and `params` to make it from'],
    [
      'a key that is none',
      { ...entry, key: 'abc' },
      'expected `key` to be 32 hex digits, got the string "abc"',
    ],
    [
      'a time that is none',
      { ...entry, metadata: { created_at: 'now' } },
      'expected `metadata.created_at` to be a number from 0 on, got the string "now"',
    ],
    [
      'a cost that is none',
      { ...entry, metadata: { cost: -1 } },
      'expected `metadata.cost` to be a number from 0 on, got -1',
    ],
    [
      'a `negative` that is none',
      { ...entry, metadata: { negative: 1 } },
      'expected `metadata.negative` to be true or false, got 1',
    ],
    [
      'sliding without a bound',
      { ...entry, metadata: { idle_ms: 5 } },
      'expected `idle_ms`, `max_stale_at`, `max_expires_at` of `metadata` together, the first above 0, ' +
        'the last not before `expires_at`',
    ],
    ['tags that are none', { ...entry, tags: [1] }, 'expected `tags` to be an array of strings'],
    [
      'a stamp without a writer',
      { ...entry, stamp: { time: 1 } },
      'expected `stamp.writer` to be 16 hex digits, got undefined',
    ],
    [
      'a field that there is none of',
      { ...entry, Scope: 's', expires: 5 },
      'unknown fields `Scope`, `expires`. Known: key, method, params, params_msgpack, result, result_msgpack, scope, ' +
        'version, task, rollout, ttl, metadata, tags, stamp',
    ],
    [
      'an unknown field of its metadata',
      { ...entry, metadata: { expiresAt: 5 } },
      'unknown field `metadata.expiresAt`. Known: created_at, stale_at, expires_at, access_count, last_access, load_ms, ' +
        'cost, negative, own_ttl, idle_ms, max_stale_at, max_expires_at',
    ],
    ['a scope that is no text', { ...entry, scope: 7 }, 'expected `scope` to be a string, got 7'],
    ['a task that is no text', { ...entry, task: 7 }, 'expected `task` to be a string, got 7'],
    ['a scope of null', { ...entry, scope: null }, 'expected `scope` to be a string, got null'],
    [
      'a version that is none',
      { ...entry, version: true },
      'expected `version` to be a string or a number, got true',
    ],
    ['a ttl that is none', { ...entry, ttl: 'soon' }, 'expected `ttl` to be null, a number of ms'],
    [
      'a ttl beside an expiry',
      { ...entry, ttl: 5, metadata: { expires_at: 7 } },
      'expected `ttl` or the times `stale_at` and `expires_at` of `metadata`, got both',
    ],
    [
      'a scope beside the key of everybody',
      { ...entry, key: hashKey('m', 1), scope: 's' },
      'expected `key` to be that of the call under its `scope` and `version`, got the key of the call without them: ' +
        'leave it out',
    ],
    ['no object', [1], 'expected a JSON object, got an array'],
  ])('%s', (_name, line, reason) => {
    expect(() => parse(JSON.stringify(line))).toThrow(`FILE:7: ${reason}`);
  });
});
