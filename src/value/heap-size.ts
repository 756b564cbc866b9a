/** Estimates the heap that a value takes from the tokens of a walk over it. */

import { binaryElements, storableElements } from './msgpack/limits.js';
import type { MsgpackSink } from './msgpack/writer.js';
import { Tag } from './rich/format.js';

// Sizes in V8 on 64 bits without pointer compression, which is how Node is built; checked by weighing 20,000
// values of each kind (`process.memoryUsage()` after `gc()`).
const slot = 8;
const objectHeader = 24;
const arrayHeader = 48;
const heapNumber = 16;
const stringHeader = 16;

/** A typed array, its ArrayBuffer and the record of its memory. */
export const binaryOverhead = 200;

/**
 * What V8 holds for a key that no other object has in this place: a hidden class, its transition and descriptor, or an
 * entry of a hash table; objects that share a shape share it. Weighed for objects of 5 to 1,000 keys.
 */
const ownKeyBytes = 180;

/** Longer keys count their text in each object: what is shared and counted once is then bounded. */
const longestSharedKey = 64;

/** Shapes that were counted, by hash, each in the slot that its hash tells. */
const countedShapes = new Int32Array(2 ** 14);

/** An object whose keys are being reported: its shape so far, and how many keys are still to come. */
interface OpenMap {
  shape: number;
  keysLeft: number;
}

const notLatin1 = /[^\0-\xff]/;

/**
 * Sums up bytes of heap. Keys count once for all objects of one shape, as V8 holds them: a shape that this process
 * has counted lately costs nothing more.
 */
export class HeapMeter implements MsgpackSink {
  bytes = slot;
  /** The part of `bytes` that shapes take, which count as known from now on. */
  shapeBytes = 0;
  #elements = 0;
  readonly #openMaps: OpenMap[] = [];

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
    const map = this.#openMap();
    map.keysLeft -= 1;
    map.shape = shapeWith(map.shape, value);
    const index = map.shape & (countedShapes.length - 1);
    if (value.length > longestSharedKey) this.bytes += stringBytes(value);
    if (countedShapes[index] === map.shape) return;
    countedShapes[index] = map.shape;
    const bytes = ownKeyBytes + (value.length > longestSharedKey ? 0 : stringBytes(value));
    this.shapeBytes += bytes;
    this.bytes += bytes;
  }

  /** The innermost object with keys to come: those within it come before its own next one. */
  #openMap(): OpenMap {
    for (;;) {
      const map = this.#openMaps.at(-1) as OpenMap;
      if (map.keysLeft > 0) return map;
      this.#openMaps.pop();
    }
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
    if (length > 0) this.#openMaps.push({ shape: 1, keysLeft: length });
  }

  begin(tag: number, items: number): void {
    this.#elements = storableElements(this.#elements + items + 1);
    const [once, perItem] = formBytes[tag] ?? [arrayHeader, slot];
    this.bytes += once + items * perItem;
  }

  end(): void {}

  /** The same meter for the bytes of a form, whose arrays `begin` tells apart once their tags are known. */
  get withoutForms(): Omit<MsgpackSink, 'begin' | 'end' | 'nil' | 'boolean'> {
    return {
      number: (value) => this.number(value),
      string: (value) => this.string(value),
      key: (value) => this.key(value),
      binary: (value) => this.binary(value),
      map: (length) => this.map(length),
      array: () => undefined,
    };
  }
}

/** The hash of a shape (FNV-1a, Fowler, Noll and Vo) with one more key. Never 0, which an empty slot holds. */
function shapeWith(shape: number, key: string): number {
  let hash = Math.imul(shape ^ key.length, 0x01000193);
  for (let at = 0; at < key.length; at += 1) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  // The low bits choose the slot: they are to depend on all.
  hash ^= hash >>> 15;
  return hash === 0 ? 1 : hash;
}

/** Bytes of a form besides its contents: once, and for each item. */
const formBytes: Readonly<Record<number, readonly [once: number, perItem: number]>> = {
  [Tag.Reference]: [0, 0],
  [Tag.Entries]: [objectHeader, 32],
  [Tag.NullPrototype]: [objectHeader, 32],
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
