/** Members read one after another: right whatever becomes of the file meanwhile, and few readings for many. */

import { expect, it } from 'vitest';
import type { OpenFile } from '../../../src/persistence/file-system.js';
import { deflateMemberSync, encodeTombstone } from '../../../src/persistence/format/member-body.js';
import { frameMember } from '../../../src/persistence/format/member-frame.js';
import type { MemberPlace } from '../../../src/persistence/index/partition-file.js';
import { MemberRun } from '../../../src/persistence/read/member-run.js';

const fileId = 'f'.repeat(32);
const alone = Buffer.from('read alone');

function makeFile(count: number): { bytes: Buffer; places: MemberPlace[] } {
  let position = 0;
  const places: MemberPlace[] = [];
  const frames = Array.from({ length: count }, (_, memberNumber) => {
    const key = memberNumber.toString(16).padStart(32, '0');
    const content = deflateMemberSync(
      '1'.repeat(32),
      [encodeTombstone(key, { time: 1, writer: 'a'.repeat(16) })],
      1,
    );
    const frame = frameMember(content, {
      fileId,
      writer: 'a'.repeat(16),
      memberNumber,
      batchIndex: 0,
      writtenAt: 0,
    });
    places.push({ path: '/a', fileId, isPlain: false, position, length: frame.length });
    position += frame.length;
    return frame;
  });
  return { bytes: Buffer.concat(frames), places };
}

function runOver(
  bytes: Buffer,
  read = async (length: number, at: number) => bytes.subarray(at, at + length),
) {
  let readings = 0;
  let opened = 0;
  const file: Pick<OpenFile, 'read' | 'status'> = {
    status: async () => ({ kind: 'file', size: bytes.length, modifiedAt: 0, identity: '', owner: 0 }),
    read: (length, at) => {
      readings += 1;
      return read(length, at);
    },
  };
  const open = async () => {
    opened += 1;
    return file as OpenFile;
  };
  const run = new MemberRun({ open, alone: () => alone, maxMemberBytes: 1_000_000 });
  return { run, counts: () => ({ readings, opened }) };
}

it('reads many small members at once', async () => {
  const { bytes, places } = makeFile(1_000);
  const { run, counts } = runOver(bytes);
  for (const [number, place] of places.entries()) {
    const body = await run.body(place);
    expect(body.toString('latin1')).toContain(number.toString(16).padStart(32, '0'));
  }
  expect(counts()).toEqual({ readings: 1, opened: 1 });
});

it('leaves large, plain, damaged and foreign members to those who read them alone', async () => {
  const { bytes, places } = makeFile(4);
  const [first, second, third, last] = places as [MemberPlace, MemberPlace, MemberPlace, MemberPlace];
  bytes[second.position + second.length - 12]! ^= 1;
  const { run } = runOver(bytes);
  expect(await run.body({ ...first, isPlain: true })).toBe(alone);
  expect(await run.body({ ...first, length: 20_000 })).toBe(alone);
  expect(await run.body({ ...first, fileId: 'e'.repeat(32) })).toBe(alone);
  expect(await run.body(second)).toBe(alone);
  expect(await run.body(third)).not.toBe(alone);
  expect(await run.body(last)).not.toBe(alone);
});

it('opens a file again that was closed meanwhile', async () => {
  const { bytes, places } = makeFile(3);
  let isBroken = true;
  const { run, counts } = runOver(bytes, async (length, at) => {
    if (isBroken) throw Object.assign(new Error('closed'), { code: 'EBADF' });
    return bytes.subarray(at, at + length);
  });
  expect(await run.body(places[0]!)).toBe(alone);
  isBroken = false;
  expect(await run.body(places[1]!)).not.toBe(alone);
  expect(counts().opened).toBe(2);
});
