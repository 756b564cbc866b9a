/** Markers that are in no file yet, taken into an index. */

import { noKey } from './marker-table.js';
import { hashTag } from './member-body.js';
import { entryKind } from './partition-codec.js';
import type { PartitionIndex } from './partition-index.js';
import { hashMethod } from './partition-path.js';
import type { PendingMarker } from './pending-entries.js';

/** Lets the index know a marker at once, before it is written. */
export function markIndex(index: PartitionIndex, { scope, stamp }: PendingMarker): void {
  if (scope.kind === 'all') index.mark(entryKind.clearAll, noKey, stamp);
  else if (scope.kind === 'tag') index.mark(entryKind.invalidateTag, hashTag(scope.tag), stamp);
  else index.mark(entryKind.clearMethod, hashMethod(scope.method), stamp);
}
