/** Estimates the heap that a value takes from the tokens of a walk over it. */

import { binaryElements, storableElements } from './element-bound.js';
import type { MsgpackSink } from './msgpack-writer.js';
import { Tag } from './rich-format.js';

// Sizes in V8 on 64 bits without pointer compression, which is how Node is built; checked by weighing 20,000
// values of each kind (`process.memoryUsage()` after `gc()`).
const slot = 8;
const objectHeader = 24;
const arrayHeader = 48;
const heapNumber = 16;
const stringHeader = 16;

/** A typed array, its ArrayBuffer and the record of its memory. */
export const binaryOverhead = 200;

/** From about this many keys on an object is a hash table, with keys that no other object shares. */
const sharedShapeKeys = 100;
const tableEntry = 48;

const notLatin1 = /[^\0-\xff]/;

/** Sums up bytes of heap. Keys count nothing as long as objects of one shape share them. */
export class HeapMeter implements MsgpackSink {
  bytes = slot;
  #keysCount = false;
  #elements = 0;

  nil(): void {}

  boolean(): void {}

  number(value: number): void {
    // Small integers sit in their slot.
    if (value >> 0 !== value) this.bytes += heapNumber;
  }

  string(value: string): void {
    this.bytes += stringBytes(value);
  }

  key(value: string): void {
    if (this.#keysCount) this.bytes += tableEntry + stringBytes(value);
  }

  binary(value: Uint8Array): void {
    this.#elements = storableElements(this.#elements + binaryElements);
    this.bytes += binaryOverhead + value.byteLength;
  }

  array(length: number): void {
    this.#elements = storableElements(this.#elements + length);
    this.bytes += arrayHeader + length * slot;
  }

  map(length: number): void {
    this.#elements = storableElements(this.#elements + length);
    this.bytes += objectHeader + length * slot;
    this.#keysCount = length > sharedShapeKeys;
  }

  begin(tag: number, items: number): void {
    this.#elements = storableElements(this.#elements + items + 1);
    const [once, perItem] = formBytes[tag] ?? [arrayHeader, slot];
    this.bytes += once + items * perItem;
  }

  end(): void {}
}

/** Bytes of a form besides its contents: once, and for each item. */
const formBytes: Readonly<Record<number, readonly [once: number, perItem: number]>> = {
  [Tag.Reference]: [0, 0],
  [Tag.Undefined]: [0, 0],
  [Tag.BigInt]: [8, 0],
  [Tag.Date]: [88, 0],
  [Tag.Map]: [120, 18],
  [Tag.Set]: [120, 26],
  [Tag.Error]: [200, slot],
  [Tag.Buffer]: [0, 0],
  [Tag.ArrayBuffer]: [0, 0],
  [Tag.View]: [0, 0],
  [Tag.Url]: [200, 0],
};

/** Bytes of heap that a string takes. */
export function stringBytes(value: string): number {
  const size = notLatin1.test(value) ? 2 * value.length : value.length;
  return stringHeader + Math.ceil(size / slot) * slot;
}
