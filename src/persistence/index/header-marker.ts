/** A marker where a header tells it: one object for all, since a million may come at once. */

import { wordsOfWriter } from '../format/header-entries.js';
import type { MemberHeader } from '../format/member-header.js';
import type { MarkerWords } from './scoped-tombstones.js';

export class HeaderMarker implements MarkerWords {
  readonly #ownWriter = new Uint32Array(2);
  words: Uint32Array = this.#ownWriter;
  at = 0;
  time = 0;
  writerWords: Uint32Array = this.#ownWriter;
  writerAt = 0;

  /** Makes it the marker that is this entry. */
  read({ writer, entries }: MemberHeader, entry: number): this {
    this.words = entries.words;
    this.at = entries.at(entry);
    this.time = entries.stampTime(entry);
    const number = entries.writerNumber(entry);
    this.writerWords = number === 0 ? wordsOfWriter(writer, this.#ownWriter) : entries.words;
    this.writerAt = number === 0 ? 0 : entries.writerAt(number);
    return this;
  }
}
