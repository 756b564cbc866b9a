/** A hash table of 16-byte keys in flat memory: a million keys cost 32 MB and not one object. */

import { randomBytes } from 'node:crypto';
import { keyOfWords } from './entry-table.js';

const chunkKeys = 4_096;
const chunkShift = 12;
const chunkMask = chunkKeys - 1;

/** Numbers keys in the order they come, from 0. Keys are never taken out. */
export class KeyTable {
  /** Pairs of a key's hash and its number + 1, side by side in one cache line; 0 is free. */
  #slots = new Uint32Array(2 * 1_024);
  #mask = 1_023;
  readonly #chunks: Uint32Array[] = [];
  readonly #seed0: number;
  readonly #seed1: number;
  #size = 0;

  constructor() {
    // Keys may come from hostile files; seeds that nobody knows keep them from all falling into one slot.
    const random = randomBytes(8);
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
    const slot = this.#slotOf(this.#hash(a, b, c, d), a, b, c, d);
    return this.#slots[slot + 1]! - 1;
  }

  /** The number of a key that is added if it is new. */
  add(words: Uint32Array, at: number): number {
    const a = words[at]!;
    const b = words[at + 1]!;
    const c = words[at + 2]!;
    const d = words[at + 3]!;
    const hash = this.#hash(a, b, c, d);
    const slot = this.#slotOf(hash, a, b, c, d);
    const known = this.#slots[slot + 1]!;
    if (known !== 0) return known - 1;
    const number = this.#size;
    if ((number & chunkMask) === 0) this.#chunks.push(new Uint32Array(chunkKeys * 4));
    const chunk = this.#chunks[number >>> chunkShift]!;
    const first = (number & chunkMask) * 4;
    chunk[first] = a;
    chunk[first + 1] = b;
    chunk[first + 2] = c;
    chunk[first + 3] = d;
    this.#slots[slot] = hash;
    this.#slots[slot + 1] = number + 1;
    this.#size = number + 1;
    if (this.#size * 8 > this.#mask * 5) this.#grow();
    return number;
  }

  /** The key of this number, 32 hex digits. */
  keyOf(number: number): string {
    return keyOfWords(this.#chunks[number >>> chunkShift]!, (number & chunkMask) * 4);
  }

  /** Where a key is, or where it would be put. */
  #slotOf(hash: number, a: number, b: number, c: number, d: number): number {
    const slots = this.#slots;
    for (let at = hash & this.#mask; ; at = (at + 1) & this.#mask) {
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

  #grow(): void {
    const old = this.#slots;
    this.#mask = this.#mask * 2 + 1;
    const slots = new Uint32Array(2 * (this.#mask + 1));
    for (let slot = 0; slot < old.length; slot += 2) {
      const known = old[slot + 1]!;
      if (known === 0) continue;
      let at = old[slot]! & this.#mask;
      while (slots[2 * at + 1] !== 0) at = (at + 1) & this.#mask;
      slots[2 * at] = old[slot]!;
      slots[2 * at + 1] = known;
    }
    this.#slots = slots;
  }
}
