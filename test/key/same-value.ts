/** When two params are the same call: the obvious comparison that keys are held against. */

import { types } from 'node:util';

/**
 * Leaves by `Object.is`, so a BigInt is no number. The order of Maps and Sets counts; that of an object's keys, a plain
 * object's prototype, a RegExp's `lastIndex` and an Error's `stack` don't.
 */
export function isSame(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) {
    return Object.is(a, b);
  }
  if (kindOf(a) !== kindOf(b)) return false;
  if (types.isDate(a)) return Object.is(a.getTime(), (b as Date).getTime());
  if (types.isRegExp(a)) return a.source === (b as RegExp).source && a.flags === (b as RegExp).flags;
  if (types.isMap(a)) return isSame([...a], [...(b as typeof a)]);
  if (types.isSet(a)) return isSame([...a], [...(b as typeof a)]);
  if (types.isBoxedPrimitive(a)) return Object.is(a.valueOf(), b.valueOf());
  if (types.isAnyArrayBuffer(a)) return isSameBytes(new Uint8Array(a), new Uint8Array(b as ArrayBuffer));
  if (ArrayBuffer.isView(a)) return isSameView(a, b as ArrayBufferView);
  if (types.isNativeError(a)) {
    const other = b as Error;
    if (a.name !== other.name || a.message !== other.message) return false;
    return isSameFields(a, other, ['name', 'message', 'stack']);
  }
  if (Array.isArray(a) && a.length !== (b as unknown[]).length) return false;
  return isSameFields(a, b, Array.isArray(a) ? ['length'] : []);
}

/** The class of built-in values; one and the same for all plain objects, whatever fields they have. */
function kindOf(value: object): string {
  return Buffer.isBuffer(value) ? 'Buffer' : Object.prototype.toString.call(value);
}

function isSameFields(a: object, b: object, except: readonly string[]): boolean {
  const keysOf = (value: object) => Object.getOwnPropertyNames(value).filter((key) => !except.includes(key));
  const keys = keysOf(a);
  return (
    keys.length === keysOf(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && isSame(fieldOf(a, key), fieldOf(b, key)))
  );
}

function fieldOf(value: object, key: string): unknown {
  return Object.getOwnPropertyDescriptor(value, key)?.value;
}

function isSameView(a: ArrayBufferView, b: ArrayBufferView): boolean {
  const isSameContent =
    types.isFloat32Array(a) || types.isFloat64Array(a)
      ? isSame([...a], [...(b as typeof a)])
      : isSameBytes(bytesOf(a), bytesOf(b));
  return isSameContent && isSameFields(a, b, []);
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function isSameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
