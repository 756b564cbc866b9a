/** The codec of values: standard msgpack where that can say them, one msgpack ext value where it can't. */

import { CacheError, UnstorableValueError } from '../errors.js';
import { type ClassCodec, ClassCodecs } from './class-codec.js';
import { HeapMeter } from './heap-meter.js';
import { readMsgpack } from './msgpack-reader.js';
import { MsgpackWriter } from './msgpack-writer.js';
import { PackingProbe, PlainPacker } from './plain-packer.js';
import { walkPlain } from './plain-walk.js';
import { richType, richVersion } from './rich-format.js';
import { reviveRich } from './rich-revival.js';
import { walkRich } from './rich-walk.js';
import { unreadable } from './unreadable.js';

export type { ClassCodec } from './class-codec.js';

/**
 * Turns values into bytes and back. What comes back is equal to what went in and shares nothing with it: contents,
 * types, order of keys, holes, cycles and shared references. The exceptions:
 *
 * - Frozen and sealed objects come back open, and objects of another realm as this realm's.
 * - Views on one ArrayBuffer, as Buffers are on Node's pool, come back each with memory of its own. Views that show
 *   the same bytes are refused.
 * - Hidden properties of views, and of errors those whose keys are symbols, are left out.
 * - An error's `stack` is read, getter or not. All other getters are refused, as are hidden properties of
 *   all but errors, keys that are symbols, functions, symbols, proxies, and instances of classes without a codec.
 */
export interface ValueCodec {
  /**
   * One complete msgpack value, in memory of its own. JSON-like values are plain msgpack that any language reads;
   * all others are one ext value of type 84, which other languages skip. Throws `UnstorableValueError`.
   */
  encode(value: unknown): Uint8Array;
  /** The value again. Throws `CacheError` with the code `ERR_UNREADABLE_VALUE`. */
  decode(bytes: Uint8Array): unknown;
  /** Bytes of heap that the value takes, roughly. Throws `UnstorableValueError` just as `encode` does. */
  measure(value: unknown): number;
}

/** Makes a value codec, with codecs for the user's own classes. */
export function createValueCodec(codecs: readonly ClassCodec[] = []): ValueCodec {
  return new MsgpackValueCodec(new ClassCodecs(codecs));
}

const timestampType = -1;

class MsgpackValueCodec implements ValueCodec {
  readonly #codecs: ClassCodecs;
  readonly #packer = new PlainPacker();
  /** Taken while in use: a class codec may encode other values while it encodes its own. */
  #idleWriter: MsgpackWriter | undefined;

  constructor(codecs: ClassCodecs) {
    this.#codecs = codecs;
  }

  encode(value: unknown): Uint8Array {
    try {
      const probe = new PackingProbe();
      if (walkPlain(value, probe) && probe.isPackable) return this.#packer.pack(value);
    } catch (error) {
      throw asUnstorable(error);
    }
    return this.#write(value);
  }

  /** What msgpackr would not keep as it is. */
  #write(value: unknown): Uint8Array {
    const writer = this.#idleWriter ?? new MsgpackWriter();
    this.#idleWriter = undefined;
    try {
      if (!walkPlain(value, writer)) {
        writer.clear();
        writer.beginExt(richType, richVersion);
        walkRich(value, writer, this.#codecs);
        writer.endExt();
      }
      return writer.take();
    } catch (error) {
      throw asUnstorable(error);
    } finally {
      writer.clear();
      this.#idleWriter = writer;
    }
  }

  decode(bytes: Uint8Array): unknown {
    try {
      const type = extType(bytes);
      if (type === undefined || type === timestampType) return readMsgpack(bytes);
      return this.#decodeExt(bytes, type);
    } catch (error) {
      if (error instanceof CacheError) throw error;
      throw unreadable('Expected the bytes of one stored value, got others', error);
    }
  }

  measure(value: unknown): number {
    try {
      const plain = new HeapMeter();
      if (walkPlain(value, plain)) return plain.bytes;
      const rich = new HeapMeter();
      walkRich(value, rich, this.#codecs);
      return rich.bytes;
    } catch (error) {
      throw asUnstorable(error);
    }
  }

  #decodeExt(bytes: Uint8Array, type: number): unknown {
    if (type !== richType) {
      throw unreadable(`Expected msgpack or an ext value of type ${richType}, got one of type ${type}`);
    }
    const start = extDataStart(bytes);
    const version = bytes[start];
    if (version !== richVersion) {
      throw unreadable(
        `Expected an ext value of version ${richVersion}, got version ${version}: written by a newer Toolstash?`,
      );
    }
    return reviveRich(readMsgpack(bytes, start + 1), this.#codecs);
  }
}

function asUnstorable(error: unknown): unknown {
  if (error instanceof UnstorableValueError) return error;
  return new UnstorableValueError(
    'value',
    'Expected `value` to be encodable here, got an error; is it nested deeply, or the call stack nearly full?',
    { cause: error },
  );
}

/** The type of the ext value that these bytes begin, or undefined if they begin another kind of value. */
function extType(bytes: Uint8Array): number | undefined {
  const first = bytes[0];
  if (first === undefined) throw unreadable('Expected the bytes of a stored value, got none');
  let at: number;
  if (first >= 0xd4 && first <= 0xd8) at = 1;
  else if (first >= 0xc7 && first <= 0xc9) at = 1 + 2 ** (first - 0xc7);
  else return undefined;
  const type = bytes[at];
  if (type === undefined) throw unreadable('Expected a whole ext value, got its beginning');
  return type < 0x80 ? type : type - 0x100;
}

/** Where an ext value's data begins. Checks that it ends where the bytes end. */
function extDataStart(bytes: Uint8Array): number {
  const first = bytes[0] ?? 0;
  const lengthBytes = first >= 0xd4 ? 0 : 2 ** (first - 0xc7);
  let length = first >= 0xd4 ? 2 ** (first - 0xd4) : 0;
  for (let at = 1; at <= lengthBytes; at += 1) length = length * 0x100 + (bytes[at] ?? 0);
  const start = 2 + lengthBytes;
  if (start + length !== bytes.length) {
    throw unreadable(`Expected an ext value of ${length} bytes, got ${bytes.length - start}`);
  }
  return start;
}
