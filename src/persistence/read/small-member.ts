/** A member that is small enough to be inflated at once, which takes less than handing it to the thread pool. */

import type { TableRoom } from '../format/header-entries.js';
import { atOnceBytes, claimedBodyLength, inflateMemberSync } from '../format/member-body.js';
import { assertWhole, readHeader } from '../format/member-header.js';
import type { MemberPlace } from '../index/partition-file.js';

/** Whether it lies among others and is short. What it inflates to may still be long. */
export function isSmall({ isPlain, length }: MemberPlace): boolean {
  return !isPlain && length <= atOnceBytes;
}

/**
 * The inflated body of a small member, checked; `undefined` where it is of another file, or claims a large body.
 * @throws PartitionDamagedError, and what its bytes make a reader throw
 */
export function smallBody(
  bytes: Buffer,
  {
    fileId,
    tables,
    maxBytes,
  }: Pick<MemberPlace, 'fileId'> & { readonly tables: TableRoom; readonly maxBytes: number },
): Buffer | undefined {
  tables.empty();
  const reading = readHeader(bytes, 0, tables);
  if (reading.kind !== 'member' || reading.header.fileId !== fileId) return undefined;
  assertWhole(reading.header, bytes);
  if (claimedBodyLength(bytes) > atOnceBytes) return undefined;
  return inflateMemberSync(bytes, { headerLength: reading.header.headerLength, maxBytes });
}
