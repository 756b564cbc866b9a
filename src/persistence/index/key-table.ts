/** A hash table of 16-byte keys in flat memory: a million keys cost 32 MB and not one object. */

import { nodeCrypto } from '../../node-crypto.js';
import { keyOfWords } from '../format/header-entries.js';

const chunkKeys = 4_096;
const chunkShift = 12;
const chunkMask = chunkKeys - 1;

/** Hash tables beside each other, each of the keys whose hash begins with its number: none grows for long. */
const shards = 64;
const shardShift = 26;
const firstSlots = 16;

/** Numbers keys in the order they come, from 0. Keys are never taken out. */
export class KeyTable {
  /** Pairs of a key's hash and its number + 1, side by side in one cache line; 0 is free. */
  readonly #slots = Array.from({ length: shards }, () => new Uint32Array(2 * firstSlots));
  /** Keys in each shard. */
  readonly #counts = new Uint32Array(shards);
  readonly #chunks: Uint32Array[] = [];
  readonly #seed0: number;
  readonly #seed1: number;
  #size = 0;

  constructor() {
    // Keys may come from hostile files; seeds that nobody knows keep them from all falling into one slot.
    const random = nodeCrypto().randomBytes(8);
    this.#seed0 = random.readUInt32LE(0) | 1;
    this.#seed1 = random.readUInt32LE(4) | 1;
  }

  get size(): number {
    return this.#size;
  }

  /** The number of the key whose four words start at `at`, or -1. */
  find(words: Uint32Array, at: number): number {
    const a = words[at]!;
    const b = words[at + 1]!;
    const c = words[at + 2]!;
    const d = words[at + 3]!;
    const hash = this.#hash(a, b, c, d);
    const slots = this.#slots[hash >>> shardShift]!;
    return slots[this.#slotOf(slots, hash, a, b, c, d) + 1]! - 1;
  }

  /** The number of a key that is added if it is new. */
  add(words: Uint32Array, at: number): number {
    const a = words[at]!;
    const b = words[at + 1]!;
    const c = words[at + 2]!;
    const d = words[at + 3]!;
    const hash = this.#hash(a, b, c, d);
    const shard = hash >>> shardShift;
    const slots = this.#slots[shard]!;
    const slot = this.#slotOf(slots, hash, a, b, c, d);
    const known = slots[slot + 1]!;
    if (known !== 0) return known - 1;
    const number = this.#size;
    if ((number & chunkMask) === 0) this.#chunks.push(new Uint32Array(chunkKeys * 4));
    const chunk = this.#chunks[number >>> chunkShift]!;
    const first = (number & chunkMask) * 4;
    chunk[first] = a;
    chunk[first + 1] = b;
    chunk[first + 2] = c;
    chunk[first + 3] = d;
    slots[slot] = hash;
    slots[slot + 1] = number + 1;
    this.#size = number + 1;
    this.#counts[shard]! += 1;
    if (this.#counts[shard]! > fullest(shard) * (slots.length / 2)) this.#slots[shard] = grown(slots);
    return number;
  }

  /** The key of this number, 32 hex digits. */
  keyOf(number: number): string {
    return keyOfWords(this.#chunks[number >>> chunkShift]!, (number & chunkMask) * 4);
  }

  /** Writes the four words of the key of this number to the beginning of `words`. */
  copyKey(number: number, words: Uint32Array): void {
    const chunk = this.#chunks[number >>> chunkShift]!;
    const first = (number & chunkMask) * 4;
    for (let word = 0; word < 4; word += 1) words[word] = chunk[first + word]!;
  }

  /** Where in its shard a key is, or where it would be put. */
  #slotOf(slots: Uint32Array, hash: number, a: number, b: number, c: number, d: number): number {
    const mask = slots.length / 2 - 1;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const known = slots[2 * at + 1]!;
      if (known === 0) return 2 * at;
      if (slots[2 * at] !== hash) continue;
      const chunk = this.#chunks[(known - 1) >>> chunkShift]!;
      const first = ((known - 1) & chunkMask) * 4;
      if (chunk[first] !== a || chunk[first + 1] !== b) continue;
      if (chunk[first + 2] === c && chunk[first + 3] === d) return 2 * at;
    }
  }

  #hash(a: number, b: number, c: number, d: number): number {
    let hash = Math.imul(a ^ this.#seed1, this.#seed0) ^ b;
    hash = Math.imul(hash ^ (hash >>> 15), this.#seed1) ^ c;
    hash = Math.imul(hash ^ (hash >>> 13), this.#seed0) ^ d;
    hash = Math.imul(hash ^ (hash >>> 16), this.#seed1);
    return (hash ^ (hash >>> 14)) >>> 0;
  }
}

/** The share of its slots that a shard uses at most: 1/2 to 7/10, since all of one share would grow at the same time. */
function fullest(shard: number): number {
  return 0.5 + (0.2 * shard) / shards;
}

/** Twice the slots, with what these hold. */
function grown(old: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const mask = old.length - 1;
  const slots = new Uint32Array(2 * old.length);
  for (let slot = 0; slot < old.length; slot += 2) {
    const known = old[slot + 1]!;
    if (known === 0) continue;
    let at = old[slot]! & mask;
    while (slots[2 * at + 1] !== 0) at = (at + 1) & mask;
    slots[2 * at] = old[slot]!;
    slots[2 * at + 1] = known;
  }
  return slots;
}
