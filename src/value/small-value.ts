/**
 * Small values that are read again and again. To copy one that is decoded takes a third of decoding it, so what is read lately
 * is held decoded besides its bytes, as much as a bound allows. That form is nobody else's: callers are given copies of it.
 */

import { isObjectPrototypeExtended } from '../key/argument-walk.js';
import { type Linked, LinkedList } from '../linked-list.js';
import type { ValueCodec } from './codec.js';
import { binaryOverhead } from './heap-size.js';

/** Encoded bytes of the largest. */
export const largestSmallValue = 1024;

/** Levels of nesting that are copied. */
const mostLevels = 32;

/** Memory of a `SmallValue` itself. */
export const smallValueOverhead = 72;

/** Where no more can be held, only one of so many takes the place of others: more are read than can be held. */
const takingShare = 16;

/** A small map or list of plain msgpack, and the value again once it was read twice. */
export class SmallValue implements Linked<SmallValue> {
  // Declared only, as one is made for each value: `constructor` alone makes the fields.
  declare readonly encoded: Uint8Array;
  declare wasRead: boolean;
  declare decoded: object | undefined;
  /** Memory that it takes for being held decoded. */
  declare heldBytes: number;
  declare previous: SmallValue | undefined;
  declare next: SmallValue | undefined;

  constructor(encoded: Uint8Array) {
    this.encoded = encoded;
    this.wasRead = false;
    this.decoded = undefined;
    this.heldBytes = 0;
    this.previous = undefined;
    this.next = undefined;
  }
}

/** Reads the small values of one cache, and holds those decoded that were read lately. */
export class SmallValueReader {
  readonly #codec: ValueCodec;
  readonly #maxBytes: number;
  readonly #held = new LinkedList<SmallValue>();
  #bytes = 0;
  #isFull = false;
  #refused = 0;

  /** @param maxBytes the most bytes that are held decoded */
  constructor(codec: ValueCodec, maxBytes: number) {
    this.#codec = codec;
    this.#maxBytes = maxBytes;
  }

  /** A value that nobody else has. */
  read(value: SmallValue): unknown {
    // Copies would have as their own what all objects inherit then.
    if (isObjectPrototypeExtended()) return this.#codec.decode(value.encoded);
    if (value.decoded !== undefined) return copyOf(value.decoded);
    const decoded = this.#codec.decode(value.encoded);
    if (value.wasRead && value.decoded === undefined) this.#hold(value, decoded as object);
    value.wasRead = true;
    return decoded;
  }

  #hold(value: SmallValue, decoded: object): void {
    if (this.#isFull && ++this.#refused % takingShare !== 0) return;
    if (!isCopyable(decoded)) return;
    // Its bytes as well: their entry may leave before.
    const bytes =
      this.#codec.measure(decoded) + value.encoded.byteLength + binaryOverhead + smallValueOverhead;
    if (bytes > this.#maxBytes) return;
    this.#isFull ||= this.#bytes + bytes > this.#maxBytes;
    while (this.#bytes + bytes > this.#maxBytes) this.#letGo();
    value.decoded = copyOf(decoded);
    value.heldBytes = bytes;
    this.#held.append(value);
    this.#bytes += bytes;
  }

  /** Lets go of the decoded form that is held for the longest time. */
  #letGo(): void {
    const { first } = this.#held;
    if (first === undefined) return;
    this.#held.remove(first);
    this.#bytes -= first.heldBytes;
    first.decoded = undefined;
    first.wasRead = false;
  }
}

/** Whether a decoded value is made of plain objects, lists and primitives alone. An own `__proto__` can't be assigned. */
function isCopyable(value: unknown, levels = mostLevels): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (levels === 0) return false;
  const isPlain = Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
  if (!isPlain || Object.hasOwn(value, '__proto__')) return false;
  return Object.values(value).every((item) => isCopyable(item, levels - 1));
}

/** As its reader makes it. */
function copyOf(value: object): object {
  if (Array.isArray(value)) {
    const { length } = value;
    const list: unknown[] = new Array(length);
    for (let at = 0; at < length; at += 1) {
      const item: unknown = value[at];
      list[at] = typeof item === 'object' && item !== null ? copyOf(item) : item;
    }
    return list;
  }
  const object: Record<string, unknown> = {};
  // The quickest way through an object's own fields, as long as all objects inherit none.
  for (const name in value) {
    const field = (value as Record<string, unknown>)[name];
    object[name] = typeof field === 'object' && field !== null ? copyOf(field) : field;
  }
  return object;
}
