/** A writer of standard msgpack (msgpack specification, 2013) into one reused buffer. */

import { UnstorableValueError } from '../../errors.js';
import { binaryElements, storableElements } from './limits.js';

/** What a walk over a value reports: one call a msgpack token, in the order of the bytes. */
export interface MsgpackSink {
  nil(): void;
  boolean(value: boolean): void;
  number(value: number): void;
  /** A string without lone surrogates. */
  string(value: string): void;
  /** A key of the map begun last, without lone surrogates. */
  key(value: string): void;
  binary(value: Uint8Array): void;
  array(length: number): void;
  map(length: number): void;
  /** Begins a form of so many items; see `rich/format.ts`. */
  begin(tag: number, items: number): void;
  /** Ends the form with its tag. */
  end(tag: number): void;
}

/** The most bytes one value may take: 1 GiB. Past 2 GiB readers of msgpack, and V8's strings, give out. */
const maxBytes = 2 ** 30;

/** A buffer that has grown past this is dropped rather than kept for the next value. */
const maxKeptBytes = 2 ** 20;

const firstBytes = 4096;

/** Up to this many characters, copying ASCII in a loop beats calling into the runtime. */
const shortString = 24;

/** Up to this many characters, room for the most that they can take is had without growing past what is kept. */
const longString = 2 ** 18;

/** ext 32 (0xc9), its four bytes of length, its type. */
const extHeaderBytes = 6;

/** Writes values one after another; `take` gives out what was written and starts over. */
export class MsgpackWriter implements MsgpackSink {
  #bytes: Buffer = Buffer.allocUnsafeSlow(firstBytes);
  #view = new DataView(this.#bytes.buffer);
  #position = 0;
  #elements = 0;

  nil(): void {
    // Two steps: making room may change where the bytes are.
    const at = this.#reserve(1);
    this.#bytes[at] = 0xc0;
  }

  boolean(value: boolean): void {
    const at = this.#reserve(1);
    this.#bytes[at] = value ? 0xc3 : 0xc2;
  }

  /** Integers to ±2^53 as msgpack integers in their shortest form; all else, and -0, as float64. */
  number(value: number): void {
    const at = this.#reserve(9);
    const bytes = this.#bytes;
    if (value >>> 0 === value && (value !== 0 || 1 / value > 0)) {
      if (value < 0x80) {
        bytes[at] = value;
        this.#position = at + 1;
      } else if (value < 0x100) {
        bytes[at] = 0xcc;
        bytes[at + 1] = value;
        this.#position = at + 2;
      } else if (value < 0x10000) {
        bytes[at] = 0xcd;
        this.#view.setUint16(at + 1, value);
        this.#position = at + 3;
      } else {
        bytes[at] = 0xce;
        this.#view.setUint32(at + 1, value);
        this.#position = at + 5;
      }
    } else if (value >> 0 === value && value !== 0) {
      if (value >= -0x20) {
        bytes[at] = value + 0x100;
        this.#position = at + 1;
      } else if (value >= -0x80) {
        bytes[at] = 0xd0;
        this.#view.setInt8(at + 1, value);
        this.#position = at + 2;
      } else if (value >= -0x8000) {
        bytes[at] = 0xd1;
        this.#view.setInt16(at + 1, value);
        this.#position = at + 3;
      } else {
        bytes[at] = 0xd2;
        this.#view.setInt32(at + 1, value);
        this.#position = at + 5;
      }
    } else if (value !== 0 && Number.isInteger(value) && Math.abs(value) <= 2 ** 53) {
      bytes[at] = value > 0 ? 0xcf : 0xd3;
      this.#view.setInt32(at + 1, Math.floor(value / 2 ** 32));
      this.#view.setUint32(at + 5, value >>> 0);
    } else {
      bytes[at] = 0xcb;
      this.#view.setFloat64(at + 1, value);
    }
  }

  key(value: string): void {
    this.string(value);
  }

