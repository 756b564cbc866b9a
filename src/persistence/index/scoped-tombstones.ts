/** The newest marker of each method, or of each tag, in flat memory: hostile files hold a million. */

import { compareStamps, type Stamp } from '../../stamp.js';
import { wordsOfKey, writerOfWords } from '../format/header-entries.js';
import { KeyTable } from './key-table.js';

/** A marker as the words of a header tell it. */
export interface MarkerWords {
  /** The four words of what it covers start here. */
  words: Uint32Array;
  at: number;
  time: number;
  /** The two words of the stamp's writer start here. */
  writerWords: Uint32Array;
  writerAt: number;
}

export class ScopedTombstones {
  readonly #max: number;
  #keys = new KeyTable();
  #times = new Float64Array(16);
  /** Two words each. */
  #writers = new Uint32Array(32);
  /** Of the scopes that were too many: whatever has any scope and is not newer counts as covered. */
  #watermark: Stamp | undefined;
  readonly #scratch = new Uint32Array(4);
  /** What was asked for last: entries of one method come one after another. */
  #lastKey: string | undefined;
  #lastNumber = -1;

  /** @param max how many scopes are told apart at least; up to twice as many are */
  constructor(max: number) {
    this.#max = max;
  }

  get hasAny(): boolean {
    return this.#keys.size > 0 || this.#watermark !== undefined;
  }

  find(key: string): Stamp | undefined {
    const number = this.#numberOf(key);
    return number < 0 ? undefined : this.#stampOf(number);
  }

  covers(key: string, stamp: Stamp): boolean {
    if (isCovered(stamp, this.#watermark)) return true;
    const number = this.#numberOf(key);
    if (number < 0 || stamp.time > this.#times[number]!) return false;
    return isCovered(stamp, this.#stampOf(number));
  }

  /** Takes a marker in, and tells whether it is newer than those known. */
  add(marker: MarkerWords): boolean {
    const watermark = this.#watermark;
    if (watermark !== undefined && marker.time <= watermark.time && isCovered(stampOf(marker), watermark))
      return false;
    const known = this.#keys.size;
    const number = this.#keys.add(marker.words, marker.at);
    if (number < known) {
      const time = this.#times[number]!;
      if (marker.time < time) return false;
      if (marker.time === time && isCovered(stampOf(marker), this.#stampOf(number))) return false;
    } else {
      this.#lastKey = undefined;
      if (number === this.#times.length) this.#grow();
    }
    this.#times[number] = marker.time;
    this.#writers[2 * number] = marker.writerWords[marker.writerAt]!;
    this.#writers[2 * number + 1] = marker.writerWords[marker.writerAt + 1]!;
    if (this.#keys.size > 2 * this.#max) this.#fold();
    return true;
  }

  /** Folds the older half into the watermark: too much is loaded anew, and nothing comes back. */
  #fold(): void {
    const { size } = this.#keys;
    const sorted = this.#times.slice(0, size).sort();
    const limit = sorted[size - this.#max - 1]!;
    const keys = new KeyTable();
    for (let number = 0; number < size; number += 1) {
      if (this.#times[number]! > limit) {
        this.#keys.copyKey(number, this.#scratch);
        const place = keys.add(this.#scratch, 0);
        this.#times[place] = this.#times[number]!;
        this.#writers.copyWithin(2 * place, 2 * number, 2 * number + 2);
      } else if (this.#times[number] === limit) {
        const stamp = this.#stampOf(number);
        if (!isCovered(stamp, this.#watermark)) this.#watermark = stamp;
      }
    }
    this.#keys = keys;
    this.#lastKey = undefined;
  }

  #grow(): void {
    const [times, writers] = [this.#times, this.#writers];
    this.#times = new Float64Array(2 * times.length);
    this.#times.set(times);
    this.#writers = new Uint32Array(2 * writers.length);
    this.#writers.set(writers);
  }

  #numberOf(key: string): number {
    if (key !== this.#lastKey) {
      this.#lastNumber = this.#keys.find(wordsOfKey(key, this.#scratch), 0);
      this.#lastKey = key;
    }
    return this.#lastNumber;
  }

  #stampOf(number: number): Stamp {
    return { time: this.#times[number]!, writer: writerOfWords(this.#writers, 2 * number) };
  }
}

/** The stamp of a marker. */
export function stampOf({ time, writerWords, writerAt }: MarkerWords): Stamp {
  return { time, writer: writerOfWords(writerWords, writerAt) };
}

/** Whether a marker covers what has this stamp: what is not newer than itself. */
export function isCovered(stamp: Stamp, marker: Stamp | undefined): boolean {
  return marker !== undefined && compareStamps(stamp, marker) <= 0;
}
