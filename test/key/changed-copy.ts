/** Copies of params with one place changed. */

import { types } from 'node:util';

/** A copy that differs from `value` in the place that `at` (in [0, 1)) points to, but for a few changes that undo themselves. */
export function changedCopy(value: unknown, at: number): unknown {
  const target = Math.floor(at * countPlaces(value));
  let place = 0;
  return copyOf(value, (member) => (place++ === target ? { changed: changed(member, at) } : undefined));
}

type Edit = (member: unknown) => { readonly changed: unknown } | undefined;

function countPlaces(value: unknown): number {
  let places = 0;
  copyOf(value, () => {
    places++;
    return undefined;
  });
  return places;
}

function copyOf(value: unknown, edit: Edit): unknown {
  const edited = edit(value);
  if (edited !== undefined) return edited.changed;
  if (types.isMap(value))
    return new Map([...value].map(([key, field]) => [copyOf(key, edit), copyOf(field, edit)]));
  if (types.isSet(value)) return new Set([...value].map((member) => copyOf(member, edit)));
  if (Array.isArray(value) || isPlainObject(value)) {
    const copy: object = Array.isArray(value) ? new Array(value.length) : {};
    // Backwards, since the order of keys must not matter.
    for (const [key, field] of Object.entries(value).reverse()) define(copy, key, copyOf(field, edit));
    return copy;
  }
  return structuredClone(value);
}

function changed(value: unknown, at: number): unknown {
  const choice = Math.floor(at * 1e6) % 3;
  if (types.isMap(value) && choice > 0) return choice === 1 ? new Map([...value, ['new', 1]]) : [...value];
  if (types.isSet(value) && choice > 0) return choice === 1 ? new Set([...value, undefined]) : [...value];
  if (Array.isArray(value) && choice > 0) return choice === 1 ? [...value, undefined] : withHole(value);
  if (isPlainObject(value) && choice > 0) {
    const entries = Object.entries(value);
    return Object.fromEntries(choice === 1 ? [...entries, ['new', undefined]] : entries.slice(1));
  }
  if (typeof value === 'number') return choice === 0 ? -value : choice === 1 ? `${value}` : Object(value);
  if (typeof value === 'string') return choice === 0 ? `${value} ` : choice === 1 ? Object(value) : [value];
  if (types.isDate(value)) return choice === 0 ? value.getTime() : new Date(value.getTime() + 1);
  if (types.isUint8Array(value))
    return choice === 0 ? value.buffer : choice === 1 ? Buffer.from(value) : [...value];
  if (value === undefined) return choice === 0 ? null : 'undefined';
  return choice === 0 ? undefined : choice === 1 ? null : { value };
}

function withHole(value: readonly unknown[]): unknown[] {
  const copy = [...value];
  delete copy[0];
  return copy;
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function define(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}
