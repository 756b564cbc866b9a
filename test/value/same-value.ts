/** The reference that round trips are judged by: same types, contents, order and sharing. Obvious rather than fast. */

import { types } from 'node:util';

/** Whether `b` is a faithful copy of `a`: whatever can be seen of one can be seen of the other. */
export function isSameValue(a: unknown, b: unknown): boolean {
  return new Comparison().same(a, b);
}

class Comparison {
  readonly #partner = new Map<unknown, unknown>();
  readonly #partnerBack = new Map<unknown, unknown>();

  same(a: unknown, b: unknown): boolean {
    if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) return Object.is(a, b);
    if (this.#partner.has(a) || this.#partnerBack.has(b)) {
      return this.#partner.get(a) === b && this.#partnerBack.get(b) === a;
    }
    this.#partner.set(a, b);
    this.#partnerBack.set(b, a);
    return (
      Object.getPrototypeOf(a) === Object.getPrototypeOf(b) && this.#sameInside(a, b) && this.#sameOwn(a, b)
    );
  }

  #sameInside(a: object, b: object): boolean {
    if (types.isDate(a) && types.isDate(b)) return Object.is(a.getTime(), b.getTime());
    if (types.isRegExp(a) && types.isRegExp(b)) return a.source === b.source && a.flags === b.flags;
    if (types.isMap(a) && types.isMap(b)) return this.same([...a], [...b]);
    if (types.isSet(a) && types.isSet(b)) return this.same([...a], [...b]);
    if (ArrayBuffer.isView(a) && ArrayBuffer.isView(b)) return sameBytes(bytesOf(a), bytesOf(b));
    if (types.isArrayBuffer(a) && types.isArrayBuffer(b))
      return sameBytes(new Uint8Array(a), new Uint8Array(b));
    if (a instanceof URL || a instanceof URLSearchParams) return String(a) === String(b);
    if (types.isNativeError(a) && types.isNativeError(b)) return a.stack === b.stack;
    return true;
  }

  #sameOwn(a: object, b: object): boolean {
    const keys = ownKeys(a);
    const otherKeys = ownKeys(b);
    return (
      keys.length === otherKeys.length &&
      keys.every((key, index) => key === otherKeys[index] || types.isNativeError(a)) &&
      keys.every((key) => this.#sameProperty(a, b, key))
    );
  }

  #sameProperty(a: object, b: object, key: PropertyKey): boolean {
    const property = Object.getOwnPropertyDescriptor(a, key);
    const other = Object.getOwnPropertyDescriptor(b, key);
    return (
      property !== undefined &&
      other !== undefined &&
      property.enumerable === other.enumerable &&
      this.same(property.value, other.value)
    );
  }
}

/** The stack is compared by itself: some versions of V8 have it as a getter. */
function ownKeys(object: object): PropertyKey[] {
  return Reflect.ownKeys(object).filter((key) => !(types.isNativeError(object) && key === 'stack'));
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
