/** Private copies of a call's arguments: data anew, all else as it is. */

import { types } from 'node:util';
import { isPlain } from '../key/tagged-form.js';

/**
 * Copies what a key can be made of and what somebody could still change, at every depth: plain objects, arrays, maps,
 * sets, dates, regular expressions, errors, buffers and views of them, also from another realm. Everything else is
 * handed on. Throws for what is nested too deeply for the call stack.
 */
export function plainCopy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return copyArray(value);
  if (isPlain(value)) return copyObject(value);
  if (ArrayBuffer.isView(value)) return copyView(value);
  if (types.isDate(value)) return new Date(value);
  if (types.isMap(value))
    return new Map(Array.from(value, ([key, each]) => [plainCopy(key), plainCopy(each)]));
  if (types.isSet(value)) return new Set(Array.from(value, plainCopy));
  if (types.isAnyArrayBuffer(value)) return value.slice(0);
  if (types.isRegExp(value)) return copyRegExp(value);
  if (types.isNativeError(value)) return copyError(value);
  return value;
}

/** Most objects have nothing but fields that a spread copies, many times as fast as one by one. */
function copyObject(source: object): object {
  if (Object.getPrototypeOf(source) === Object.prototype) {
    const copy: Record<PropertyKey, unknown> = { ...source };
    const keys = Reflect.ownKeys(copy);
    // Hidden fields are left out by it.
    if (Reflect.ownKeys(source).length === keys.length) {
      for (const key of keys) {
        const value = copy[key];
        if (typeof value === 'object' && value !== null) copy[key] = plainCopy(value);
      }
      return copy;
    }
  }
  return copyFields(source, plainCopy);
}

/** A plain object with the same fields, hidden ones and symbols included, and getters read. */
export function copyFields(
  source: object,
  copyValue: (value: unknown) => unknown,
  copy: object = Object.create(Object.getPrototypeOf(source)),
): object {
  for (const key of Reflect.ownKeys(source)) {
    const field = Object.getOwnPropertyDescriptor(source, key);
    if (field === undefined) continue;
    if (!field.enumerable) Object.defineProperty(copy, key, field);
    else setField(copy, key, copyValue((source as Record<PropertyKey, unknown>)[key]));
  }
  return copy;
}

/** Sets a field of a plain object, one named `__proto__` included. */
export function setField(target: object, key: PropertyKey, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}

/** Elements and all other fields, the hidden ones as they are. */
function copyArray(source: readonly unknown[]): readonly unknown[] {
  if (isTemplate(source)) return source;
  if (hasElementsOnly(source)) return source.map(plainCopy);
  const copy: unknown[] = new Array(source.length);
  const fields = source as unknown as Readonly<Record<PropertyKey, unknown>>;
  for (const key of Reflect.ownKeys(source)) {
    if (key === 'length') continue;
    const { enumerable } = Object.getOwnPropertyDescriptor(source, key) ?? {};
    if (enumerable) setField(copy, key, plainCopy(fields[key]));
    else Object.defineProperty(copy, key, Object.getOwnPropertyDescriptor(source, key) ?? {});
  }
  return copy;
}

/** Whether all that an array has are elements that anybody sees, and holes for none of them. */
function hasElementsOnly(source: readonly unknown[]): boolean {
  const { length } = source;
  if (Object.getPrototypeOf(source) !== Array.prototype) return false;
  if (Object.keys(source).length !== length || Reflect.ownKeys(source).length !== length + 1) return false;
  for (let at = 0; at < length; at++) if (!Object.hasOwn(source, at)) return false;
  return true;
}

/** Whether these are the strings of a tagged template: frozen, and many tags know a template by their identity. */
function isTemplate(source: readonly unknown[]): boolean {
  const raw: unknown = Object.getOwnPropertyDescriptor(source, 'raw')?.value;
  return Array.isArray(raw) && Object.isFrozen(source) && Object.isFrozen(raw) && source.every(isText);
}

function isText(value: unknown): boolean {
  // An escape that is none leaves its string undefined.
  return typeof value === 'string' || value === undefined;
}

function copyView(source: ArrayBufferView): unknown {
  if (Buffer.isBuffer(source)) return Buffer.from(source);
  if (types.isTypedArray(source)) return source.slice();
  const { buffer, byteOffset, byteLength } = source;
  return new DataView(buffer.slice(byteOffset, byteOffset + byteLength));
}

function copyRegExp(source: RegExp): RegExp {
  const copy = new RegExp(source.source, source.flags);
  copy.lastIndex = source.lastIndex;
  return copy;
}

/** Still an error to Node, whatever class it is of: that takes more than the prototype of one. */
function copyError(source: Error): Error {
  const copy = new Error();
  delete copy.stack;
  Object.setPrototypeOf(copy, Object.getPrototypeOf(source));
  for (const key of Reflect.ownKeys(source)) {
    const field = Object.getOwnPropertyDescriptor(source, key);
    if (field === undefined) continue;
    const { enumerable = false } = field;
    // Newer versions of V8 make the stack an accessor, which would tell the copy's own.
    const value: unknown = key === 'stack' ? source.stack : plainCopy(source[key as keyof Error]);
    Object.defineProperty(copy, key, { value, enumerable, configurable: true, writable: true });
  }
  return copy;
}
