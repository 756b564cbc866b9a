/** Private copies of a call's arguments: plain data anew, all else as it is. */

import { types } from 'node:util';
import { isPlain } from '../key/tagged-form.js';

/**
 * Copies what a key is made of and what somebody could still change: plain objects, arrays, maps, sets, dates and
 * bytes, at every depth. Everything else is handed on. Throws for what is nested too deeply for the call stack.
 */
export function plainCopy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return copyArray(value);
  if (isPlain(value)) return copyFields(value, plainCopy);
  if (ArrayBuffer.isView(value)) return copyView(value);
  if (types.isDate(value)) return isOf(value, Date) ? new Date(value) : value;
  if (types.isMap(value) && isOf(value, Map))
    return new Map(Array.from(value, ([key, each]) => [plainCopy(key), plainCopy(each)]));
  if (types.isSet(value) && isOf(value, Set)) return new Set(Array.from(value, plainCopy));
  return value;
}

/** A plain object with the same fields, hidden ones and symbols included, and getters read. */
export function copyFields(source: object, copyValue: (value: unknown) => unknown): Record<string, unknown> {
  const copy: Record<PropertyKey, unknown> = Object.create(Object.getPrototypeOf(source));
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

function copyArray(source: readonly unknown[]): readonly unknown[] {
  if (Object.getPrototypeOf(source) !== Array.prototype) return source;
  const copy: unknown[] = new Array(source.length);
  const fields = source as unknown as Readonly<Record<string, unknown>>;
  for (const key of Object.keys(source)) setField(copy, key, plainCopy(fields[key]));
  return copy;
}

function copyView(source: ArrayBufferView): unknown {
  if (Buffer.isBuffer(source)) return Buffer.from(source);
  return types.isTypedArray(source) ? source.slice() : source;
}

function isOf(value: object, owner: { readonly prototype: object }): boolean {
  return Object.getPrototypeOf(value) === owner.prototype;
}
