/** The codec of values: standard msgpack where that can say them, one msgpack ext value where it can't. */

import { CacheError, UnstorableValueError } from '../errors.js';
import { type ClassCodec, ClassCodecs } from './class-codec.js';
import { HeapMeter } from './heap-size.js';
import { maxElements } from './msgpack/limits.js';
import { hasPacker, PackingProbe, PlainPacker } from './msgpack/packer.js';
import { readMsgpack, unreadable } from './msgpack/reader.js';
import { readMsgpackInSlices, type SlicedReading } from './msgpack/sliced-reading.js';
import { timestampType } from './msgpack/timestamp.js';
import { MsgpackWriter } from './msgpack/writer.js';
import { type WalkLimit, walkPlain } from './plain.js';
import { richType, richVersion } from './rich/format.js';
import { reviveRich, reviveRichInSlices } from './rich/revive.js';
import { walkRich } from './rich/walk.js';

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
  /** `decode` in slices of some milliseconds, so that others run meanwhile. Nobody may change the bytes until then. */
  decodeInSlices(bytes: Uint8Array, decoding?: SlicedDecoding): Promise<unknown>;
  /** Bytes of heap that the value takes, roughly. Throws `UnstorableValueError` just as `encode` does. */
  measure(value: unknown): number;
}

/** How a value is decoded in slices. */
export interface SlicedDecoding extends Pick<SlicedReading, 'check'> {
  /** Sums up what `measure` says of the value. */
  readonly meter?: HeapMeter | undefined;
}

/** Makes a value codec, with codecs for the user's own classes. */
export function createValueCodec(codecs: readonly ClassCodec[] = []): ValueCodec {
  return new MsgpackValueCodec(new ClassCodecs(codecs));
}

/** Values of more elements go through our own writer in one walk, and not through two. */
const mostPacked = 2 ** 15;

class MsgpackValueCodec implements ValueCodec {
  readonly #codecs: ClassCodecs;
  readonly #packer = new PlainPacker();
  /** Taken while in use: a class codec may encode other values while it encodes its own. */
  #idleWriter: MsgpackWriter | undefined;

  constructor(codecs: ClassCodecs) {
    this.#codecs = codecs;
  }

  encode(value: unknown): Uint8Array {
    const limit: WalkLimit = { mostElements: mostPacked };
    try {
      if (hasPacker()) {
        const probe = new PackingProbe();
        if (walkPlain(value, probe, limit) && probe.isPackable) return this.#packer.pack(value);
      }
    } catch (error) {
      throw asUnstorable(error);
    }
    // What the first walk has listed the next, which goes to the end, need not list again.
    return this.#write(value, { ...limit, mostElements: maxElements });
  }

  /** What msgpackr would not keep as it is. */
  #write(value: unknown, limit: WalkLimit): Uint8Array {
    const writer = this.#idleWriter ?? new MsgpackWriter();
    this.#idleWriter = undefined;
    try {
      if (!walkPlain(value, writer, limit)) {
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
      // Most begin with the head of a map or list, or a short text.
      if (bytes[0]! < 0xc0) return readMsgpack(bytes);
      const type = extType(bytes);
      if (type === undefined || type === timestampType) return readMsgpack(bytes);
      return reviveRich(readMsgpack(bytes, formStart(bytes, type)), { codecs: this.#codecs });
    } catch (error) {
      throw asUnreadable(error);
    }
  }

  async decodeInSlices(bytes: Uint8Array, { check, meter }: SlicedDecoding = {}): Promise<unknown> {
    try {
      const type = extType(bytes);
      if (type === undefined || type === timestampType)
        return await readMsgpackInSlices(bytes, { check, observer: meter });
      const start = formStart(bytes, type);
      const nested = new Map<object, string[]>();
      const form = await readMsgpackInSlices(bytes, { start, check, observer: meter?.withoutForms, nested });
      return await reviveRichInSlices(form, { codecs: this.#codecs, meter, check, nested });
    } catch (error) {
      throw asUnreadable(error);
    }
  }

  measure(value: unknown): number {
    try {
      const plain = new HeapMeter();
      if (walkPlain(value, plain)) return plain.bytes;
      const rich = new HeapMeter();
      // Counted already, and so known by now.
      rich.bytes += plain.shapeBytes;
      walkRich(value, rich, this.#codecs);
      return rich.bytes;
    } catch (error) {
      throw asUnstorable(error);
    }
  }
}

function asUnreadable(error: unknown): unknown {
  if (error instanceof CacheError) return error;
  return unreadable('Expected the bytes of one stored value, got others', error);
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

/** Where the form of an ext value of this type begins. */
function formStart(bytes: Uint8Array, type: number): number {
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
  return start + 1;
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
