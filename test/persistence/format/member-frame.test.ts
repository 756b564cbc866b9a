/** Members taken over from another file as they stand. */

import { describe, expect, it } from 'vitest';
import { deflateMemberSync, encodeTombstone } from '../../../src/persistence/format/member-body.js';
import { copyMember, frameMember } from '../../../src/persistence/format/member-frame.js';
import {
  assertWhole,
  headerEntries,
  type MemberHeader,
  readHeader,
} from '../../../src/persistence/format/member-header.js';

const own = 'aa'.repeat(8);
const other = 'bb'.repeat(8);
const none = '0'.repeat(16);
const from = { fileId: 'f'.repeat(32), writer: own, memberNumber: 4, batchIndex: 2, writtenAt: 1_000 };
const to = { fileId: 'e'.repeat(32), writer: none, memberNumber: 0, batchIndex: 0, writtenAt: 2_000 };

function memberOf(writers: readonly string[], method?: string): Buffer {
  const entries = writers.map((writer, number) =>
    encodeTombstone(number.toString(16).padStart(32, '0'), { time: 5 + number, writer }),
  );
  const content = deflateMemberSync('1'.repeat(32), entries, 1);
  return frameMember(content, { ...from, ...(method === undefined ? {} : { method }) });
}

function headerOf(member: Buffer): MemberHeader {
  const reading = readHeader(member);
  if (reading.kind !== 'member') throw new Error(JSON.stringify(reading));
  return reading.header;
}

const { writtenAt: _, ...place } = to;

describe('a copy of a member', () => {
  it.each([
    ['its own writer alone', [own, own]],
    ['others alone', [other, 'cc'.repeat(8)]],
    ['both', [other, own, 'cc'.repeat(8), own]],
  ])('that mentions %s says the same under the new file’s id', (_name, writers) => {
    const member = memberOf(writers, 'search');
    const header = headerOf(member);
    const copy = copyMember(member, header, { ...to, method: 'fetch' })!;
    const copied = headerOf(copy);
    expect([...headerEntries(copied)]).toEqual([...headerEntries(header)]);
    expect(copied).toMatchObject({ ...place, method: 'fetch', methodHash: '1'.repeat(32) });
    expect(copied.memberLength).toBe(copy.length);
    assertWhole(copied, copy);
    expect(copy.subarray(copied.headerLength)).toEqual(member.subarray(header.headerLength));
  });

  it('is the member itself where all is the same', () => {
    const member = memberOf([own, other]);
    expect(copyMember(member, headerOf(member), from)).toEqual(member);
  });

  it('is not made where it would mention the new writer as another one', () => {
    const member = memberOf([none, own]);
    expect(copyMember(member, headerOf(member), to)).toBeUndefined();
  });

  it('is not made where the header has no room for one more writer', () => {
    const others = Array.from({ length: 1_362 }, (_, number) => `1${number.toString(16).padStart(15, '0')}`);
    const member = memberOf([...others, own, own]);
    expect(copyMember(member, headerOf(member), to)).toBeUndefined();
    const smaller = memberOf([...others.slice(1), own, own]);
    expect(copyMember(smaller, headerOf(smaller), to)).toBeDefined();
  });
});
