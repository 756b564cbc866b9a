/** The walk over values that plain msgpack can say; it stops at the first thing that it can't. */

import { types } from 'node:util';
import { maxElements } from './element-bound.js';
import type { MsgpackSink } from './msgpack-writer.js';
import {
  hasElementsOnly,
  hasOtherKeys,
  isArrayPrototype,
  isGetter,
  isObjectPrototype,
} from './plain-objects.js';
import { isWellFormed } from './well-formed.js';

/** Deeper values go into an ext value: readers of msgpack in other languages have limits from about 500 levels. */
const maxPlainDepth = 256;

/**
 * Reports a JSON-like value to `sink` and tells whether it was one: null, booleans, numbers, well-formed strings,
 * and arrays and plain objects of these, none of them met twice. If not, what was reported so far is void.
 */
export function walkPlain(value: unknown, sink: MsgpackSink): boolean {
  return new PlainWalk(sink).visit(value, 0);
}

class PlainWalk {
  readonly #sink: MsgpackSink;
  /** Objects met: a second meeting is a shared reference or a cycle. Made for the first nested object. */
  #met: Set<object> | undefined;
  #root: object | undefined;
  #elements = 0;

  constructor(sink: MsgpackSink) {
    this.#sink = sink;
  }

  visit(value: unknown, depth: number): boolean {
    switch (typeof value) {
      case 'string':
        if (!isWellFormed(value)) return false;
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
        if (depth === maxPlainDepth || types.isProxy(value) || this.#hasMet(value)) return false;
        return Array.isArray(value)
          ? this.#visitArray(value, depth + 1)
          : this.#visitObject(value, depth + 1);
      default:
        return false;
    }
  }

  #visitArray(array: readonly unknown[], depth: number): boolean {
    if (!isArrayPrototype(Object.getPrototypeOf(array)) || !hasElementsOnly(array)) return false;
    const { length } = array;
    if (!this.#hasRoomFor(length)) return false;
    this.#sink.array(length);
    for (let index = 0; index < length; index += 1) {
      if (isGetter(array, index) || !this.visit(array[index], depth)) return false;
    }
    return true;
  }

  #visitObject(object: object, depth: number): boolean {
    if (!isObjectPrototype(Object.getPrototypeOf(object))) return false;
    const keys = Object.keys(object);
    if (hasOtherKeys(object, keys)) return false;
    if (!this.#hasRoomFor(keys.length)) return false;
    this.#sink.map(keys.length);
    for (const key of keys) {
      if (key === '__proto__' || !isWellFormed(key)) return false;
      this.#sink.key(key);
      // The descriptor's value is undefined for accessors, which so are never called.
      if (!this.visit(Object.getOwnPropertyDescriptor(object, key)?.value, depth)) return false;
    }
    return true;
  }

  /** Beyond the bound the rich form decides: in it, an array may be mere holes. */
  #hasRoomFor(elements: number): boolean {
    this.#elements += elements;
    return this.#elements <= maxElements;
  }

  #hasMet(object: object): boolean {
    if (this.#root === undefined) {
      this.#root = object;
      return false;
    }
    this.#met ??= new Set([this.#root]);
    const { size } = this.#met;
    return this.#met.add(object).size === size;
  }
}
