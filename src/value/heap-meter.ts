/** Estimates the heap that a value takes from the tokens of a walk over it. */

import type { MsgpackSink } from './msgpack-writer.js';

// Sizes of V8 on 64 bits without pointer compression, as Node is built.
const objectHeader = 24;
const slot = 8;
const heapNumber = 16;
const stringHeader = 16;
const arrayHeader = 48;
const bufferHeader = 200;

const twoByte = /[^\0-\xff]/;

/** Sums up bytes of heap. Keys count nothing, as objects of one shape share them. */
export class HeapMeter implements MsgpackSink {
  bytes = 0;

  nil(): void {}

  boolean(): void {}

  number(value: number): void {
    // Small integers sit in their slot, all else is a heap number.
    if (value >> 0 !== value) this.bytes += heapNumber;
  }

  string(value: string): void {
    this.bytes += stringBytes(value);
  }

  key(): void {}

  binary(value: Uint8Array): void {
    this.bytes += bufferHeader + value.byteLength;
  }

  array(length: number): void {
    this.bytes += arrayHeader + length * slot;
  }

  map(length: number): void {
    this.bytes += objectHeader + length * slot;
  }
}

export function stringBytes(value: string): number {
  const size = twoByte.test(value) ? 2 * value.length : value.length;
  return stringHeader + ((size + 7) & ~7);
}
