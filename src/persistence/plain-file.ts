/** Takes what a plain file holds into an index. */

import { PartitionDamagedError } from './damage.js';
import { type OpenFile, readFully } from './file-system.js';
import { inflatePlain, plainSteps } from './member-body.js';
import { MsgpackReader } from './msgpack-bytes.js';
import { maxStampTime } from './partition-codec.js';
import type { PartitionFile } from './partition-file.js';
import type { PartitionIndex } from './partition-index.js';
import { hashMethod } from './partition-path.js';

const noWriter = '0'.repeat(16);
/** Steps, and bytes passed over, after which others get a turn. */
const slice = 500;
const sliceBytes = 256 * 1024;
/**
 * Any program may write any time as `created_at`, and every stamp of ours has to be newer: there must be room for them
 * before stamps end.
 */
const latestStampTime = maxStampTime - 2 ** 40;

export async function takeInPlain(
  file: OpenFile,
  place: Pick<PartitionFile, 'path' | 'id' | 'methodHash' | 'isGiven'> & { readonly size: number },
  into: { readonly index: PartitionIndex; readonly maxMemberBytes: number; readonly now: () => number },
): Promise<void> {
  const { path, id, methodHash, isGiven, size } = place;
  const { index, maxMemberBytes, now } = into;
  if (size > maxMemberBytes) throw new PartitionDamagedError(`a plain file of ${size} bytes`);
  const body = await inflatePlain(await readFully(file, size, 0), maxMemberBytes);
  const plain = index.addFile({
    path,
    id,
    methodHash,
    method: undefined,
    isGiven,
    isPlain: true,
    scannedBytes: size,
    nextMember: 1,
    isGone: false,
  });
  const add = index.addPlainMember(plain, size);
  const reader = new MsgpackReader(body);
  let steps = 0;
  let nextTurn = sliceBytes;
  for (const step of plainSteps(reader)) {
    steps += 1;
    if (steps % slice === 0 || reader.position >= nextTurn) {
      await new Promise(setImmediate);
      nextTurn = reader.position + sliceBytes;
    }
    if (step?.entry.kind !== 'value') continue;
    const { createdAt, expiresAt } = step.entry.metadata;
    const time = Math.floor(createdAt * 1000);
    const isStamp = time >= 0 && time < latestStampTime;
    if (!isStamp || (expiresAt !== null && expiresAt <= now())) continue;
    const ofMethod = step.entry.method === undefined ? methodHash : hashMethod(step.entry.method);
    const { key, offset } = step;
    add({ key, offset, expiresAt, stamp: { time, writer: noWriter }, methodHash: ofMethod });
  }
}
