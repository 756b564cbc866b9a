/** A reader of standard msgpack (msgpack specification, 2013) that nobody vouches for. */

import { CacheError } from '../../errors.js';
import { maxDepth } from '../rich/format.js';
import { binaryElements, maxElements } from './limits.js';
import { ShortStrings } from './short-strings.js';
import { timestampAt, timestampType } from './timestamp.js';

/** Forms may nest one level deeper than the values that they stand for. */
const maxLevels = maxDepth + 2;

/** Longer arrays grow as their items turn up, so that a lie about the length takes no memory. */
const longestTrusted = 1024;

/** Shorter texts are decoded in less time than it takes to hold them apart, see `SplitText`. */
export const shortestApart = 2048;

/**
 * The one value that `bytes` hold from `start` to their end. It shares no memory with them. 64-bit integers that a
 * number can't hold come as BigInts, binary as Buffers, timestamps as Dates, keys of maps as strings.
 * Throws anything when that is not what the bytes are.
 *
 * @param texts the texts of `shortestApart` bytes or more, one by one, where the bytes hold only their heads
 */
export function readMsgpack(bytes: Uint8Array, start = 0, texts?: readonly string[]): unknown {
  return reader.readWhole(bytes, start, texts);
}

/** The error for bytes that are no stored value. */
export function unreadable(message: string, cause?: unknown): CacheError {
  return new CacheError('ERR_UNREADABLE_VALUE', message, cause === undefined ? undefined : { cause });
}

/** A container whose items are being read. */
export interface OpenContainer {
  readonly array: unknown[] | undefined;
  readonly map: Record<string, unknown> | undefined;
  left: number;
}

const shortStrings = new ShortStrings();

/** Reads one value after another. */
export class MsgpackReader {
  /** Sources up to this size are copied here, which is cheaper than making views of each. */
  readonly #scratch: Buffer;
  readonly #scratchView: DataView;
  #bytes: Buffer;
  #view: DataView;
  #position = 0;
  #end = 0;
  #level = 0;
  #elements = 0;
  #texts: readonly string[] | undefined;
  #nextText = 0;
  /** Where it is read in slices: the containers that it is within, the innermost last. */
  #open: OpenContainer[] | undefined;

  constructor(scratch: Buffer) {
    this.#scratch = scratch;
    this.#scratchView = new DataView(scratch.buffer, scratch.byteOffset, scratch.length);
    this.#bytes = scratch;
    this.#view = this.#scratchView;
  }

  /** Reads one value in one piece. */
  readWhole(source: Uint8Array, start: number, texts: readonly string[] | undefined): unknown {
    const size = source.length - start;
    if (size > this.#scratch.length) {
      this.#bytes = Buffer.from(source.buffer, source.byteOffset + start, size);
      this.#view = new DataView(source.buffer, source.byteOffset + start, size);
    } else {
      this.#scratch.set(start === 0 ? source : source.subarray(start));
    }
    this.#position = 0;
    this.#end = size;
    this.#level = 0;
    this.#elements = 0;
    this.#texts = texts;
    this.#nextText = 0;
    try {
      const value = this.#read();
      if (this.#position !== this.#end) throw notOneValue();
      return value;
    } finally {
      this.#bytes = this.#scratch;
      this.#view = this.#scratchView;
      this.#texts = undefined;
    }
  }

  /**
   * Begins the only value of this reader, which is read piece by piece from then on: `item` and `key` read what comes
   * next, a container without its items. The containers that are still to be filled, the innermost last.
   */
  begin(source: Uint8Array, start: number, texts: readonly string[] | undefined): OpenContainer[] {
    const size = source.length - start;
    this.#bytes = Buffer.from(source.buffer, source.byteOffset + start, size);
    this.#view = new DataView(source.buffer, source.byteOffset + start, size);
    this.#end = size;
    this.#texts = texts;
    this.#open = [];
    return this.#open;
  }

  get position(): number {
    return this.#position;
  }

  item(): unknown {
    return this.#read();
  }

  key(): string {
    return this.#key();
  }

  /** The innermost container is filled. */
  leave(): void {
    this.#open?.pop();
    this.#level -= 1;
  }

  /** Throws unless the bytes end here. */
  end(): void {
    if (this.#position !== this.#end) throw notOneValue();
  }

  /**
   * What lies beyond the end may be an earlier value's: numbers may be read from there, since `readWhole` then
   * throws, but nothing that leads to loops or copies.
   */
  #read(): unknown {
    const at = this.#position;
    const type = this.#bytes[at] ?? 0xc1;
    this.#position = at + 1;
    if (type < 0x80) return type;
    if (type < 0x90) return this.#map(type & 0x0f);
    if (type < 0xa0) return this.#array(type & 0x0f);
    if (type < 0xc0) return this.#string(type & 0x1f);
    if (type >= 0xe0) return type - 0x100;
    switch (type) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#binary(this.#unsigned(1 << (type - 0xc4)));
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return this.#ext(this.#unsigned(1 << (type - 0xc7)));
      case 0xca:
        this.#position += 4;
        return this.#view.getFloat32(at + 1);
      case 0xcb:
        this.#position += 8;
        return this.#view.getFloat64(at + 1);
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#unsigned(1 << (type - 0xcc));
      case 0xcf:
        return this.#integer64(this.#view.getUint32(at + 1));
      case 0xd0:
        this.#position += 1;
        return this.#view.getInt8(at + 1);
      case 0xd1:
        this.#position += 2;
        return this.#view.getInt16(at + 1);
      case 0xd2:
        this.#position += 4;
        return this.#view.getInt32(at + 1);
      case 0xd3:
        return this.#integer64(this.#view.getInt32(at + 1));
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.#ext(1 << (type - 0xd4));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#string(this.#unsigned(1 << (type - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.#array(this.#unsigned(2 << (type - 0xdc)));
      case 0xde:
      case 0xdf:
        return this.#map(this.#unsigned(2 << (type - 0xde)));
      default:
        throw new RangeError('Expected the first byte of a msgpack value');
    }
  }

