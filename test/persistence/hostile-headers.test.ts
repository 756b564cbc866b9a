import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { TimeSlice } from '../../src/next-turn.js';
import {
  MergeDecisions,
  type MergeInput,
  type MergeRules,
} from '../../src/persistence/consolidate/merge-rules.js';
import type { OpenFile } from '../../src/persistence/file-system.js';
import {
  deflateMember,
  encodeBareRangeTombstone,
  encodeTombstone,
} from '../../src/persistence/format/member-body.js';
import { frameMember } from '../../src/persistence/format/member-frame.js';
import {
  entryKind,
  headerEntries,
  type MemberHeader,
  readHeader,
} from '../../src/persistence/format/member-header.js';
import { PartitionIndex } from '../../src/persistence/index/partition-index.js';
import { scanPartition } from '../../src/persistence/read/header-scan.js';
import { turnsDuring } from '../helper/turns.js';
import { measured, usedBytes, usedBytesNow } from '../helper/used-memory.js';

const identity = {
  fileId: 'f'.repeat(32),
  writer: 'a'.repeat(16),
  memberNumber: 0,
  batchIndex: 0,
  writtenAt: 0,
};

async function makeMember(count: number): Promise<Buffer> {
  const entries = Array.from({ length: count }, (_, number) =>
    encodeTombstone(number.toString(16).padStart(32, '0'), { time: 1 + number, writer: identity.writer }),
  );
  return frameMember(await deflateMember('0'.repeat(32), entries, 1), identity);
}

/** The same member with other counts in its header, and checksums that are right. */
function withCounts(member: Buffer, entries: number, writers: number): Buffer {
  const known = member.readUInt16LE(16 + 56);
  const fixed = member.subarray(0, 16 + 64);
  const stored = member.subarray(16 + 64, 16 + 64 + 40 * Math.min(entries, known));
  const rest = member.subarray(16 + 64 + 40 * known + 4);
  const forged = Buffer.concat([fixed, Buffer.alloc(8 * writers, 7), stored, Buffer.alloc(4), rest]);
  const end = 16 + 64 + 8 * writers + stored.length;
  forged.writeUInt16LE(end + 4 - 12, 10);
  forged.writeUInt16LE(end + 4 - 16, 14);
  forged.writeUInt32LE(forged.length, 16 + 4);
  forged.writeUInt16LE(entries, 16 + 56);
  forged.writeUInt16LE(writers, 16 + 58);
  forged.writeUInt32LE(crc32(forged.subarray(12, end)), end);
  return forged;
}

describe('a header with checksums that are right', () => {
  it('is damaged when it names more writers than its entries can mention', async () => {
    const member = await makeMember(2);
    expect(readHeader(withCounts(member, 2, 2)).kind).toBe('member');
    expect(readHeader(withCounts(member, 2, 8_000))).toMatchObject({ kind: 'damaged' });
    expect(readHeader(withCounts(member, 2, 3))).toMatchObject({ kind: 'damaged' });
  });

  it('is damaged when it has no entries', async () => {
    expect(readHeader(withCounts(await makeMember(1), 0, 0))).toMatchObject({ kind: 'damaged' });
  });
});

/** A header of as many entries as one holds, each of another writer. */
async function headerOfWriters(count: number): Promise<MemberHeader> {
  const hex = (bytes: number) => randomBytes(bytes).toString('hex');
  const entries = Array.from({ length: count }, (_, number) =>
    encodeTombstone(number.toString(16).padStart(32, '0'), { time: 1 + number, writer: hex(8) }),
  );
  return headerOf(frameMember(await deflateMember('0'.repeat(32), entries, 1), identity));
}

function headerOf(member: Buffer): MemberHeader {
  const reading = readHeader(member);
  if (reading.kind !== 'member') throw new Error(reading.kind);
  return reading.header;
}

describe('very many ids of writers', () => {
  it('take no objects, in headers and in an index', measured, async () => {
    const count = 300;
    const members = 100;
    const index = new PartitionIndex();
    const place = { path: '/a', id: identity.fileId, methodHash: '0'.repeat(32), method: 'm' };
    const more = { isReadOnly: false, isPlain: false, isGone: false, scannedBytes: 0, nextMember: 0 };
    const file = index.fileTable.add({ ...place, ...more, writer: identity.writer });
    const headers: MemberHeader[] = [];
    const before = await usedBytes();
    for (let member = 0; member < members; member += 1) {
      const header = await headerOfWriters(count);
      headers.push(header);
      index.addMember(file, member, header, { now: 0 });
    }
    const after = await usedBytes();
    // As texts they took 150 bytes each on the heap; as numbers, 64 each besides it.
    expect(after.heap - before.heap).toBeLessThan(count * members * 40);
    expect(after.all - before.all).toBeLessThan(count * members * 200);
    expect(new Set(headers.flatMap((header) => [...idsOf(header)])).size).toBe(count * members);
    expect(index.newest).toEqual({ time: count, writer: [...idsOf(headers[0]!)].at(-1) });
  });
});

