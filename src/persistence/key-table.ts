/** A hash table of 16-byte keys in flat memory: a million keys cost 24 MB and not one object. */

import { randomBytes } from 'node:crypto';

const chunkKeys = 4_096;
const chunkShift = 12;
const chunkMask = chunkKeys - 1;

/** Numbers keys in the order they come, from 0. Keys are never taken out. */
export class KeyTable {
  #slots = new Uint32Array(1_024);
  readonly #chunks: Uint32Array[] = [];
  readonly #seeds: readonly [number, number, number, number];
  #size = 0;

  constructor() {
    // Keys may come from hostile files; seeds that nobody knows keep them from all falling into one slot.
    const random = randomBytes(16);
    const seed = (at: number) => random.readUInt32LE(at) | 1;
    this.#seeds = [seed(0), seed(4), seed(8), seed(12)];
  }

  get size(): number {
    return this.#size;
  }

  /** The number of the key whose 16 bytes start at `at`, or -1. */
  find(bytes: Buffer, at: number): number {
    const [a, b, c, d] = words(bytes, at);
    return this.#slots[this.#slotOf(a, b, c, d)]! - 1;
  }

  /** The number of a key that is added if it is new. */
  add(bytes: Buffer, at: number): number {
    const [a, b, c, d] = words(bytes, at);
    const slot = this.#slotOf(a, b, c, d);
    const known = this.#slots[slot]!;
    if (known !== 0) return known - 1;
    const number = this.#size;
    if ((number & chunkMask) === 0) this.#chunks.push(new Uint32Array(chunkKeys * 4));
    const chunk = this.#chunks[number >>> chunkShift]!;
    const first = (number & chunkMask) * 4;
    chunk[first] = a;
    chunk[first + 1] = b;
    chunk[first + 2] = c;
    chunk[first + 3] = d;
    this.#slots[slot] = number + 1;
    this.#size = number + 1;
    if (this.#size * 4 > this.#slots.length * 3) this.#grow();
    return number;
  }

  /** The key of this number, 32 hex digits. */
  keyOf(number: number): string {
    const chunk = this.#chunks[number >>> chunkShift]!;
    const first = (number & chunkMask) * 4;
    const bytes = Buffer.allocUnsafe(16);
    for (let word = 0; word < 4; word += 1) bytes.writeUInt32LE(chunk[first + word]!, word * 4);
    return bytes.toString('hex');
  }

  #slotOf(a: number, b: number, c: number, d: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = this.#hash(a, b, c, d) & mask; ; slot = (slot + 1) & mask) {
      const known = this.#slots[slot]!;
      if (known === 0) return slot;
      const chunk = this.#chunks[(known - 1) >>> chunkShift]!;
      const first = ((known - 1) & chunkMask) * 4;
      const isSame =
        chunk[first] === a && chunk[first + 1] === b && chunk[first + 2] === c && chunk[first + 3] === d;
      if (isSame) return slot;
    }
  }

  #hash(a: number, b: number, c: number, d: number): number {
    const [s0, s1, s2, s3] = this.#seeds;
    let hash = Math.imul(a ^ s1, s0) + Math.imul(b ^ s0, s1);
    hash = Math.imul(hash ^ (hash >>> 15) ^ c, s2) + Math.imul(d ^ s2, s3);
    return (hash ^ (hash >>> 16)) >>> 0;
  }

  #grow(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2);
    const mask = this.#slots.length - 1;
    for (let number = 0; number < this.#size; number += 1) {
      const chunk = this.#chunks[number >>> chunkShift]!;
      const first = (number & chunkMask) * 4;
      let slot = this.#hash(chunk[first]!, chunk[first + 1]!, chunk[first + 2]!, chunk[first + 3]!) & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = number + 1;
    }
  }
}

function words(bytes: Buffer, at: number): [number, number, number, number] {
  return [
    bytes.readUInt32LE(at),
    bytes.readUInt32LE(at + 4),
    bytes.readUInt32LE(at + 8),
    bytes.readUInt32LE(at + 12),
  ];
}
