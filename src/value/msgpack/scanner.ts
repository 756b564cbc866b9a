/** Goes through msgpack that nobody vouches for, so that values pass without being decoded (msgpack specification, 2013). */

import { maxElements } from './limits.js';
import { unreadable } from './reader.js';
import { ShortStrings } from './short-strings.js';

/** Deeper nesting than any value that can be stored; more is an attack on whoever decodes it. */
const maxDepth = 2_000;

/** Bytes of the numbers that begin with 0xca to 0xd3: two floats, four unsigned and four signed integers. */
const numberSizes = [4, 8, 1, 2, 4, 8, 1, 2, 4, 8];

/** Every value takes a byte at least, so such a count is a lie. */
const tooMany = 'a count beyond the bytes that follow';

const names = new ShortStrings();

/** Reads what it is asked for and passes over all else. Every step is checked against the bytes that are there. */
export class MsgpackScanner {
  readonly bytes: Buffer;
  position: number;
  readonly #maxValues: number;
  #valuesLeft: number;

  /** @param maxValues how many values, keys of maps among them, `skip` passes before it gives up: each takes time */
  constructor(bytes: Buffer, position = 0, maxValues = 4 * maxElements) {
    this.bytes = bytes;
    this.position = position;
    this.#maxValues = maxValues;
    this.#valuesLeft = maxValues;
  }

  get atEnd(): boolean {
    return this.position >= this.bytes.length;
  }

  /** Begins an entry, to which `maxValues` applies anew. */
  startEntry(): void {
    this.#valuesLeft = this.#maxValues;
  }

  /** Whether the next value is nil; it is consumed if so. */
  takeNil(): boolean {
    if (this.bytes[this.position] !== 0xc0) return false;
    this.position += 1;
    return true;
  }

  /** Whether just these bytes come next; they are consumed if so. */
  takes(expected: Uint8Array): boolean {
    const { bytes, position } = this;
    // Beyond the end there is nothing, which is no byte.
    for (let at = 0; at < expected.length; at += 1) if (bytes[position + at] !== expected[at]) return false;
    this.position = position + expected.length;
    return true;
  }

  /** The number of pairs of the map that starts here. */
  mapLength(): number {
    return this.#plausible(2 * (this.#length(0x80, 0xde) ?? this.malformed('expected a map'))) / 2;
  }

  /** The number of items of the array that starts here. */
  arrayLength(): number {
    return this.#plausible(this.#length(0x90, 0xdc) ?? this.malformed('expected an array'));
  }

  /** Whether a string starts here. */
  isAtString(): boolean {
    return isString(this.bytes[this.position]);
  }

  /** The string that starts here, or `undefined` when it is something else, which is then skipped. */
  stringOrSkip(): string | undefined {
    const type = this.bytes[this.position];
    if (!isString(type)) {
      this.skip();
      return undefined;
    }
    this.position += 1;
    const length = type < 0xc0 ? type & 0x1f : this.#unsigned(1 << (type - 0xd9));
    const start = this.#advance(length);
    return names.read(this.bytes, start, length) ?? this.bytes.toString('utf8', start, start + length);
  }

  /** The finite number or nil that starts here. */
  numberOrNull(): number | null {
    const type = this.bytes[this.position];
    if (type === 0xc0 || (type !== undefined && type < 0x80)) {
      this.position += 1;
      return type === 0xc0 ? null : type;
    }
    // A moment, as files carry it.
    if (type === 0xcf && this.position + 9 <= this.bytes.length) {
      this.position += 9;
      const high = this.bytes.readUInt32BE(this.position - 8);
      return high * 2 ** 32 + this.bytes.readUInt32BE(this.position - 4);
    }
    const value = this.#numberHere();
    return value !== undefined && Number.isFinite(value) ? value : this.malformed('expected a finite number');
  }

  /** The finite number or boolean that starts here, or `undefined` when it is something else, which is then skipped. */
  scalarOrSkip(): number | boolean | undefined {
    const value = this.#numberHere();
    if (value !== undefined) return Number.isFinite(value) ? value : undefined;
    const type = this.bytes[this.position];
    this.skip();
    return type === 0xc2 || type === 0xc3 ? type === 0xc3 : undefined;
  }

  /** Passes over the value that starts here, without recursion. */
  skip(): void {
    let left = this.#skipHead();
    if (left === 0) return;
    const open: number[] = [];
    this.#enter(open, 0, left);
    for (;;) {
      while (left === 0) {
        const outer = open.pop();
        if (outer === undefined) return;
        left = outer;
      }
      left -= 1;
      // Most are short: small integers and texts.
      const type = this.bytes[this.position];
      if (type !== undefined && (type < 0x80 || (type >= 0xa0 && type < 0xc0))) {
        this.position += type < 0x80 ? 1 : 1 + (type & 0x1f);
        if (this.position > this.bytes.length) this.malformed('a value that ends beyond its body');
        continue;
      }
      const children = this.#skipHead();
      if (children > 0) {
        this.#enter(open, left, children);
        left = children;
      }
    }
  }

