/** Markers that are in no file yet, taken into an index. */

import { markerAddress } from './member-body.js';
import type { PartitionIndex } from './partition-index.js';
import type { PendingMarker } from './pending-entries.js';

/** Lets the index know a marker at once, before it is written. */
export function markIndex(index: PartitionIndex, { scope, stamp }: PendingMarker): void {
  const { kind, key } = markerAddress(scope);
  index.mark(kind, key, stamp);
}
