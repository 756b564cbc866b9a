/** Memory of one thread that an entry is put together in before it is stored. */

import { roundUp } from './layout.js';

/** It grows to the largest entry it was used for. */
export class Scratch {
  words = new Int32Array(0);
  /** The same memory as 64-bit numbers. */
  numbers = new Float64Array(0);
  /** The same memory as bytes. */
  bytes = Buffer.alloc(0);

  constructor() {
    this.grow(4096);
  }

  /** Makes room for so many words. What was there before is lost. */
  grow(words: number): void {
    if (words <= this.words.length) return;
    const memory = new ArrayBuffer(roundUp(words * 4, 4096));
    this.words = new Int32Array(memory);
    this.numbers = new Float64Array(memory);
    this.bytes = Buffer.from(memory);
  }
}
