/** Members as bytes: the vectors of FORMAT.md, round trips, and hostile headers. */

import { readFileSync } from 'node:fs';
import { crc32, deflateRawSync, gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BodyScanner } from '../../../src/persistence/format/body-scanner.js';
import { readEntryBody } from '../../../src/persistence/format/entry-body.js';
import {
  deflateMember,
  encodeRangeTombstone,
  encodeTombstone,
  encodeValue,
  inflateMember,
  plainEntries,
  readEntryAt,
} from '../../../src/persistence/format/member-body.js';
import { frameMember } from '../../../src/persistence/format/member-frame.js';
import {
  assertWhole,
  entryKind,
  findHeader,
  headerEntries,
  type MemberHeader,
  readHeader,
} from '../../../src/persistence/format/member-header.js';
import { hashMethod } from '../../../src/persistence/format/partition-name.js';
import { decode, makeRecord } from '../../helper/disk-tier.js';

const writer = '00112233445566ff';
const now = Date.UTC(2026, 10, 21);

async function makeMember(): Promise<Buffer> {
  const stamp = (time: number, by = writer) => ({ time: now * 1_000 + time, writer: by });
  const value = makeRecord({
    method: 'search',
    params: { q: 'a' },
    value: { hits: 3 },
    stamp: stamp(1),
    now,
    metadata: { expiresAt: now + 60_000, staleAt: now + 30_000 },
  });
  const entries = [
    encodeValue(value),
    encodeTombstone('f'.repeat(32), stamp(2, 'ffeeddccbbaa9988')),
    encodeRangeTombstone({ kind: 'method', method: 'search' }, stamp(0)),
  ];
  // Stored, not compressed, so that the vector does not depend on a version of zlib.
  const content = await deflateMember(hashMethod('search'), entries, 0);
  return frameMember(content, {
    fileId: '0123456789abcdef0123456789abcdef',
    writer,
    memberNumber: 0,
    batchIndex: 0,
    writtenAt: now,
    method: 'search',
  });
}

function headerOf(bytes: Buffer): MemberHeader {
  const reading = readHeader(bytes);
  if (reading.kind !== 'member') throw new Error(`Expected a member, got ${JSON.stringify(reading)}`);
  return reading.header;
}

/** A header without the place that its entries have in memory. */
function told(header: MemberHeader): unknown {
  return { ...header, entries: [...headerEntries(header)] };
}

