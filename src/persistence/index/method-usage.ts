/** What the files of an index hold of each method. */

import type { TierUsage } from '../../tier.js';
import { unnamedMethod } from '../format/tombstone.js';
import type { PartitionIndex } from './partition-index.js';

/** Of files that are still there: values that are the newest of their keys and have not expired, and all bytes. */
export async function methodUsage(index: PartitionIndex, now: number): Promise<TierUsage[]> {
  const live = await index.liveCounts(now);
  const byMethod = new Map<string, { entries: number; bytes: number; files: number }>();
  for (const [number, { method = unnamedMethod, isGone, scannedBytes }] of index.files.entries()) {
    if (isGone) continue;
    const sum = byMethod.get(method) ?? { entries: 0, bytes: 0, files: 0 };
    sum.entries += live[number] ?? 0;
    sum.bytes += scannedBytes;
    sum.files += 1;
    byMethod.set(method, sum);
  }
  return Array.from(byMethod, ([method, sum]) => ({ method, ...sum }));
}
