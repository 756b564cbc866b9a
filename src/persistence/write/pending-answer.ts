/** What a lookup gets of an entry that waits to be written. */

import { compareStamps } from '../../stamp.js';
import type { TierRecord } from '../../tier.js';

import { hashMethod } from '../format/partition-name.js';
import { hashTag } from '../format/tombstone.js';
import type { PartitionIndex } from '../index/partition-index.js';
import type { BufferedEntry } from './write-buffer.js';

/** The waiting value, `deleted` where it is not to be answered any more, nothing where the files know better. */
export function answerOf(
  entry: BufferedEntry,
  index: PartitionIndex,
  now: number,
): TierRecord | 'deleted' | undefined {
  const known = index.stampOf(entry.key);
  // Another writer's is newer.
  if (known !== undefined && compareStamps(known, entry.stamp) > 0) return undefined;
  if (entry.kind === 'tombstone') return 'deleted';
  const { record } = entry;
  const { expiresAt } = record.metadata;
  if (expiresAt !== null && now >= expiresAt) return 'deleted';
  if (index.isCleared(hashMethod(entry.method), record.stamp)) return 'deleted';
  if (record.tags?.some((tag) => index.isTagInvalid(hashTag(tag), record.stamp))) return 'deleted';
  return record;
}

/** What waits, or what another process hands over where that is newer. A deletion of ours counts before that. */
export function newestOf(
  own: BufferedEntry | undefined,
  given: TierRecord | undefined,
): BufferedEntry | undefined {
  if (given === undefined || own?.kind === 'tombstone') return own;
  if (own !== undefined && compareStamps(own.stamp, given.stamp) >= 0) return own;
  const { key, method, stamp } = given;
  return { kind: 'value', key, method, stamp, record: given };
}
