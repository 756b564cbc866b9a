/** Plain values by msgpackr, once a walk has shown that it keeps them as they are. */

import { Packr } from 'msgpackr';
import type { MsgpackSink } from './msgpack-writer.js';

/** Larger values go through our own writer, which refuses in time what would exceed its bound. */
const maxPackedBytes = 2 ** 26;

/**
 * A sink that writes nothing and finds what msgpackr changes: -0, which it writes as 0, and integers above 2^32 or
 * below -2^31, which it writes as floats, and keys that it takes for more than data.
 */
export class PackingProbe implements MsgpackSink {
  #isExact = true;
  #bytes = 0;

  /** Whether msgpackr writes what was reported just as `MsgpackWriter` does. */
  get isPackable(): boolean {
    return this.#isExact && this.#bytes <= maxPackedBytes;
  }

  nil(): void {
    this.#bytes += 1;
  }

  boolean(): void {
    this.#bytes += 1;
  }

  number(value: number): void {
    this.#bytes += 9;
    const isSmall = value >>> 0 === value || value >> 0 === value;
    if (isSmall ? Object.is(value, -0) : Number.isInteger(value) && Math.abs(value) <= 2 ** 53) {
      this.#isExact = false;
    }
  }

  string(value: string): void {
    this.#bytes += 5 + value.length * 3;
  }

  key(value: string): void {
    this.string(value);
    // By these, msgpackr decides what an object is, though they are mere data here.
    if (value === 'constructor' || value === 'toJSON') this.#isExact = false;
  }

  array(): void {
    this.#bytes += 5;
  }

  map(): void {
    this.#bytes += 5;
  }

  // Plain values have none of these.
  binary(): void {
    this.#isExact = false;
  }

  begin(): void {
    this.#isExact = false;
  }

  end(): void {
    this.#isExact = false;
  }
}

/** Packs plain values, each into memory of its own. */
export class PlainPacker {
  #packr = newPackr();

  pack(value: unknown): Uint8Array {
    try {
      const packed = this.#packr.pack(value);
      // What msgpackr returns is a slice that would keep its whole pool in memory.
      const own = new Uint8Array(packed.length);
      own.set(packed);
      return own;
    } catch (error) {
      // After a failure in the middle nothing is known of its state.
      this.#packr = newPackr();
      throw error;
    }
  }
}

function newPackr(): Packr {
  // Records and structured clones are msgpackr's own; other languages can't read them.
  return new Packr({ useRecords: false, variableMapSize: true });
}
