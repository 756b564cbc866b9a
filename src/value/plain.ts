/**
 * Plain values: null, booleans, numbers, well-formed strings, and arrays and objects with nothing but own enumerable data
 * under string keys. Plain msgpack can say them, and one walk reports them, or stops at the first thing that isn't plain.
 */

import { inspect, types } from 'node:util';
import { maxElements } from './msgpack/limits.js';
import type { MsgpackSink } from './msgpack/writer.js';

/** Deeper values go into an ext value: readers of msgpack in other languages have limits from about 500 levels. */
const maxPlainDepth = 256;

/** Up to this length an array's names are listed; beyond, asking `inspect` for the other names is cheaper. */
const listedLength = 8;

const onlyOtherNames = {
  maxArrayLength: 0,
  showHidden: true,
  customInspect: false,
  depth: 0,
  breakLength: Number.POSITIVE_INFINITY,
} as const;

const noOtherNames = /^\[ \.\.\. \d+ more items?, \[length\]: \d+ \]$/;

/**
 * Reports a JSON-like value to `sink` and tells whether it was one: null, booleans, numbers, well-formed strings,
 * and arrays and plain objects of these, none of them met twice. If not, what was reported so far is void.
 */
export function walkPlain(value: unknown, sink: MsgpackSink, limit?: WalkLimit): boolean {
  return new PlainWalk(value, sink, limit).visit(value, 0);
}

/** Where a walk stops as if the value were not plain, and what the next walk of the same value need not list again. */
export interface WalkLimit {
  readonly mostElements: number;
  /** The object at which it has stopped, and its names: to list a million takes longer than all else. */
  listed?: { readonly object: object; readonly names: readonly string[] };
}

class PlainWalk {
  readonly #sink: MsgpackSink;
  readonly #limit: WalkLimit;
  readonly #root: unknown;
  /** Objects met: a second meeting is a shared reference or a cycle. Made for the first nested object. */
  #met: Set<unknown> | undefined;
  #elements = 0;

  constructor(root: unknown, sink: MsgpackSink, limit: WalkLimit = { mostElements: maxElements }) {
    this.#root = root;
    this.#sink = sink;
    this.#limit = limit;
  }

  visit(value: unknown, depth: number): boolean {
    switch (typeof value) {
      case 'string':
        // Lone surrogates do not survive UTF-8.
        if (!value.isWellFormed()) return false;
        this.#sink.string(value);
        return true;
      case 'number':
        this.#sink.number(value);
        return true;
      case 'boolean':
        this.#sink.boolean(value);
        return true;
      case 'object':
        if (value === null) {
          this.#sink.nil();
          return true;
        }
        if (depth === maxPlainDepth || types.isProxy(value) || (depth > 0 && this.#hasMet(value)))
          return false;
        return Array.isArray(value)
          ? this.#visitArray(value, depth + 1)
          : this.#visitObject(value, depth + 1);
      default:
        return false;
    }
  }

  #visitArray(array: readonly unknown[], depth: number): boolean {
    const prototype = Object.getPrototypeOf(array);
    if (prototype !== Array.prototype && !isArrayPrototype(prototype)) return false;
    if (!hasElementsOnly(array)) return false;
    const { length } = array;
    this.#elements += length;
    // Beyond the bound the rich form decides: in it, an array may be mere holes.
    if (this.#elements > this.#limit.mostElements) return false;
    this.#sink.array(length);
    for (let index = 0; index < length; index += 1) {
      if (lookupGetter.call(array, index) !== undefined || !this.visit(array[index], depth)) return false;
    }
    return true;
  }

  #visitObject(object: object, depth: number): boolean {
    const prototype = Object.getPrototypeOf(object);
    if (prototype !== Object.prototype && !isObjectPrototype(prototype)) return false;
    // Listed once: for an object of a million keys that takes longer than all else together.
    const { listed } = this.#limit;
    const keys = listed?.object === object ? listed.names : Object.getOwnPropertyNames(object);
    if (Object.getOwnPropertySymbols(object).length !== 0) return false;
    this.#elements += keys.length;
    if (this.#elements > this.#limit.mostElements) {
      this.#limit.listed = { object, names: keys };
      return false;
    }
    this.#sink.map(keys.length);
    for (const key of keys) {
      if (key === '__proto__' || !key.isWellFormed()) return false;
      const property = Object.getOwnPropertyDescriptor(object, key);
      if (property?.enumerable !== true) return false;
      this.#sink.key(key);
      // Undefined for accessors, which so are never called.
      if (!this.visit(property.value, depth)) return false;
    }
    return true;
  }

  #hasMet(object: object): boolean {
    this.#met ??= new Set([this.#root]);
    const { size } = this.#met;
    return this.#met.add(object).size === size;
  }
}

/** Whether it is the prototype of `{}`, of this realm or another (`node:vm`, Jest). */
export function isObjectPrototype(prototype: object | null): boolean {
  if (prototype === Object.prototype) return true;
  if (prototype === null || Object.getPrototypeOf(prototype) !== null) return false;
  const maker: unknown = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value;
  return typeof maker === 'function' && maker.name === 'Object' && maker.prototype === prototype;
}

/** Whether it is the prototype of `[]`, of this realm or another: the only prototypes that are arrays themselves. */
export function isArrayPrototype(prototype: object | null): boolean {
  return prototype === Array.prototype || Array.isArray(prototype);
}

/** Whether an object has own properties that `Object.keys` doesn't list: hidden ones, or such with symbols as keys. */
export function hasOtherKeys(value: object, keys: readonly string[]): boolean {
  return (
    Object.getOwnPropertyNames(value).length !== keys.length ||
    Object.getOwnPropertySymbols(value).length !== 0
  );
}

/** Whether an array has elements only: no own properties besides its indices and its length. Holes don't matter. */
export function hasElementsOnly(array: readonly unknown[]): boolean {
  if (array.length > listedLength && noOtherNames.test(inspect(array, onlyOtherNames))) return true;
  if (Object.getOwnPropertySymbols(array).length !== 0) return false;
  const names = Object.getOwnPropertyNames(array);
  // Names are listed indices first, then `length`, then the rest.
  return names[names.length - 1] === 'length';
}

/** Deprecated for its looks alone; asking for a descriptor takes six times as long. */
const { __lookupGetter__: lookupGetter } = Object.prototype as unknown as {
  __lookupGetter__(this: object, key: number): unknown;
};

/** Whether an array's element is a getter, which may give each reader something else. */
export function isGetter(array: readonly unknown[], index: number): boolean {
  return lookupGetter.call(array, index) !== undefined;
}
