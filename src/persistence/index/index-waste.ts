/**
 * How much of an index is of files that have gone. Neither keys nor files are ever taken out of one, so where most of it
 * is waste a new one is built from what is there.
 */

import { chunkMask, chunkShift, lost, type RecordChunk } from './columns.js';
import type { PartitionFile } from './partition-file.js';

/** Below this, what an index wastes is not worth reading the folder again: about 1 MB. */
const leastRecords = 10_000;
const leastFiles = 1_000;

/** Looks through an index, and only where files have gone since the last look. */
export class IndexWaste {
  #goneFiles = 0;

  /** Whether most of the records, or of the files, have gone; `fileOf` is the number of each member's file. */
  isMost(
    files: readonly PartitionFile[],
    fileOf: Uint32Array,
    chunks: readonly RecordChunk[],
    records: number,
  ): boolean {
    const isGone = files.map((file) => file.isGone);
    const gone = isGone.filter(Boolean).length;
    if (gone === this.#goneFiles) return false;
    this.#goneFiles = gone;
    if (gone > Math.max(leastFiles, files.length / 2)) return true;
    if (records < leastRecords) return false;
    let waste = 0;
    for (let record = 0; record < records; record += 1) {
      const chunk = chunks[record >>> chunkShift]!;
      const at = record & chunkMask;
      if (chunk.kind[at] === lost || isGone[fileOf[chunk.member[at]!]!]) waste += 1;
    }
    return waste > records / 2;
  }
}
