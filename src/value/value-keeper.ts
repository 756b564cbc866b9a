/** How the memory tier holds values: as private copies, or as references. */

import { binaryOverhead, stringBytes } from './heap-meter.js';
import type { ValueCodec } from './value-codec.js';

/** What the memory tier holds for one value; only its keeper can read it. */
export interface ValueKeeper {
  /** Takes a value in. Throws `UnstorableValueError`. */
  keep(value: unknown): Kept;
  /** The value for a caller. */
  give(kept: unknown): unknown;
  /** The complete msgpack value, for slower tiers. */
  encode(kept: unknown): Uint8Array;
  /** Takes in what a slower tier holds. Throws `CacheError` with the code `ERR_UNREADABLE_VALUE`. */
  adopt(encoded: Uint8Array): Kept;
}

/** A value taken in, and the memory it takes. */
export interface Kept {
  readonly kept: unknown;
  /** Bytes of memory that `kept` takes, the caller's other references to it aside. */
  readonly bytes: number;
}

/**
 * Keeps copies: what a caller does to a value, before or after, nobody else sees. Primitives are held as they are,
 * all else as encoded bytes, decoded anew for each caller.
 */
export function copyingKeeper(codec: ValueCodec): ValueKeeper {
  return {
    keep: (value) => keepPrimitive(value) ?? keepBytes(codec.encode(value)),
    give: (kept) => (kept instanceof Uint8Array ? codec.decode(kept) : kept),
    encode: (kept) => (kept instanceof Uint8Array ? kept : codec.encode(kept)),
    adopt: (encoded) => keepPrimitive(codec.decode(encoded)) ?? keepBytes(new Uint8Array(encoded)),
  };
}

/** Keeps the values themselves: faster, and every caller gets the same object. The same values can be kept. */
export function referenceKeeper(codec: ValueCodec): ValueKeeper {
  const keep = (value: unknown) => ({ kept: value, bytes: codec.measure(value) });
  return {
    keep,
    give: (kept) => kept,
    encode: (kept) => codec.encode(kept),
    adopt: (encoded) => keep(codec.decode(encoded)),
  };
}

function keepBytes(encoded: Uint8Array): Kept {
  return { kept: encoded, bytes: binaryOverhead + encoded.byteLength };
}

function keepPrimitive(value: unknown): Kept | undefined {
  switch (typeof value) {
    case 'string':
      return { kept: copyString(value), bytes: stringBytes(value) };
    case 'bigint':
      return { kept: value, bytes: 24 + Math.ceil(value.toString(16).length / 2) };
    case 'number':
    case 'boolean':
    case 'undefined':
      return { kept: value, bytes: 16 };
    default:
      return value === null ? { kept: value, bytes: 16 } : undefined;
  }
}

const notLatin1 = /[^\0-\xff]/;

/** Shorter strings are always copies. */
const shortestSlice = 13;

/** A string with memory of its own: V8's slices keep the whole string in memory that they were cut from. */
function copyString(text: string): string {
  if (text.length < shortestSlice) return text;
  const encoding = notLatin1.test(text) ? 'utf16le' : 'latin1';
  return Buffer.from(text, encoding).toString(encoding);
}
