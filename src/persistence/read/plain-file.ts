/** Takes what a plain file holds into an index. */

import { nextTurn } from '../../next-turn.js';
import { TooLargeError } from '../disk-errors.js';
import { type OpenFile, readFully } from '../file-system.js';
import { BodyScanner } from '../format/body-scanner.js';
import { inflatePlain, plainSteps } from '../format/member-body.js';
import { maxStampTime } from '../format/member-header.js';
import { hashMethod } from '../format/partition-name.js';
import type { PartitionFile } from '../index/partition-file.js';
import type { PartitionIndex } from '../index/partition-index.js';

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
  place: Pick<PartitionFile, 'path' | 'id' | 'methodHash' | 'isReadOnly'> & { readonly size: number },
  into: { readonly index: PartitionIndex; readonly maxMemberBytes: number; readonly now: () => number },
): Promise<void> {
  const { path, id, methodHash, isReadOnly, size } = place;
  const { index, maxMemberBytes, now } = into;
  const addFile = () =>
    index.fileTable.add({
      path,
      id,
      methodHash,
      method: undefined,
      isReadOnly,
      isPlain: true,
      scannedBytes: size,
      nextMember: 1,
      isGone: false,
    });
  let body: Buffer;
  try {
    if (size > maxMemberBytes) throw new TooLargeError({ bytes: size, limit: maxMemberBytes });
    body = await inflatePlain(await readFully(file, size, 0), maxMemberBytes);
  } catch (error) {
    if (!(error instanceof TooLargeError)) throw error;
    // It is known to be there, and what covers its entries has to stay.
    addFile();
    throw error.in(path);
  }
  const plain = addFile();
  const add = index.addPlainMember(plain, size);
  const scanner = new BodyScanner(body);
  let steps = 0;
  let nextPause = sliceBytes;
  for (const step of plainSteps(scanner)) {
    steps += 1;
    if (steps % slice === 0 || scanner.position >= nextPause) {
      await nextTurn();
      nextPause = scanner.position + sliceBytes;
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
