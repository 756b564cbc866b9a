/** Which objects and arrays are plain: own enumerable data under string keys, and nothing else. */

import { inspect } from 'node:util';

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