  string(value: string): void {
    const length = value.length;
    if (length <= shortString && this.#shortAscii(value)) return;
    // Three bytes a character is the most UTF-8 takes; for the longest strings that much room is worth a count.
    const room = length > longString ? Buffer.byteLength(value) : length * 3;
    const at = this.#reserve(room + 5);
    const guess = stringHeaderBytes(length);
    const size = this.#bytes.write(value, at + guess, room, 'utf8');
    const header = stringHeaderBytes(size);
    if (header !== guess) this.#bytes.copyWithin(at + header, at + guess, at + guess + size);
    if (header === 1) {
      this.#bytes[at] = 0xa0 | size;
    } else if (header === 2) {
      this.#bytes[at] = 0xd9;
      this.#bytes[at + 1] = size;
    } else if (header === 3) {
      this.#bytes[at] = 0xda;
      this.#view.setUint16(at + 1, size);
    } else {
      this.#bytes[at] = 0xdb;
      this.#view.setUint32(at + 1, size);
    }
    this.#position = at + header + size;
  }

  binary(value: Uint8Array): void {
    this.#elements = storableElements(this.#elements + binaryElements);
    const size = value.byteLength;
    const at = this.#reserve(size + 5);
    let start = at + 2;
    if (size < 0x100) {
      this.#bytes[at] = 0xc4;
      this.#bytes[at + 1] = size;
    } else if (size < 0x10000) {
      this.#bytes[at] = 0xc5;
      this.#view.setUint16(at + 1, size);
      start = at + 3;
    } else {
      this.#bytes[at] = 0xc6;
      this.#view.setUint32(at + 1, size);
      start = at + 5;
    }
    this.#bytes.set(value, start);
    this.#position = start + size;
  }

  /** Puts in what is msgpack already. */
  raw(encoded: Uint8Array): void {
    const at = this.#reserve(encoded.length);
    this.#bytes.set(encoded, at);
  }

  array(length: number): void {
    this.#count(length, 0x90, 0xdc);
  }

  map(length: number): void {
    this.#count(length, 0x80, 0xde);
  }

  begin(_tag: number, items: number): void {
    this.array(items + 1);
  }

  end(tag: number): void {
    this.number(tag);
  }

  /** Begins an ext value whose data is a version byte and all that follows until `endExt`. */
  beginExt(type: number, version: number): void {
    const at = this.#reserve(extHeaderBytes + 1);
    this.#bytes[at] = 0xc9;
    this.#bytes[at + 5] = type;
    this.#bytes[at + 6] = version;
  }

  /** Ends the ext value that was begun first of all. */
  endExt(): void {
    this.#view.setUint32(1, this.#position - extHeaderBytes);
  }

  /** What was written, copied into memory of its own. */
  take(): Uint8Array {
    const taken = new Uint8Array(this.#position);
    taken.set(this.#bytes.subarray(0, this.#position));
    this.clear();
    return taken;
  }

  /** Forgets what was written. */
  clear(): void {
    this.#position = 0;
    this.#elements = 0;
    if (this.#bytes.length > maxKeptBytes) this.#use(Buffer.allocUnsafeSlow(firstBytes));
  }

  #shortAscii(value: string): boolean {
    const length = value.length;
    const at = this.#reserve(length + 1);
    const bytes = this.#bytes;
    for (let index = 0; index < length; index += 1) {
      const unit = value.charCodeAt(index);
      if (unit >= 0x80) {
        this.#position = at;
        return false;
      }
      bytes[at + 1 + index] = unit;
    }
    bytes[at] = 0xa0 | length;
    return true;
  }

  #count(length: number, short: number, long: number): void {
    this.#elements = storableElements(this.#elements + length);
    const at = this.#reserve(5);
    if (length < 16) {
      this.#bytes[at] = short | length;
      this.#position = at + 1;
    } else if (length < 0x10000) {
      this.#bytes[at] = long;
      this.#view.setUint16(at + 1, length);
      this.#position = at + 3;
    } else {
      this.#bytes[at] = long + 1;
      this.#view.setUint32(at + 1, length);
    }
  }

  /** Makes room for `size` bytes, moves past them, and tells where they begin. */
  #reserve(size: number): number {
    const at = this.#position;
    const end = at + size;
    if (end > this.#bytes.length) this.#grow(end);
    this.#position = end;
    return at;
  }

  #grow(end: number): void {
    if (end > maxBytes) {
      throw new UnstorableValueError('value', 'Expected `value` to take at most 1 GiB encoded, got more');
    }
    const larger = Buffer.allocUnsafeSlow(Math.min(maxBytes, Math.max(end, this.#bytes.length * 2)));
    larger.set(this.#bytes.subarray(0, this.#position));
    this.#use(larger);
  }

  #use(bytes: Buffer): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}

function stringHeaderBytes(size: number): number {
  if (size < 32) return 1;
  if (size < 0x100) return 2;
  return size < 0x10000 ? 3 : 5;
}
