/** Partition files that are right in every checksum and made to cost memory: 64 MB of what a member can hold most of. */

import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  deflateMemberSync,
  type EncodedEntry,
  encodeBareRangeTombstone,
  encodeTombstone,
} from '../../../src/persistence/format/member-body.js';
import { frameMember } from '../../../src/persistence/format/member-frame.js';
import { entryKind } from '../../../src/persistence/format/member-header.js';
import {
  hashMethod,
  monthFolder,
  partitionFileName,
  utcDay,
} from '../../../src/persistence/format/partition-name.js';
import type { Stamp } from '../../../src/stamp.js';

const hex = (bytes: number) => randomBytes(bytes).toString('hex');

type Maker = (key: string, stamp: Stamp) => EncodedEntry;

/** By what they are full of: the entries of a member, and how one is made. */
export const hostileKinds: Readonly<Record<string, { perMember: number; make: Maker }>> = {
  'ids of writers': {
    perMember: 1_350,
    make: (key, { time }) => encodeTombstone(key, { time, writer: hex(8) }),
  },
  'members of one entry': { perMember: 1, make: (key, stamp) => encodeTombstone(key, stamp) },
  keys: { perMember: 1_600, make: (key, stamp) => encodeTombstone(key, stamp) },
  'tags that were invalidated': {
    perMember: 1_350,
    make: (key, { time }) => encodeBareRangeTombstone(entryKind.invalidateTag, key, { time, writer: hex(8) }),
  },
  'methods that were cleared': {
    perMember: 1_600,
    make: (key, stamp) => encodeBareRangeTombstone(entryKind.clearMethod, key, stamp),
  },
};

/** Writes such a file into a cache folder; tells how many entries it has. */
export function writeHostileFile(folder: string, kind: string, bytes: number): number {
  const { perMember, make } = hostileKinds[kind]!;
  const [methodHash, now, fileId, writer] = [hashMethod(''), Date.now(), hex(16), hex(8)];
  const day = utcDay(now);
  mkdirSync(join(folder, monthFolder(day)), { recursive: true });
  const path = join(folder, monthFolder(day), partitionFileName({ methodHash, day, partition: 0 }));
  let written = 0;
  let entries = 0;
  let frames: Buffer[] = [];
  for (let memberNumber = 0; written < bytes; memberNumber += 1) {
    const group = Array.from({ length: perMember }, () => {
      entries += 1;
      const stamp = { time: now * 1_000 - 10_000_000 + entries, writer };
      return make(entries.toString(16).padStart(32, '0'), stamp);
    });
    const content = deflateMemberSync(methodHash, group, 1);
    const frame = frameMember(content, { fileId, writer, memberNumber, batchIndex: 0, writtenAt: now });
    frames.push(frame);
    written += frame.length;
    if (frames.length < 1_000 && written < bytes) continue;
    appendFileSync(path, Buffer.concat(frames));
    frames = [];
  }
  return entries;
}