function* idsOf(header: MemberHeader): IterableIterator<string> {
  for (const { stampWriter } of headerEntries(header)) yield stampWriter;
}

/** A file in memory; reading it waits for nothing. */
function fileOf(bytes: Buffer): { file: OpenFile; bytesRead: () => number } {
  let bytesRead = 0;
  const file: Pick<OpenFile, 'read' | 'status'> = {
    status: async () => ({ kind: 'file', size: bytes.length, modifiedAt: 0, identity: '', owner: 0 }),
    read: async (length, position) => {
      const read = bytes.subarray(position, position + length);
      bytesRead += read.length;
      return read;
    },
  };
  return { file: file as OpenFile, bytesRead: () => bytesRead };
}

describe('a walk through a file', () => {
  const request = { path: '/a', from: 0, nextMember: 0 };

  it('does not read on from every damaged member for the next one', async () => {
    const member = await makeMember(1);
    const bytes = Buffer.concat(Array.from({ length: 600 }, () => [member, withCounts(member, 0, 0)]).flat());
    const { file, bytesRead } = fileOf(bytes);
    let found = 0;
    const onMember = () => {
      found += 1;
    };
    await scanPartition(file, { ...request, onMember });
    expect(found).toBe(600);
    expect(bytesRead()).toBeLessThan(3 * bytes.length);
  });

  it('lets others run while members are taken in', async () => {
    const member = await makeMember(1);
    const { file } = fileOf(Buffer.concat(Array.from({ length: 100 }, () => member)));
    const onMember = () => {
      for (const start = performance.now(); performance.now() < start + 2; );
    };
    expect(await turnsDuring(() => scanPartition(file, { ...request, onMember }))).toBeGreaterThan(5);
  });
});

/** Headers as a merge goes through them, in slices as a walk through a file is. */
function inputOf(headers: readonly MemberHeader[]): MergeInput {
  return {
    entries: headers.reduce((sum, { entries }) => sum + entries.count, 0),
    async eachMember(visit) {
      const slice = new TimeSlice();
      for (const header of headers) {
        if (slice.isOver) await slice.next();
        visit({ header });
      }
    },
  };
}

describe('a merge of very many entries', () => {
  const rules: MergeRules = {
    now: 0,
    known: new PartitionIndex(),
    keepsTombstone: () => true,
    keepsDroppedKey: () => true,
    isTagInvalid: undefined,
    dropShare: 0,
  };

  it('lets others run while it judges them', async () => {
    const reading = readHeader(await makeMember(350));
    if (reading.kind !== 'member') throw new Error(reading.kind);
    const members: MemberHeader[] = Array.from({ length: 1_500 }, () => reading.header);
    let verdicts: MergeDecisions | undefined;
    const judge = async () => {
      verdicts = await MergeDecisions.make([inputOf(members)], rules);
    };
    expect(await turnsDuring(judge)).toBeGreaterThan(2);
    expect(verdicts?.counts.overwritten).toBe(1_499 * 350);
    expect(verdicts?.size).toBe(1_500 * 350);
  });

  it('keeps no object for each marker', measured, async () => {
    const header = async (first: number) => {
      const markers = Array.from({ length: 300 }, (_, number) => {
        const key = (first + number).toString(16).padStart(32, '0');
        return encodeBareRangeTombstone(entryKind.invalidateTag, key, { time: 1, writer: identity.writer });
      });
      return headerOf(frameMember(await deflateMember('0'.repeat(32), markers, 1), identity));
    };
    const members = await Promise.all(Array.from({ length: 200 }, (_, at) => header(at * 300)));
    const last = members.pop()!;
    let asked = 0;
    let used = 0;
    members.push({
      ...last,
      get entries() {
        // Asked for the second time, it has all others behind it, and knows the newest of them.
        asked += 1;
        if (asked === 2) used = usedBytesNow().heap;
        return last.entries;
      },
    });
    const before = await usedBytes();
    const verdicts = await MergeDecisions.make([inputOf(members)], { ...rules, keepsTombstone: () => false });
    expect(verdicts.counts.deletions).toBe(60_000);
    expect(used - before.heap).toBeLessThan(60_000 * 25);
  });
});
