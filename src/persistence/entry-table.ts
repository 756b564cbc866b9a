/** The entries of a member's header, as the 32-bit words they are made of: an index takes in millions of them. */

/** What an entry of a header is. Readers skip kinds they don't know. */
export const entryKind = { value: 0, deletion: 1, clearMethod: 2, invalidateTag: 3, clearAll: 4 } as const;

/** A stamp beyond this (the year 2112) is no stamp: taken at its word it would outrank all others for ever. */
export const maxStampTime = 2 ** 52;

/** Bytes of one entry in a header. */
export const entryBytes = 40;

/** The words of one entry; the first four are its key. */
export const entryWords = entryBytes / 4;

const never = 0xffffffff;
const two32 = 2 ** 32;
const isLittleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;
/** Tables are cut from slabs: each for itself, they would be a garbage collection's work. */
const slabWords = 32 * 1_024;

let slab = new Uint32Array(0);
let slabUsed = 0;

export class EntryTable {
  /** The words of all entries, from `start` on. */
  readonly words: Uint32Array;
  readonly start: number;
  readonly count: number;

  constructor(words: Uint32Array, start: number, count: number) {
    this.words = words;
    this.start = start;
    this.count = count;
  }

  /** A copy of entries as a header holds them. */
  static copyOf(bytes: Buffer, from: number, to: number): EntryTable {
    const count = Math.floor((to - from) / entryBytes);
    const size = count * entryWords;
    if (slabUsed + size > slab.length) {
      slab = new Uint32Array(Math.max(slabWords, size));
      slabUsed = 0;
    }
    const start = slabUsed;
    slabUsed += size;
    const copy = Buffer.from(slab.buffer, start * 4, size * 4);
    bytes.copy(copy, 0, from, from + size * 4);
    if (!isLittleEndian) copy.swap32();
    return new EntryTable(slab, start, count);
  }

  /** The place of an entry's first word. */
  at(entry: number): number {
    return this.start + entry * entryWords;
  }

  /** The key, 32 hex digits. */
  key(entry: number): string {
    return keyOfWords(this.words, this.at(entry));
  }

  kind(entry: number): number {
    return (this.words[this.at(entry) + 9]! >>> 16) & 0xff;
  }

  stampTime(entry: number): number {
    const at = this.at(entry);
    return this.words[at + 5]! * two32 + this.words[at + 4]!;
  }

  /** The number of the writer of the stamp: 0 is the member's own. */
  writerNumber(entry: number): number {
    return this.words[this.at(entry) + 9]! & 0xffff;
  }

  /** Epoch ms; infinite when it never expires. */
  expiry(entry: number): number {
    const at = this.at(entry);
    const low = this.words[at + 6]!;
    const high = this.words[at + 7]!;
    return high === never && low === never ? Number.POSITIVE_INFINITY : high * two32 + low;
  }

  /** Where its value starts in the inflated body. */
  offset(entry: number): number {
    return this.words[this.at(entry) + 8]!;
  }

  /** The entries that a claim holds for. */
  filter(holds: (entry: number) => boolean): EntryTable {
    const kept: number[] = [];
    for (let entry = 0; entry < this.count; entry += 1) if (holds(entry)) kept.push(entry);
    const words = new Uint32Array(kept.length * entryWords);
    for (const [place, entry] of kept.entries()) {
      words.set(this.words.subarray(this.at(entry), this.at(entry + 1)), place * entryWords);
    }
    return new EntryTable(words, 0, kept.length);
  }

  /** What is wrong with the entries of a header of so many writers, if anything is. */
  fault(writers: number): string | undefined {
    let previous = -1;
    for (let entry = 0; entry < this.count; entry += 1) {
      if (this.stampTime(entry) >= maxStampTime) return 'an impossible stamp';
      if (this.writerNumber(entry) > writers) return 'an unknown writer';
      const offset = this.offset(entry);
      if (offset <= previous) return 'entries out of order';
      previous = offset;
    }
    return undefined;
  }
}

/** The key of four words. */
export function keyOfWords(words: Uint32Array, at: number): string {
  const bytes = Buffer.allocUnsafe(16);
  for (let word = 0; word < 4; word += 1) bytes.writeUInt32LE(words[at + word]!, word * 4);
  return bytes.toString('hex');
}

/** The four words of a key. */
export function wordsOfKey(key: string, words: Uint32Array): Uint32Array {
  const bytes = Buffer.from(key, 'hex');
  for (let word = 0; word < 4; word += 1) words[word] = bytes.readUInt32LE(word * 4);
  return words;
}
