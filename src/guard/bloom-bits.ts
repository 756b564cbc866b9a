/**
 * The bits of a Bloom filter (Bloom, CACM 1970) over keys that are md5 digests.
 *
 * Our own, because libraries hash a key once more for each of its bits, while an md5 digest is evenly spread already:
 * two parts of it give all positions by enhanced double hashing (Dillinger, Manolios 2004).
 */

import { InvalidArgumentError } from '../errors.js';

/** How many bits there are and how many of them each key sets. */
export interface BloomShape {
  /** 64 to 2^32. */
  readonly bitCount: number;
  readonly hashCount: number;
}

/** The largest filter: 512 MiB. */
export const mostBits = 2 ** 32;

/** The smallest shape that holds so many keys at this false-positive rate. */
export function bloomShape(capacity: number, falsePositiveRate: number): BloomShape {
  const bitsPerKey = -Math.log(falsePositiveRate) / Math.LN2 ** 2;
  const bitCount = Math.max(64, Math.ceil(capacity * bitsPerKey));
  return { bitCount, hashCount: Math.max(1, Math.round(bitsPerKey * Math.LN2)) };
}

/** A fixed number of bits into which keys are put. */
export class BloomBits implements BloomShape {
  readonly bitCount: number;
  readonly hashCount: number;
  readonly words: Uint32Array;
  #onesCount: number;

  /** @param words the bits themselves, if there are any yet */
  constructor({ bitCount, hashCount }: BloomShape, words = new Uint32Array(Math.ceil(bitCount / 32))) {
    this.bitCount = bitCount;
    this.hashCount = hashCount;
    this.words = words;
    this.#onesCount = countOnes(words);
  }

  /** The share of unknown keys that are taken for known ones, going by the bits that are set. */
  get falsePositiveRate(): number {
    return (this.#onesCount / this.bitCount) ** this.hashCount;
  }

  /** How many keys were probably put in, going by the bits that are set (Swamidass, Baldi 2007). */
  get estimatedSize(): number {
    const zerosShare = Math.max(1, this.bitCount - this.#onesCount) / this.bitCount;
    return Math.round((-this.bitCount / this.hashCount) * Math.log(zerosShare));
  }

  /** Puts a key in and returns whether that changed anything. */
  add(key: string): boolean {
    let { position, step } = this.#firstPosition(key);
    let added = false;
    for (let i = 1; i <= this.hashCount; i++) {
      const word = position >>> 5;
      const bit = 1 << (position & 31);
      const before = this.words[word]!;
      if ((before & bit) === 0) {
        this.words[word] = before | bit;
        this.#onesCount++;
        added = true;
      }
      position = this.#wrap(position + step);
      step = this.#wrap(step + i);
    }
    return added;
  }

  has(key: string): boolean {
    let { position, step } = this.#firstPosition(key);
    for (let i = 1; i <= this.hashCount; i++) {
      if ((this.words[position >>> 5]! & (1 << (position & 31))) === 0) return false;
      position = this.#wrap(position + step);
      step = this.#wrap(step + i);
    }
    return true;
  }

  /** Puts everything in that is in bits of the same shape. */
  merge(other: BloomBits): void {
    for (let word = 0; word < this.words.length; word++) this.words[word]! |= other.words[word]!;
    this.#onesCount = countOnes(this.words);
  }

  /** Multiplied out and not `%`: the remainder of so large a double is slow. */
  #firstPosition(key: string): { position: number; step: number } {
    if (key.length !== 32) throw noKey(key);
    return {
      position: Math.floor(fractionAt(key, 0) * this.bitCount),
      step: Math.floor(fractionAt(key, 16) * this.bitCount),
    };
  }

  #wrap(position: number): number {
    return position >= this.bitCount ? position - this.bitCount : position;
  }
}

/** 16 hex digits as a number in [0, 1), of which a double holds the first 52 bits. */
function fractionAt(key: string, at: number): number {
  return (wordAt(key, at) * 2 ** 20 + (wordAt(key, at + 8) >>> 12)) / 2 ** 52;
}

const digits = new Int8Array(128).fill(-1);
for (let digit = 0; digit < 16; digit++) digits[digit.toString(16).charCodeAt(0)] = digit;

/** Eight hex digits as a number. By a table, because `parseInt` would neither be strict nor as fast. */
function wordAt(key: string, at: number): number {
  let word = 0;
  let checked = 0;
  for (let i = at; i < at + 8; i++) {
    const digit = digits[key.charCodeAt(i)] ?? -1;
    checked |= digit;
    word = (word << 4) | digit;
  }
  if (checked < 0) throw noKey(key);
  return word >>> 0;
}

function noKey(key: string): InvalidArgumentError {
  return new InvalidArgumentError(`Expected a key of 32 lower-case hex digits, got \`${key}\``);
}

function countOnes(words: Uint32Array): number {
  let count = 0;
  for (let word of words) {
    word -= (word >>> 1) & 0x55555555;
    word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
    word = (word + (word >>> 4)) & 0x0f0f0f0f;
    count += Math.imul(word, 0x01010101) >>> 24;
  }
  return count;
}
