/** The records of an index by number, in chunks, and going through those that are values. */

import { TimeSlice } from '../../next-turn.js';
import { entryKind } from '../format/member-header.js';

import { chunkMask, chunkRecords, chunkShift, makeChunk, type RecordChunk } from './columns.js';

export class RecordTable {
  readonly chunks: RecordChunk[] = [];
  #size = 0;

  /** The chunk of a record, which is there from now on. Numbers come one after another. */
  ensure(record: number): RecordChunk {
    if (record === this.#size) {
      if ((record & chunkMask) === 0) this.chunks.push(makeChunk());
      this.#size += 1;
    }
    return this.chunkOf(record);
  }

  chunkOf(record: number): RecordChunk {
    return this.chunks[record >>> chunkShift]!;
  }

  eachValue(visit: (chunk: RecordChunk, at: number, record: number) => void): void {
    for (let record = 0; record < this.#size; record += 1) {
      const chunk = this.chunkOf(record);
      const at = record & chunkMask;
      if (chunk.kind[at] === entryKind.value) visit(chunk, at, record);
    }
  }

  /** The same, while others run: there may be millions. */
  async eachValueInSlices(visit: (chunk: RecordChunk, at: number) => void): Promise<void> {
    const slice = new TimeSlice();
    for (let first = 0; first < this.#size; first += chunkRecords) {
      if (slice.isOver) await slice.next();
      const chunk = this.chunkOf(first);
      const end = Math.min(chunkRecords, this.#size - first);
      for (let at = 0; at < end; at += 1) if (chunk.kind[at] === entryKind.value) visit(chunk, at);
    }
  }
}
