/** How the memory tier holds values: as private copies, or as references. */

import type { ValueCodec } from './codec.js';
import { binaryOverhead, HeapMeter, stringBytes } from './heap-size.js';
import { LargeValue, largeValueBytes } from './large-value.js';
import { ownString } from './own-string.js';
import { largestSmallValue, SmallValue, SmallValueReader, smallValueOverhead } from './small-value.js';
import { SplitText } from './split-text.js';

/** What the memory tier holds for one value; only its keeper can read it. */
export interface ValueKeeper {
  /** Takes a value in. Throws `UnstorableValueError`. */
  encode(value: unknown): Stored;
  /** The value for a caller; what `accept` has decoded spares the first of them from decoding it again. */
  decode(stored: unknown, decoded?: DecodedValue): unknown;
  /** The complete msgpack value, for slower tiers. */
  toMsgpack(stored: unknown): Uint8Array;
  /**
   * Takes in what a slower tier holds, a large value in slices, so that others run meanwhile. Throws, or rejects with, a
   * `CacheError` with the code `ERR_UNREADABLE_VALUE`.
   */
  accept(encoded: Uint8Array): Accepted | Promise<Accepted>;
}

/** A value taken in, and the memory it takes. */
export interface Stored {
  readonly stored: unknown;
  /** Bytes of memory that `stored` takes, the caller's other references to it aside. */
  readonly bytes: number;
}

/** A value taken in from a slower tier. */
export interface Accepted extends Stored {
  /** The value itself, where `stored` would have to be decoded. Not to be held for long: its memory is not counted. */
  readonly decoded?: DecodedValue;
}

/** A value that was decoded already, for one caller: all others need copies of their own. */
export class DecodedValue {
  #value: unknown;
  #isTaken = false;
  #isClaimed = false;

  constructor(value: unknown) {
    this.#value = value;
  }

  get isTaken(): boolean {
    return this.#isTaken;
  }

  /** Whether it is for this caller, who is the first to ask and takes it later. */
  claim(): boolean {
    const isFirst = !this.#isClaimed && !this.#isTaken;
    this.#isClaimed = true;
    return isFirst;
  }

  /** The value, once. */
  take(): unknown {
    const value = this.#value;
    this.#value = undefined;
    this.#isTaken = true;
    return value;
  }
}

/** How a keeper of copies holds them. */
interface KeeperOptions {
  readonly holdsLong?: boolean;
  readonly maxBytes?: number;
}

/**
 * Keeps copies: what a caller does to a value, before or after, nobody else sees. Primitives and long texts are held as
 * they are, all else as encoded bytes, decoded anew for each caller.
 *
 * @param holdsLong whether what it stores is held for longer than a call, rather than copied to an arena: then texts need
 * memory of their own
 * @param maxBytes the most bytes that all values may take; a 64th of them may be taken besides by small ones that are read often
 */
export function copyingKeeper(
  codec: ValueCodec,
  { holdsLong = true, maxBytes = 0 }: KeeperOptions = {},
): ValueKeeper {
  const small = new SmallValueReader(codec, Math.floor(maxBytes / 64));
  const keep = (encoded: Uint8Array): Stored => {
    const type = encoded[0]!;
    const isMapOrList = (type >= 0x80 && type < 0xa0) || (type >= 0xdc && type < 0xe0);
    if (!holdsLong || !isMapOrList || encoded.byteLength > largestSmallValue)
      return storeBytes(encoded, codec);
    const bytes = smallValueOverhead + binaryOverhead + encoded.byteLength;
    return { stored: new SmallValue(encoded), bytes };
  };
  const accepted = (encoded: Uint8Array, value: unknown): Accepted =>
    // A text that was just decoded has memory of its own.
    storePrimitive(value, false) ?? {
      ...keep(new Uint8Array(encoded)),
      decoded: new DecodedValue(value),
    };
  return {
    encode: (value) => storePrimitive(value, holdsLong) ?? keep(codec.encode(value)),
    decode(stored, decoded) {
      if (typeof stored !== 'object' || stored === null) return stored;
      if (decoded !== undefined && !decoded.isTaken) return decoded.take();
      if (stored instanceof SmallValue) return small.read(stored);
      return stored instanceof SplitText || stored instanceof LargeValue
        ? stored.decode()
        : codec.decode(stored as Uint8Array);
    },
    toMsgpack(stored) {
      if (!isEncoded(stored)) return codec.encode(stored);
      if (stored instanceof SmallValue) return stored.encoded;
      return stored instanceof SplitText || stored instanceof LargeValue ? stored.encoded() : stored;
    },
    accept(encoded) {
      if (encoded.byteLength < largeValueBytes) return accepted(encoded, codec.decode(encoded));
      return codec.decodeInSlices(encoded).then((value) => accepted(encoded, value));
    },
  };
}

/** Holds the values themselves: faster, and every caller gets the same object. The same values can be stored. */
export function referenceKeeper(codec: ValueCodec): ValueKeeper {
  const encode = (value: unknown) => storePrimitive(value) ?? { stored: value, bytes: codec.measure(value) };
  return {
    encode,
    decode: (stored) => stored,
    toMsgpack: (stored) => codec.encode(stored),
    accept(encoded) {
      if (encoded.byteLength < largeValueBytes) return encode(codec.decode(encoded));
      // Measured on the way: going through the value again would take as long, and in one piece.
      const meter = new HeapMeter();
      return codec
        .decodeInSlices(encoded, { meter })
        .then((value) => storePrimitive(value) ?? { stored: value, bytes: meter.bytes });
    },
  };
}

/** Whether it is not a primitive. Not asked by class, which may be another realm's. */
function isEncoded(stored: unknown): stored is Uint8Array | SmallValue | SplitText | LargeValue {
  return typeof stored === 'object' && stored !== null;
}

/** What a keeper of copies holds of encoded bytes, which become its own. */
export function storeBytes(encoded: Uint8Array, codec: ValueCodec): Stored {
  const shell = SplitText.of(encoded);
  const bytes = binaryOverhead + (shell?.bytes ?? encoded.byteLength);
  if ((shell?.shellBytes ?? encoded.byteLength) < largeValueBytes) return { stored: shell ?? encoded, bytes };
  const source = shell ?? {
    decode: () => codec.decode(encoded),
    decodeInSlices: (check) => codec.decodeInSlices(encoded, { check }),
    encoded: () => encoded,
  };
  return { stored: new LargeValue(source), bytes };
}

function storePrimitive(value: unknown, holdsLong = true): Stored | undefined {
  switch (typeof value) {
    case 'string':
      return { stored: holdsLong ? ownString(value) : value, bytes: stringBytes(value) };
    case 'bigint':
      return { stored: value, bytes: 24 + Math.ceil(value.toString(16).length / 2) };
    case 'number':
    case 'boolean':
    case 'undefined':
      return { stored: value, bytes: 16 };
    default:
      return value === null ? { stored: value, bytes: 16 } : undefined;
  }
}