describe('the partition codec', () => {
  it('writes the bytes of the test vector in FORMAT.md', async () => {
    const member = await makeMember();
    const document = readFileSync(new URL('../../../src/persistence/FORMAT.md', import.meta.url), 'utf8');
    const vector = /```hex\n([0-9a-f\s]+)```/.exec(document)?.[1]?.replace(/\s/g, '');
    expect(vector).toBe(member.toString('hex'));
  });

  it('reads what it has written', async () => {
    const member = await makeMember();
    const header = headerOf(member);
    expect(header).toMatchObject({
      method: 'search',
      memberNumber: 0,
      memberLength: member.length,
    });
    assertWhole(header, member);
    expect(header.entries.count).toBe(3);
    const [value, deletion, marker] = [...headerEntries(header)];
    expect(value).toMatchObject({ kind: entryKind.value, expiresAt: now + 60_000, stampWriter: writer });
    expect(deletion).toMatchObject({ key: 'f'.repeat(32), stampWriter: 'ffeeddccbbaa9988', expiresAt: null });
    expect(marker).toMatchObject({ kind: entryKind.clearMethod, key: hashMethod('search') });
    const body = await inflateMember(member, { headerLength: header.headerLength, maxBytes: 1_000 });
    const entry = readEntryAt(body, value!.offset, value!.key);
    expect(entry.kind === 'value' && decode(entry.encoded)).toEqual({ hits: 3 });
    expect(readEntryAt(body, deletion!.offset, deletion!.key)).toEqual({ kind: 'tombstone' });
    expect(readEntryBody(new BodyScanner(body, marker!.offset))).toEqual({ kind: 'rangeTombstone' });
    expect(() => readEntryAt(body, value!.offset, 'a'.repeat(32))).toThrow('does not match');
    expect(gunzipSync(Buffer.concat([member, member]))).toEqual(Buffer.concat([body, body]));
  });

  it('finds a header among other bytes, and asks for more where one is cut', async () => {
    const member = await makeMember();
    const noise = Buffer.concat([Buffer.from('1f8b08041f8b08', 'hex'), Buffer.alloc(50, 7), member]);
    expect(findHeader(noise, 100).at).toBe(57);
    expect(findHeader(noise, 1).at).toBe(-1);
    const { headerLength } = headerOf(member);
    for (let length = 0; length < headerLength; length += 1) {
      expect(readHeader(member.subarray(0, length)).kind).toBe('incomplete');
    }
  });

  it('notices every changed bit of a header', async () => {
    const member = await makeMember();
    const { headerLength } = headerOf(member);
    const good = headerOf(member);
    for (let bit = 0; bit < headerLength * 8; bit += 1) {
      const bytes = Buffer.from(member);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      const reading = readHeader(bytes);
      if (reading.kind !== 'member') continue;
      // The time of writing, XFL, OS and the name tell nothing that the field does not.
      const isFree = bit === 27 || (bit >= 32 && bit < 80) || bit >= (headerLength - 7) * 8;
      expect(isFree, `bit ${bit} went unnoticed`).toBe(true);
      if (reading.header.headerLength === headerLength) {
        expect(told({ ...reading.header, method: good.method })).toEqual(told(good));
      } else {
        expect(() => assertWhole(reading.header, bytes)).toThrow('checksum');
      }
    }
  });

  it('tells plain gzip, and a newer version with its length, from damage', async () => {
    expect(readHeader(gzipSync('x')).kind).toBe('plain');
    expect(readHeader(Buffer.from('plain text, no gzip')).kind).toBe('damaged');
    const member = await makeMember();
    expect(readHeader(remade(member, (field) => field.writeUInt8(2, 0)))).toEqual({
      kind: 'newer',
      version: 2,
      memberLength: member.length,
    });
    for (const change of [
      (field: Buffer) => field.writeUInt8(0, 0),
      (field: Buffer) => field.writeUInt32LE(20, 4),
      (field: Buffer) => field.writeUInt16LE(4_000, 56),
      (field: Buffer) => field.writeUInt16LE(9, 58),
      (field: Buffer) => field.writeUInt32LE(0xffffffff, 64 + 8 + 20),
      (field: Buffer) => field.writeUInt16LE(2, 64 + 8 + 36),
    ]) {
      expect(readHeader(remade(member, change)).kind).toBe('damaged');
    }
  });

  it('never inflates beyond its bounds', async () => {
    const bomb = deflateRawSync(Buffer.alloc(64 * 1024 * 1024));
    const claim = (length: number) => {
      const trailer = Buffer.alloc(8);
      trailer.writeUInt32LE(length, 4);
      return Buffer.concat([bomb, trailer]);
    };
    const inflate = (length: number, maxBytes: number) =>
      inflateMember(claim(length), { headerLength: 0, maxBytes });
    await expect(inflate(64 * 1024 * 1024, 1_000_000)).rejects.toThrow('at most 1000000');
    await expect(inflate(1_000, 1_000_000)).rejects.toThrow('no readable body');
    await expect(inflate(4_000_000_000, 2 ** 32)).rejects.toThrow('impossible length');
  });

  it('tells damage from whatever bytes a body holds', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          for (const { entry } of plainEntries(Buffer.from(bytes))) expect(entry).toBeDefined();
        } catch (error) {
          expect(error).toMatchObject({ code: 'ERR_PARTITION_DAMAGED' });
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

/** The member with its field changed and the field's checksum made right again. */
function remade(member: Buffer, change: (field: Buffer) => void): Buffer {
  const bytes = Buffer.from(member);
  const length = bytes.readUInt16LE(14);
  change(bytes.subarray(16, 16 + length));
  bytes.writeUInt32LE(crc32(bytes.subarray(12, 16 + length - 4)), 16 + length - 4);
  return bytes;
}
