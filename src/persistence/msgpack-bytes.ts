/** Msgpack read and written as bytes, so that values pass through without being decoded (msgpack specification, 2013). */

import { maxElements } from '../value/element-bound.js';
import { PartitionDamagedError } from './damage.js';

/** Deeper nesting than any value that can be stored; more is an attack on whoever decodes it. */
const maxDepth = 2_000;
/** More fields or tags than any entry has; reading each costs time and memory that a value of that size does not. */
const maxFields = 100_000;
/** Values in one entry, keys of maps among them: its result, its params, its fields and tags. Each takes time to pass over. */
const maxValues = 4 * maxElements + 4 * maxFields;

/** Writes msgpack into one growing buffer. */
export class MsgpackWriter {
  #bytes: Buffer;
  #length = 0;

  constructor(capacity = 512) {
    this.#bytes = Buffer.allocUnsafe(capacity);
  }

  get length(): number {
    return this.#length;
  }

  /** What was written; it shares memory with the writer, which must not be used afterwards. */
  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  raw(bytes: Uint8Array): void {
    const at = this.#reserve(bytes.length);
    this.#bytes.set(bytes, at);
  }

  nil(): void {
    this.#byte(0xc0);
  }

  boolean(value: boolean): void {
    this.#byte(value ? 0xc3 : 0xc2);
  }

  map(count: number): void {
    this.#head(count, 0x80, 0xde);
  }

  array(count: number): void {
    this.#head(count, 0x90, 0xdc);
  }

  string(text: string): void {
    const size = Buffer.byteLength(text, 'utf8');
    // Room first: making room may put another buffer in the place of this one.
    const at = this.#reserve(size < 32 ? 1 + size : size < 0x100 ? 2 + size : 5 + size);
    if (size < 32) this.#bytes[at] = 0xa0 | size;
    else if (size < 0x100) this.#bytes.writeUInt16BE(0xd900 | size, at);
    else this.#bytes.writeUIntBE(0xdb * 2 ** 32 + size, at, 5);
    this.#bytes.write(text, this.#length - size, 'utf8');
  }

  /** An integer as msgpack integer, anything else as float64. */
  number(value: number): void {
    if (!Number.isSafeInteger(value)) {
      const at = this.#reserve(9);
      this.#bytes[at] = 0xcb;
      this.#bytes.writeDoubleBE(value, at + 1);
    } else if (value >= 0 && value < 0x80) {
      this.#byte(value);
    } else if (value >= 0 && value <= 0xffffffff) {
      const at = this.#reserve(5);
      this.#bytes[at] = 0xce;
      this.#bytes.writeUInt32BE(value, at + 1);
    } else {
      const at = this.#reserve(9);
      this.#bytes[at] = value < 0 ? 0xd3 : 0xcf;
      this.#bytes.writeBigInt64BE(BigInt(value), at + 1);
    }
  }

  #byte(value: number): void {
    const at = this.#reserve(1);
    this.#bytes[at] = value;
  }

  #head(count: number, fix: number, wide: number): void {
    if (count < 16) {
      this.#byte(fix | count);
    } else if (count < 0x10000) {
      const at = this.#reserve(3);
      this.#bytes[at] = wide;
      this.#bytes.writeUInt16BE(count, at + 1);
    } else {
      const at = this.#reserve(5);
      this.#bytes[at] = wide + 1;
      this.#bytes.writeUInt32BE(count, at + 1);
    }
  }

  #reserve(size: number): number {
    const at = this.#length;
    const wanted = at + size;
    if (wanted > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(wanted, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, at);
      this.#bytes = larger;
    }
    this.#length = wanted;
    return at;
  }
}

/** Reads msgpack that nobody vouches for: every step is checked against the bytes that are there. */
export class MsgpackReader {
  readonly bytes: Buffer;
  position: number;
  #valuesLeft = maxValues;

  constructor(bytes: Buffer, position = 0) {
    this.bytes = bytes;
    this.position = position;
  }

  get atEnd(): boolean {
    return this.position >= this.bytes.length;
  }

  /** To be called where an entry starts: what one holds is bounded. */
  startEntry(): void {
    this.#valuesLeft = maxValues;
  }

  /** Whether the next value is nil; it is consumed if so. */
  takeNil(): boolean {
    if (this.bytes[this.position] !== 0xc0) return false;
    this.position += 1;
    return true;
  }

  /** The number of fields of the map that starts here, which a person has named. */
  fieldCount(): number {
    const count = this.mapLength();
    return count > maxFields ? malformed(`over ${maxFields} fields`) : count;
  }

  /** The number of pairs of the map that starts here. */
  mapLength(): number {
    const type = this.#byte();
    let count: number;
    if (type >= 0x80 && type <= 0x8f) count = type & 0x0f;
    else if (type === 0xde) count = this.#unsigned(2);
    else if (type === 0xdf) count = this.#unsigned(4);
    else return malformed('expected a map');
    return this.#plausible(count * 2) / 2;
  }

  /** The string that starts here, or `undefined` when it is something else, which is then skipped. */
  stringOrSkip(): string | undefined {
    const type = this.bytes[this.position] ?? 0;
    const isString = (type >= 0xa0 && type <= 0xbf) || (type >= 0xd9 && type <= 0xdb);
    if (!isString) {
      this.skip();
      return undefined;
    }
    this.position += 1;
    const size = type <= 0xbf ? type & 0x1f : this.#unsigned(2 ** (type - 0xd9));
    const start = this.#advance(size);
    return this.bytes.toString('utf8', start, start + size);
  }