  /** Throws the error for bytes that are not what was asked for. */
  protected malformed(reason: string): never {
    throw unreadable(`malformed msgpack: ${reason}`);
  }

  #enter(open: number[], left: number, children: number): void {
    if (open.length >= maxDepth) this.malformed(`nesting over ${maxDepth} levels`);
    if (children > this.bytes.length - this.position) this.malformed(tooMany);
    open.push(left);
    this.#valuesLeft -= children;
    if (this.#valuesLeft < 0) this.malformed(`over ${this.#maxValues} values in one entry`);
  }

  /** Passes over one value but for its children, whose number it returns. */
  #skipHead(): number {
    const type = this.bytes[this.position] ?? this.malformed('a value that ends beyond its body');
    this.position += 1;
    if (type < 0x80 || type >= 0xe0) return 0;
    if (type < 0x90) return (type & 0x0f) * 2;
    if (type < 0xa0) return type & 0x0f;
    if (type < 0xc0) {
      this.position += type & 0x1f;
      if (this.position > this.bytes.length) this.malformed('a value that ends beyond its body');
      return 0;
    }
    switch (type) {
      case 0xc0:
      case 0xc2:
      case 0xc3:
        return 0;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#pass(this.#unsigned(1 << (type - 0xc4)));
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return this.#pass(this.#unsigned(1 << (type - 0xc7)) + 1);
      case 0xca:
        return this.#pass(4);
      case 0xcb:
        return this.#pass(8);
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf:
        return this.#pass(1 << (type - 0xcc));
      case 0xd0:
      case 0xd1:
      case 0xd2:
      case 0xd3:
        return this.#pass(1 << (type - 0xd0));
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.#pass((1 << (type - 0xd4)) + 1);
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#pass(this.#unsigned(1 << (type - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.#unsigned(2 << (type - 0xdc));
      case 0xde:
      case 0xdf:
        return this.#unsigned(2 << (type - 0xde)) * 2;
      default:
        return this.malformed('a byte that starts no value');
    }
  }

  /** The number that starts here, or `undefined` when it is something else. Integers beyond 2^53 are rounded. */
  #numberHere(): number | undefined {
    const type = this.bytes[this.position] ?? 0xc1;
    const size = type < 0x80 || type >= 0xe0 ? 0 : numberSizes[type - 0xca];
    if (size === undefined) return undefined;
    const at = this.#advance(1 + size) + 1;
    switch (type) {
      case 0xca:
        return this.bytes.readFloatBE(at);
      case 0xcb:
        return this.bytes.readDoubleBE(at);
      case 0xcc:
        return this.bytes.readUInt8(at);
      case 0xcd:
        return this.bytes.readUInt16BE(at);
      case 0xce:
        return this.bytes.readUInt32BE(at);
      case 0xcf:
        return Number(this.bytes.readBigUInt64BE(at));
      case 0xd0:
        return this.bytes.readInt8(at);
      case 0xd1:
        return this.bytes.readInt16BE(at);
      case 0xd2:
        return this.bytes.readInt32BE(at);
      case 0xd3:
        return Number(this.bytes.readBigInt64BE(at));
      default:
        return type < 0x80 ? type : type - 0x100;
    }
  }

  /** The length that a map or array starts with, or `undefined` for anything else. */
  #length(short: number, long: number): number | undefined {
    const type = this.bytes[this.position] ?? this.malformed('a value that ends beyond its body');
    this.position += 1;
    if ((type & 0xf0) === short) return type & 0x0f;
    return type === long || type === long + 1 ? this.#unsigned(2 << (type - long)) : undefined;
  }

  #unsigned(size: number): number {
    const at = this.#advance(size);
    if (size === 1) return this.bytes.readUInt8(at);
    return size === 2 ? this.bytes.readUInt16BE(at) : this.bytes.readUInt32BE(at);
  }

  #pass(size: number): 0 {
    if (size > this.bytes.length - this.position) this.malformed('a value that ends beyond its body');
    this.position += size;
    return 0;
  }

  #plausible(count: number): number {
    if (count > this.bytes.length - this.position) this.malformed(tooMany);
    return count;
  }

  #advance(size: number): number {
    const start = this.position;
    if (size > this.bytes.length - start) this.malformed('a value that ends beyond its body');
    this.position = start + size;
    return start;
  }
}

function isString(type: number | undefined): type is number {
  return type !== undefined && ((type >= 0xa0 && type <= 0xbf) || (type >= 0xd9 && type <= 0xdb));
}
