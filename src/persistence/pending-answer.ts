/** What a lookup gets of an entry that waits to be written. */

import { compareStamps } from '../stamp.js';
import type { TierRecord } from '../tier.js';
import { hashTag } from './member-body.js';
import type { PartitionIndex } from './partition-index.js';
import { hashMethod } from './partition-path.js';
import type { PendingEntry } from './pending-entries.js';

/** The waiting value, `deleted` where it is not to be answered any more, nothing where the files know better. */
export function answerOf(
  entry: PendingEntry,
  index: PartitionIndex,
  now: number,
): TierRecord | 'deleted' | undefined {
  const known = index.stampOf(entry.key);
  // Another writer's is newer.
  if (known !== undefined && compareStamps(known, entry.stamp) > 0) return undefined;
  if (entry.kind === 'deletion') return 'deleted';
  const { record } = entry;
  const { expiresAt } = record.metadata;
  if (expiresAt !== null && now >= expiresAt) return 'deleted';
  if (index.isCleared(hashMethod(entry.method), record.stamp)) return 'deleted';
  if (record.tags?.some((tag) => index.isTagInvalid(hashTag(tag), record.stamp))) return 'deleted';
  return record;
}
