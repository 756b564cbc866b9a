/** Plain values by msgpackr, once a walk has shown that it keeps them as they are. */

// By its namespace: the banner that ES modules of esbuild often have declares `createRequire`.
import * as nodeModule from 'node:module';
import type { Packr } from 'msgpackr';
import type { MsgpackSink } from './writer.js';

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
    this.#bytes += 5 + value.length * 3;
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
  #packr: Packr | undefined;

  pack(value: unknown): Uint8Array {
    try {
      this.#packr ??= newPackr();
      const packed = this.#packr.pack(value);
      // What msgpackr returns is a slice that would keep its whole pool in memory.
      const own = new Uint8Array(packed.length);
      own.set(packed);
      return own;
    } catch (error) {
      // After a failure in the middle nothing is known of its state.
      this.#packr = undefined;
      throw error;
    }
  }
}

/** Whether msgpackr is there, which is loaded when the first value is packed: a bundle may have left it behind. */
export function hasPacker(): boolean {
  known ??= library();
  return known !== 'none';
}

type Library = { readonly Packr: typeof Packr };

let known: Library | 'none' | undefined;

/** By `require`, as a value is encoded at once. This entry of msgpackr's loads no native add-on. */
function library(): Library | 'none' {
  try {
    const here = typeof __filename === 'string' ? __filename : import.meta.url;
    return nodeModule.createRequire(here)('msgpackr/index-no-eval') as Library;
  } catch {
    // Our own writer makes the same bytes.
    return 'none';
  }
}

function newPackr(): Packr {
  const { Packr } = known as Library;
  // Records and structured clones are msgpackr's own; other languages can't read them.
  return new Packr({ useRecords: false, variableMapSize: true });
}
