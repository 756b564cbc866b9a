/**
 * The entries of a member's header and the ids of their writers, as the 32-bit words they are made of: an index takes in
 * millions of them.
 */

/** What an entry of a header is. Readers skip kinds they don't know. */
export const entryKind = { value: 0, tombstone: 1, clearMethod: 2, invalidateTag: 3, clearAll: 4 } as const;

/** A stamp beyond this (the year 2112) is no stamp: taken at its word it would outrank all others for ever. */
export const maxStampTime = 2 ** 52;

/** Bytes of one entry in a header. */
export const entryBytes = 40;

/** The words of one entry; the first four are its key. */
export const entryWords = entryBytes / 4;

/** Bytes and words of a writer's id. */
export const writerBytes = 8;
const writerWords = writerBytes / 4;

const never = 0xffffffff;
const two32 = 2 ** 32;
const isLittleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;
/** Tables are cut from slabs: each for itself, they would be a garbage collection's work. */
const slabWords = 32 * 1_024;

/** Memory that tables are cut from. What is read to be used at once and then no more has a room of its own, used again. */
export class TableRoom {
  words = new Uint32Array(0);
  bytes = Buffer.alloc(0);
  #used = 0;
  #isUsedAgain = false;

  /** So many words, which begin at the number returned. */
  take(size: number): number {
    if (this.#used + size > this.words.length) {
      const grown = this.#isUsedAgain ? 2 * this.words.length : 0;
      this.words = new Uint32Array(Math.max(slabWords, size, grown));
      this.bytes = Buffer.from(this.words.buffer);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += size;
    return start;
  }

  /** Takes all back: what was cut from it is good no more. */
  empty(): void {
    this.#used = 0;
    this.#isUsedAgain = true;
  }
}

/** For tables that stay for as long as anybody wants. */
const lastingRoom = new TableRoom();

export class EntryTable {
  /** The words of all entries, from `start` on; right before them those of the writers' ids. */
  readonly words: Uint32Array;
  readonly start: number;
  readonly count: number;
  /** How many ids of writers there are besides the member's own. */
  readonly writers: number;

  private constructor(words: Uint32Array, start: number, count: number, writers: number) {
    this.words = words;
    this.start = start;
    this.count = count;
    this.writers = writers;
  }

  /** A copy of so many ids of writers and entries, which lie one after another as a header holds them. */
  static copyOf(
    bytes: Buffer,
    from: number,
    counts: { writers: number; entries: number },
    room: TableRoom = lastingRoom,
  ): EntryTable {
    const { writers, entries } = counts;
    const size = writers * writerWords + entries * entryWords;
    const start = room.take(size);
    bytes.copy(room.bytes, start * 4, from, from + size * 4);
    if (!isLittleEndian) room.bytes.subarray(start * 4, (start + size) * 4).swap32();
    return new EntryTable(room.words, start + writers * writerWords, entries, writers);
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

  /** The place of the first word of a writer's id, by its number from 1 on. */
  writerAt(number: number): number {
    return this.start - (this.writers - number + 1) * writerWords;
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
    const stored: number[] = [];
    for (let entry = 0; entry < this.count; entry += 1) if (holds(entry)) stored.push(entry);
    const start = this.writers * writerWords;
    const words = new Uint32Array(start + stored.length * entryWords);
    words.set(this.words.subarray(this.start - start, this.start));
    for (const [place, entry] of stored.entries()) {
      words.set(this.words.subarray(this.at(entry), this.at(entry + 1)), start + place * entryWords);
    }
    return new EntryTable(words, start, stored.length, this.writers);
  }

  /** What is wrong with the entries, if anything is. */
  fault(): string | undefined {
    let previous = -1;
    for (let entry = 0; entry < this.count; entry += 1) {
      if (this.stampTime(entry) >= maxStampTime) return 'an impossible stamp';
      if (this.writerNumber(entry) > this.writers) return 'an unknown writer';
      const offset = this.offset(entry);
      if (offset <= previous) return 'entries out of order';
      previous = offset;
    }
    return undefined;
  }
}

/** For one key or writer at a time. */
const keyBytes = Buffer.alloc(16);

/** The key of four words. */
export function keyOfWords(words: Uint32Array, at: number): string {
  for (let word = 0; word < 4; word += 1) keyBytes.writeUInt32LE(words[at + word]!, word * 4);
  return keyBytes.toString('hex');
}

/** The writer's id of two words, 16 hex digits. */
export function writerOfWords(words: Uint32Array, at: number): string {
  for (let word = 0; word < writerWords; word += 1) keyBytes.writeUInt32LE(words[at + word]!, word * 4);
  return keyBytes.toString('hex', 0, writerBytes);
}

/** The id that was turned into words last: all members of a file mention one. */
let lastWriter = '';
const lastWords = new Uint32Array(writerWords);

/** The two words of a writer's id. */
export function wordsOfWriter(writer: string, words: Uint32Array): Uint32Array {
  if (writer !== lastWriter) {
    const bytes = Buffer.from(writer, 'hex');
    for (let word = 0; word < writerWords; word += 1) lastWords[word] = bytes.readUInt32LE(word * 4);
    lastWriter = writer;
  }
  for (let word = 0; word < writerWords; word += 1) words[word] = lastWords[word]!;
  return words;
}

/** The four words of a key. */
export function wordsOfKey(key: string, words: Uint32Array): Uint32Array {
  const bytes = Buffer.from(key, 'hex');
  for (let word = 0; word < 4; word += 1) words[word] = bytes.readUInt32LE(word * 4);
  return words;
}
