/** The newest entry of each key among those put in, in flat memory. */

import { wordsOfWriter, writerOfWords } from '../format/header-entries.js';
import { type MemberHeader, writerOf } from '../format/member-header.js';
import { KeyTable } from '../index/key-table.js';

export class NewestEntries {
  readonly #keys = new KeyTable();
  /** By the key's number: which of all entries it is, its stamp's time, and the two words of its writer. */
  readonly #ordinals: Uint32Array;
  readonly #times: Float64Array;
  readonly #writers: Uint32Array;
  readonly #ownWriter = new Uint32Array(2);

  /** @param max how many keys may come; room that is not used takes no memory */
  constructor(max: number) {
    this.#ordinals = new Uint32Array(max);
    this.#times = new Float64Array(max);
    this.#writers = new Uint32Array(2 * max);
  }

  /** The ordinal of the newest entry of a key, or -1. */
  find(words: Uint32Array, at: number): number {
    const number = this.#keys.find(words, at);
    return number < 0 ? -1 : this.#ordinals[number]!;
  }

  /** Puts an entry in. Where there was one of its key, the ordinal of the older of the two; the same again is older. */
  put(header: MemberHeader, entry: number, ordinal: number): number | undefined {
    const { entries } = header;
    const known = this.#keys.size;
    const number = this.#keys.add(entries.words, entries.at(entry));
    let replaced: number | undefined;
    if (number < known) {
      if (!this.#isNewer(header, entry, number)) return ordinal;
      replaced = this.#ordinals[number]!;
    }
    this.#ordinals[number] = ordinal;
    this.#times[number] = entries.stampTime(entry);
    const writer = entries.writerNumber(entry);
    const words = writer === 0 ? wordsOfWriter(header.writer, this.#ownWriter) : entries.words;
    const at = writer === 0 ? 0 : entries.writerAt(writer);
    this.#writers[2 * number] = words[at]!;
    this.#writers[2 * number + 1] = words[at + 1]!;
    return replaced;
  }

  #isNewer(header: MemberHeader, entry: number, number: number): boolean {
    const { entries } = header;
    const order = entries.stampTime(entry) - this.#times[number]!;
    if (order !== 0) return order > 0;
    return writerOf(header, entries.writerNumber(entry)) > writerOfWords(this.#writers, 2 * number);
  }
}