  #unsigned(size: number): number {
    const at = this.#position;
    this.#position = at + size;
    if (size === 1) return this.#view.getUint8(at);
    return size === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at);
  }

  /** A 64-bit integer from its high half, which is negative if the integer is. */
  #integer64(high: number): number | bigint {
    const low = this.#view.getUint32(this.#position + 4);
    this.#position += 8;
    const fits = (high >= -(2 ** 21) && high < 2 ** 21) || (high === 2 ** 21 && low === 0);
    return fits ? high * 2 ** 32 + low : (BigInt(high) << 32n) | BigInt(low);
  }

  #string(size: number): string {
    if (size >= shortestApart && this.#texts !== undefined) return this.#textApart(size);
    const at = this.#position;
    if (size > this.#end - at) throw new RangeError('Expected more bytes');
    this.#position = at + size;
    const short = shortStrings.read(this.#bytes, at, size);
    return short ?? this.#bytes.toString('utf8', at, at + size);
  }

  #textApart(size: number): string {
    const text = this.#texts?.[this.#nextText++];
    if (text === undefined) throw new RangeError(`Expected a text of ${size} bytes, got none`);
    return text;
  }

  #binary(size: number): Buffer {
    this.#count(binaryElements);
    const at = this.#take(size);
    const copy = Buffer.allocUnsafeSlow(size);
    copy.set(this.#bytes.subarray(at, at + size));
    return copy;
  }

  #array(length: number): unknown[] {
    this.#enter(length, length);
    if (this.#open !== undefined) return this.#opened(length, [], undefined) as unknown[];
    const array: unknown[] = length > longestTrusted ? [] : new Array(length);
    for (let index = 0; index < length; index += 1) array[index] = this.#read();
    this.#level -= 1;
    return array;
  }

  #map(size: number): object {
    this.#enter(size, 2 * size);
    const object: Record<string, unknown> = {};
    if (this.#open !== undefined) return this.#opened(size, undefined, object);
    for (let index = 0; index < size; index += 1) {
      const key = this.#key();
      const value = this.#read();
      // Written out: each call here counts.
      if (key === '__proto__') setProperty(object, key, value);
      else object[key] = value;
    }
    this.#level -= 1;
    return object;
  }

  /** A container whose items are yet to be read. */
  #opened(left: number, array: unknown[] | undefined, map: OpenContainer['map']): object {
    this.#open?.push({ array, map, left });
    return (array ?? map) as object;
  }

  #key(): string {
    const type = this.#bytes[this.#position]!;
    // As most keys are written, and found.
    if (type >= 0xa0 && type < 0xc0 && this.#position + (type & 0x1f) < this.#end) {
      const at = this.#position + 1;
      const known = shortStrings.read(this.#bytes, at, type & 0x1f);
      if (known !== undefined) {
        this.#position = at + (type & 0x1f);
        return known;
      }
    }
    const key = this.#read();
    if (typeof key === 'string') return key;
    if (typeof key !== 'object' || key === null) return String(key);
    throw new TypeError('Expected the keys of a map to be strings');
  }

  #ext(size: number): Date {
    this.#count(binaryElements);
    const type = this.#view.getInt8(this.#take(1));
    if (type !== timestampType)
      throw unreadable(`Expected standard msgpack, got an ext value of type ${type}`);
    return timestampAt(this.#view, size, this.#take(size));
  }

  /** Goes past `size` bytes, which must be there, and tells where they begin. */
  #take(size: number): number {
    const at = this.#position;
    if (size > this.#end - at) throw new RangeError('Expected more bytes');
    this.#position = at + size;
    return at;
  }

  /** Goes one level down, to so many elements that are written as so many values, of which each takes a byte at least. */
  #enter(elements: number, values: number): void {
    this.#elements += elements;
    if (this.#elements > maxElements) throw this.#tooMany();
    if (values > this.#end - this.#position) throw new RangeError('Expected more bytes');
    if (this.#level === maxLevels) throw new RangeError(`Expected at most ${maxLevels} levels of nesting`);
    this.#level += 1;
  }

  #count(elements: number): void {
    this.#elements += elements;
    if (this.#elements > maxElements) throw this.#tooMany();
  }

  #tooMany(): CacheError {
    return unreadable(`Expected a value of at most ${maxElements} elements, got ${this.#elements} or more`);
  }
}

function notOneValue(): RangeError {
  return new RangeError('Expected one value, got more or less than one');
}

/** Not by an assignment, which for `__proto__` would set the prototype. */
export function setProperty(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
  else object[key] = value;
}

const reader = new MsgpackReader(Buffer.allocUnsafeSlow(2 ** 16));
