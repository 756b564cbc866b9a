/** Numbers for the ids of writers, in flat memory: they are few, but for hostile files. */

import { wordsOfWriter } from '../format/header-entries.js';
import { type MemberHeader, writerOf } from '../format/member-header.js';
import { KeyTable } from './key-table.js';

/** Ids that are at hand as texts too. */
const maxTexts = 1_000;
/** Hex digits of an id. */
const idLength = 16;

export class WriterTable {
  /** An id is half a key; the other half is 0. */
  readonly #ids = new KeyTable();
  readonly #words = new Uint32Array(4);
  readonly #texts: string[] = [];
  readonly #numbers = new Map<string, number>();

  idOf(number: number): string {
    return this.#texts[number] ?? this.#ids.keyOf(number).slice(0, idLength);
  }

  /** Which of two stamps is newer: positive when the first is. */
  compare(time: number, writer: number, otherTime: number, otherWriter: number): number {
    if (time !== otherTime) return time - otherTime;
    if (writer === otherWriter) return 0;
    return this.idOf(writer) < this.idOf(otherWriter) ? -1 : 1;
  }

  /** How the writer of a header's entry stands to the one of this number, by their ids as texts. */
  orderOf(header: MemberHeader, entry: number, number: number): number {
    const { entries } = header;
    const ofEntry = entries.writerNumber(entry);
    if (ofEntry > 0) {
      const at = entries.writerAt(ofEntry);
      this.#ids.copyKey(number, this.#words);
      if (this.#words[0] === entries.words[at] && this.#words[1] === entries.words[at + 1]) return 0;
    }
    const [writer, other] = [writerOf(header, ofEntry), this.idOf(number)];
    return writer === other ? 0 : writer < other ? -1 : 1;
  }

  /** The number of an id, which is added if it is new. */
  numberOf(writer: string): number {
    const known = this.#numbers.get(writer);
    return known ?? this.#add(wordsOfWriter(writer, this.#words));
  }

  /** The same for an id whose two words start at `at`. */
  numberOfWords(words: Uint32Array, at: number): number {
    this.#words[0] = words[at]!;
    this.#words[1] = words[at + 1]!;
    return this.#add(this.#words);
  }

  #add(words: Uint32Array): number {
    const known = this.#ids.size;
    const number = this.#ids.add(words, 0);
    if (number === known && number < maxTexts) {
      const text = this.idOf(number);
      this.#texts.push(text);
      this.#numbers.set(text, number);
    }
    return number;
  }
}
