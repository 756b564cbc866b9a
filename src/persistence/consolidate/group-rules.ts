/** What decides over the entries of a group of partitions: what is known of the rest of the folder. */

import { join } from 'node:path';
import type { ResolvedDiskOptions } from '../disk-options.js';

import { entryKind } from '../format/member-header.js';
import { hashMethod } from '../format/partition-name.js';
import { hashTag } from '../format/tombstone.js';
import type { PartitionIndex } from '../index/partition-index.js';
import type { PartitionFiles } from '../write/partition-files.js';
import type { MergeRules } from './merge-rules.js';
import type { PlannedGroup } from './plan.js';

/** What the rules are made from. */
export interface GroupRulesRequest {
  readonly options: ResolvedDiskOptions;
  readonly maker: PartitionFiles;
  readonly index: () => PartitionIndex;
  readonly now: () => number;
  readonly group: PlannedGroup;
  /** The group's month folder. */
  readonly folder: string;
  /** The names of the group's files. */
  readonly sources: ReadonlySet<string>;
  /** The temporary files of merges that don't concern this group, and its own, by name. */
  readonly unrelated: ReadonlySet<string>;
  readonly dropShare: number;
}

/**
 * In the place of what is dropped early, keys stay deleted for so long: writers may hold older entries back. Deletions
 * in a shared folder as well, however short `tombstoneTtl` is: they tell others what to drop from memory.
 */
const shortestTombstoneTtl = 3_600_000;

/** To be asked for once the sources are open and the temporary file is there. */
export async function makeGroupRules(request: GroupRulesRequest): Promise<MergeRules> {
  const { options, maker, now, group, folder, sources, unrelated, dropShare } = request;
  const names = await maker.listings.list(folder);
  const index = request.index();
  const isEverything = group.methodHash === hashMethod('');
  const hasOthersUnderWay = names.temporary.some((name) => !unrelated.has(name));
  const hasUnknown = names
    .partitions(isEverything ? undefined : group.methodHash)
    .some(({ fileName }) => index.fileTable.at(join(folder, fileName)).length === 0);
  const hasUnreadable =
    index.unreadable.concerning(isEverything ? undefined : group.methodHash) !== undefined;
  // Stamps from here on may be covered by a deletion among the sources.
  let oldest = hasOthersUnderWay || hasUnknown || hasUnreadable ? 0 : Number.POSITIVE_INFINITY;
  for (const file of isEverything ? index.files : index.fileTable.concerning(group.methodHash)) {
    if (file.isGone || sources.has(file.path)) continue;
    oldest = Math.min(oldest, file.isReadOnly ? 0 : index.fileTable.extentOf(file).oldest);
  }
  const { mode, tombstoneTtl } = options;
  const deletionLife = mode === 'multi' ? Math.max(tombstoneTtl, shortestTombstoneTtl) : tombstoneTtl;
  const isYoung = (time: number, life: number) => now() - time / 1000 < life;
  return {
    now: now(),
    known: index,
    isCleared: index.tombstones.hasClears
      ? (methodHash, stamp) => index.isTombstoneKnown(entryKind.clearMethod, methodHash, stamp)
      : undefined,
    keepsTombstone: (time) => oldest <= time || isYoung(time, deletionLife),
    keepsDroppedKey: (time) => oldest <= time || isYoung(time, shortestTombstoneTtl),
    isTagInvalid: index.tombstones.hasTags
      ? (tag, stamp) => index.isTagInvalid(hashTag(tag), stamp)
      : undefined,
    dropShare,
  };
}
