/**
 * Errors as they were when they were caught, for several callers: each gets a copy of its own, because callers write on
 * errors (`error.message += …`, `error.handled = true`).
 */

import { types } from 'node:util';
import { isError } from '../errors.js';
import { isBareView } from '../value/bare-view.js';
import { builtInName } from '../value/built-in-name.js';
import { binaryOverhead, stringBytes } from '../value/heap-size.js';
import { ownString } from '../value/own-string.js';
import { isArrayPrototype, isObjectPrototype } from '../value/plain.js';
import { withoutFrames } from '../value/rich/error.js';

/** An error as it was when it was caught. */
export class ErrorSnapshot {
  /** Bytes of memory that it takes, roughly. */
  readonly bytes: number;
  readonly #original: unknown;

  /** Of an error whose callers are waiting: what can't be copied is shared with them. */
  constructor(error: unknown, copying = new Copying()) {
    this.#original = copying.of(error, 0);
    this.bytes = copying.bytes;
  }

  /**
   * Of an error that is stored for longer, in memory that is counted: functions, getters and instances of classes other
   * than those that are copied, such as a response, are left out, as nobody can tell how much memory they hold on to.
   * `undefined` when what was thrown is one of these itself.
   */
  static toStore(error: unknown): ErrorSnapshot | undefined {
    const snapshot = new ErrorSnapshot(error, new Copying({ leavesOut: true }));
    return snapshot.#original === omitted ? undefined : snapshot;
  }

  /**
   * A fresh copy to throw: of the same class, with the same name, message, stack, code, cause and own properties.
   *
   * Its plain objects, arrays, Maps, Sets, Dates, URLs and nested errors are copies too. A class that keeps private
   * `#fields` loses those.
   */
  copy(): unknown {
    return new Copying().of(this.#original, 0);
  }
}

/** Deeper parts are not copied: no error may overflow the stack. */
const deepestCopy = 50;

/** What an object, a property and an item of a Map or Set take besides what is in them. */
const objectBytes = 100;
const propertyBytes = 60;
const itemBytes = 40;

/** Stands for what is left out. */
const omitted = Symbol('omitted');

/** One copying of an error with all its parts, and the memory that they take. */
class Copying {
  bytes = 0;
  /** What was copied already, because parts may refer to each other in circles. */
  readonly #copies = new Map<object, unknown>();
  readonly #leavesOut: boolean;

  /** @param leavesOut whether what can't be copied becomes `omitted`, rather than be shared */
  constructor({ leavesOut = false } = {}) {
    this.#leavesOut = leavesOut;
  }

  /** A copy, the value itself where that is shared, or `omitted`. */
  of(value: unknown, depth: number): unknown {
    if (typeof value === 'string') {
      this.bytes += stringBytes(value);
      return ownString(value);
    }
    if (typeof value === 'bigint') this.bytes += 24 + Math.ceil(value.toString(16).length / 2);
    if (typeof value === 'function' && this.#leavesOut) return omitted;
    if (typeof value !== 'object' || value === null) return value;
    const known = this.#copies.get(value);
    if (known !== undefined) return known;
    const copy =
      (depth > deepestCopy ? undefined : this.#begin(value)) ?? (this.#leavesOut ? omitted : value);
    this.#copies.set(value, copy);
    // What is shared has no parts that count.
    if (copy === omitted || copy === value) return copy;
    this.bytes += objectBytes;
    if (copy instanceof Map) this.#copyMap(value as Map<unknown, unknown>, copy, depth);
    else if (copy instanceof Set) this.#copySet(value as Set<unknown>, copy, depth);
    for (const key of Reflect.ownKeys(value)) this.#copyProperty(value, key, copy as object, depth);
    return copy;
  }

  /** A copy yet without its parts; the value itself where that may be shared, `undefined` where it can't be copied. */
  #begin(value: object): object | undefined {
    // The traps of a proxy would run, and what it holds can't be told.
    if (types.isProxy(value)) return undefined;
    if (ArrayBuffer.isView(value)) {
      if (value.byteLength > 0 && !isBareView(value)) return undefined;
      this.bytes += binaryOverhead + value.buffer.byteLength;
      return value;
    }
    if (isError(value)) {
      if (!isForeignDomException(value)) return emptyError(value);
      this.bytes += objectBytes + stringBytes(value.message);
      return value;
    }
    return emptyCopy(value);
  }

  #copyMap(map: ReadonlyMap<unknown, unknown>, copy: Map<unknown, unknown>, depth: number): void {
    Map.prototype.forEach.call(map, (item, key) => {
      this.bytes += 2 * itemBytes;
      const keyCopy = this.of(key, depth + 1);
      if (keyCopy !== omitted) copy.set(keyCopy, orUndefined(this.of(item, depth + 1)));
    });
  }

  #copySet(set: ReadonlySet<unknown>, copy: Set<unknown>, depth: number): void {
    Set.prototype.forEach.call(set, (item) => {
      this.bytes += itemBytes;
      const itemCopy = this.of(item, depth + 1);
      if (itemCopy !== omitted) copy.add(itemCopy);
    });
  }

  #copyProperty(value: object, key: string | symbol, copy: object, depth: number): void {
    this.bytes += propertyBytes + (typeof key === 'string' ? stringBytes(key) : 0);
    if (isError(value) && key === 'stack') {
      // Newer versions of V8 make it an accessor, which would tell the copy's own stack.
      const stack = orUndefined(this.of(value.stack, depth));
      Reflect.defineProperty(copy, key, { value: stack, writable: true, configurable: true });
      return;
    }
    const descriptor = Reflect.getOwnPropertyDescriptor(value, key);
    if (descriptor === undefined) return;
    if ('value' in descriptor) descriptor.value = this.of(descriptor.value, depth + 1);
    const isCopied = 'value' in descriptor ? descriptor.value !== omitted : !this.#leavesOut;
    if (isCopied) Reflect.defineProperty(copy, key, descriptor);
  }
}

function orUndefined(copy: unknown): unknown {
  return copy === omitted ? undefined : copy;
}

/** A DOMException keeps its message and name where only its constructor can put them. */
function isDomException(error: Error): boolean {
  return Object.prototype.toString.call(error) === '[object DOMException]';
}

function isForeignDomException(error: Error): boolean {
  return isDomException(error) && !(error instanceof DOMException);
}

function emptyError(value: Error): Error {
  const error = withoutFrames(() =>
    isDomException(value) ? new DOMException(value.message, value.name) : new Error(),
  );
  delete error.stack;
  return Object.setPrototypeOf(error, Reflect.getPrototypeOf(value));
}

/** A copy without own properties, of this realm's class; `undefined` for instances of classes that nobody knows here. */
function emptyCopy(value: object): object | undefined {
  const prototype = Reflect.getPrototypeOf(value);
  if (prototype === null || isObjectPrototype(prototype)) return Object.create(prototype);
  if (Array.isArray(value)) return isArrayPrototype(prototype) ? [] : undefined;
  const name = builtInName(prototype);
  if (name === 'Map' && types.isMap(value)) return new Map();
  if (name === 'Set' && types.isSet(value)) return new Set();
  if (name === 'Date' && types.isDate(value)) return new Date(Date.prototype.getTime.call(value));
  return value instanceof URL ? new URL(value.href) : undefined;
}
