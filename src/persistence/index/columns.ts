/** The columns of an index: records, members and writers in flat memory, by number. */

/** Records come in chunks, so that growing copies nothing. */
export const chunkRecords = 4_096;
export const chunkShift = 12;
export const chunkMask = chunkRecords - 1;

/** The kind of a record whose place is lost: its file has gone or can't be read. The stamp stays, so nothing older shows. */
export const lost = 255;

/** What is known of the newest entry of each of some keys. */
export interface RecordChunk {
  readonly time: Float64Array;
  readonly expiry: Float64Array;
  readonly member: Uint32Array;
  readonly offset: Uint32Array;
  readonly writer: Uint32Array;
  readonly kind: Uint8Array;
}

export function makeChunk(): RecordChunk {
  return {
    time: new Float64Array(chunkRecords),
    expiry: new Float64Array(chunkRecords),
    member: new Uint32Array(chunkRecords),
    offset: new Uint32Array(chunkRecords),
    writer: new Uint32Array(chunkRecords),
    kind: new Uint8Array(chunkRecords),
  };
}

/** Where members lie: the number of their file, the first byte, and their length. */
export class MemberTable {
  file = new Uint32Array(256);
  position = new Float64Array(256);
  length = new Uint32Array(256);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Adds a member and returns its number. */
  add(file: number, position: number, length: number): number {
    const number = this.#count;
    if (number === this.file.length) this.#grow();
    this.file[number] = file;
    this.position[number] = position;
    this.length[number] = length;
    this.#count += 1;
    return number;
  }

  #grow(): void {
    const { file, position, length } = this;
    this.file = new Uint32Array(file.length * 2);
    this.position = new Float64Array(file.length * 2);
    this.length = new Uint32Array(file.length * 2);
    this.file.set(file);
    this.position.set(position);
    this.length.set(length);
  }
}

/** Numbers in the order of their groups, those of one group in the order they are visited (a counting sort). */
export function sortByGroup(
  groups: number,
  each: (visit: (group: number, number: number) => void) => void,
): Uint32Array {
  const starts = new Uint32Array(groups + 1);
  each((group) => {
    starts[group + 1]! += 1;
  });
  for (let group = 0; group < groups; group += 1) starts[group + 1]! += starts[group]!;
  const sorted = new Uint32Array(starts[groups]!);
  each((group, number) => {
    sorted[starts[group]!++] = number;
  });
  return sorted;
}