  /** The strings of the array that starts here; nothing else may be in it. */
  strings(): string[] {
    const type = this.#byte();
    let count: number;
    if (type >= 0x90 && type <= 0x9f) count = type & 0x0f;
    else if (type === 0xdc) count = this.#unsigned(2);
    else if (type === 0xdd) count = this.#unsigned(4);
    else return malformed('expected an array of strings');
    if (count > maxFields) malformed(`over ${maxFields} tags`);
    const strings: string[] = [];
    for (let left = this.#plausible(count); left > 0; left -= 1) {
      strings.push(this.stringOrSkip() ?? malformed('expected a string'));
    }
    return strings;
  }

  /** The finite number or nil that starts here. */
  numberOrNull(): number | null {
    const type = this.#byte();
    const value = type === 0xc0 ? null : this.#number(type);
    if (value !== null && !Number.isFinite(value)) malformed('expected a finite number');
    return value;
  }

  /** The finite number or boolean that starts here, or `undefined` when it is something else, which is then skipped. */
  scalarOrSkip(): number | boolean | undefined {
    const start = this.position;
    const type = this.#byte();
    if (type === 0xc2 || type === 0xc3) return type === 0xc3;
    if (type < 0x80 || (type >= 0xca && type <= 0xd3) || type >= 0xe0) {
      const value = this.#number(type);
      return Number.isFinite(value) ? value : undefined;
    }
    this.position = start;
    this.skip();
    return undefined;
  }

  /** Passes over the value that starts here, without recursion. */
  skip(): void {
    const open: number[] = [];
    let left = 1;
    for (;;) {
      while (left === 0) {
        const outer = open.pop();
        if (outer === undefined) return;
        left = outer;
      }
      left -= 1;
      const children = this.#skipHead();
      if (children > 0) {
        if (open.length >= maxDepth) malformed(`nesting over ${maxDepth} levels`);
        open.push(left);
        left = this.#plausible(children);
        this.#valuesLeft -= children;
        if (this.#valuesLeft < 0) malformed(`over ${maxValues} values in one entry`);
      }
    }
  }

  /** Passes over one value but for its children, whose number it returns. */
  #skipHead(): number {
    const type = this.#byte();
    if (type < 0x80 || type >= 0xe0) return 0;
    if (type < 0x90) return (type & 0x0f) * 2;
    if (type < 0xa0) return type & 0x0f;
    if (type < 0xc0) return this.#pass(type & 0x1f);
    switch (type) {
      case 0xc0:
      case 0xc2:
      case 0xc3:
        return 0;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#pass(this.#unsigned(2 ** (type - 0xc4)));
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return this.#pass(this.#unsigned(2 ** (type - 0xc7)) + 1);
      case 0xca:
        return this.#pass(4);
      case 0xcb:
        return this.#pass(8);
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf:
        return this.#pass(2 ** (type - 0xcc));
      case 0xd0:
      case 0xd1:
      case 0xd2:
      case 0xd3:
        return this.#pass(2 ** (type - 0xd0));
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.#pass(2 ** (type - 0xd4) + 1);
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#pass(this.#unsigned(2 ** (type - 0xd9)));
      case 0xdc:
        return this.#unsigned(2);
      case 0xdd:
        return this.#unsigned(4);
      case 0xde:
        return this.#unsigned(2) * 2;
      case 0xdf:
        return this.#unsigned(4) * 2;
      default:
        return malformed('a byte that starts no value');
    }
  }

  #number(type: number): number {
    if (type < 0x80) return type;
    if (type >= 0xe0) return type - 0x100;
    if (type === 0xca) return this.bytes.readFloatBE(this.#advance(4));
    if (type === 0xcb) return this.bytes.readDoubleBE(this.#advance(8));
    if (type === 0xcf) return Number(this.bytes.readBigUInt64BE(this.#advance(8)));
    if (type === 0xd3) return Number(this.bytes.readBigInt64BE(this.#advance(8)));
    if (type >= 0xcc && type <= 0xce) return this.#unsigned(2 ** (type - 0xcc));
    if (type >= 0xd0 && type <= 0xd2) {
      const size = 2 ** (type - 0xd0);
      return this.bytes.readIntBE(this.#advance(size), size);
    }
    return malformed('expected a number');
  }

  #byte(): number {
    return this.bytes[this.#advance(1)]!;
  }

  #unsigned(size: number): number {
    return this.bytes.readUIntBE(this.#advance(size), size);
  }

  #pass(size: number): 0 {
    this.#advance(size);
    return 0;
  }

  /** Every value takes a byte at least, so a count beyond the bytes left is a lie. */
  #plausible(count: number): number {
    if (count > this.bytes.length - this.position) malformed('a count beyond the bytes that follow');
    return count;
  }

  #advance(size: number): number {
    const start = this.position;
    if (size > this.bytes.length - start) malformed('a value that ends beyond its body');
    this.position = start + size;
    return start;
  }
}

function malformed(reason: string): never {
  throw new PartitionDamagedError(`malformed msgpack: ${reason}`);
}
