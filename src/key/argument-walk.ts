/**
 * Walks over arguments that are data of JSON's kinds and `undefined`: a cheap hash of them, and whether they are exactly
 * what a snapshot holds. Two walks, since a walk that only looks is quicker than one that takes down what it has seen.
 */

/**
 * What a snapshot holds beside primitives. Symbols, which arguments can't hold. After `asObject` come names and values in
 * turns up to `end`, after `asList` a length and so many values: two lists are equal only if the same was read.
 */
export const asObject = Symbol('object');
export const asList = Symbol('list');
export const end = Symbol('end');

/** A primitive that was read, or one of the symbols above. */
export type Token = string | number | boolean | symbol | null | undefined;

/** Arguments with more objects and lists, or of more parts, are data rather than arguments: nothing is gained by a walk. */
export const mostContainers = 64;
export const mostTokens = 4096;

export type Fields = Readonly<Record<string, unknown>>;

/** Longer strings are hashed by this many of their characters. */
const samples = 64;

/**
 * Where those are, as shares of the length, in order, as memory is read quickest. Drawn anew for each process: strings that differ in one place, such as versions
 * of a program, would otherwise meet in one bucket again and again.
 */
const places = Float64Array.from({ length: samples }, Math.random).sort();

const floats = new Float64Array(1);
const words = new Uint32Array(floats.buffer);

let containersLeft = 0;
let partsLeft = 0;
let isOther = false;

/**
 * A hash of arguments; equal for equal ones. `undefined` where anything else is in them, at any place. It looks at classes
 * only roughly, so that some values have a hash that no snapshot is the same as. Throws what getters throw.
 */
export function argumentHash(value: unknown, seed: number): number | undefined {
  containersLeft = mostContainers;
  partsLeft = mostTokens;
  isOther = false;
  const hash = hashOf(value, seed);
  return isOther ? undefined : hash;
}

function hashOf(value: unknown, hash: number): number {
  // Not a `switch`: V8 makes less of that.
  if (typeof value === 'string') return textHash(value, hash);
  if (typeof value === 'number') return numberHash(value, hash);
  if (value === null || value === undefined) return mixed(hash, 1);
  if (typeof value === 'boolean') return mixed(hash, value ? 3 : 5);
  if (typeof value !== 'object' || --containersLeft < 0) return other();
  if (Array.isArray(value)) return listHash(value, hash);
  // Most objects tell so much quicker than by their prototype. Whether they are right is for `isSame` to find out.
  if ((value as Fields)['constructor'] !== Object && !isPlain(value)) return other();
  return objectHash(value, hash);
}

/** Once a value is none that is compared, nothing that follows can undo that. */
function other(): number {
  isOther = true;
  return 0;
}

function objectHash(value: object, seed: number): number {
  let hash = seed;
  for (const name in value) {
    if (--partsLeft < 0) return other();
    const field = (value as Fields)[name];
    if (typeof field === 'string') hash = textHash(field, hash);
    else {
      hash = hashOf(field, hash);
      if (isOther) return 0;
    }
  }
  // Objects parted in other places are to differ.
  return ~hash;
}

function listHash(list: readonly unknown[], seed: number): number {
  const { length } = list;
  partsLeft -= length;
  if (partsLeft < 0) return other();
  let hash = mixed(seed, length);
  for (let at = 0; at < length; at++) {
    hash = hashOf(list[at], hash);
    if (isOther) return 0;
  }
  return hash;
}

function numberHash(value: number, hash: number): number {
  if ((value | 0) === value) return mixed(hash, value);
  floats[0] = value;
  return mixed(mixed(hash, words[0]!), words[1]!);
}

/** A hash of a text's length and of its characters, or of some of them. */
export function textHash(text: string, seed: number): number {
  const { length } = text;
  let hash = seed ^ (length << 8);
  if (length > samples) {
    for (let n = 0; n < samples; n += 2) {
      const [first, second] = [(places[n]! * length) | 0, (places[n + 1]! * length) | 0];
      hash = mixed(hash, text.charCodeAt(first) | (text.charCodeAt(second) << 16));
    }
  } else {
    const even = length & ~1;
    for (let at = 0; at < even; at += 2)
      hash = mixed(hash, text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16));
    if (even < length) hash = mixed(hash, text.charCodeAt(even));
  }
  return hash;
}

function mixed(hash: number, by: number): number {
  return Math.imul(hash ^ by, 0x01000193) ^ (hash >>> 15);
}

let tokens: readonly Token[] = [];
let at = 0;

/** Whether arguments, each part of them read once, are exactly what a snapshot holds. Throws what getters throw. */
export function isSame(value: unknown, snapshot: readonly Token[]): boolean {
  tokens = snapshot;
  at = 0;
  return isSameValue(value) && !isObjectPrototypeExtended();
}

function isSameValue(value: unknown): boolean {
  if (typeof value === 'object' && value !== null)
    return Array.isArray(value) ? isSameList(value) : isSameObject(value);
  const token = tokens[at++];
  if (typeof value !== 'number' || (value !== 0 && value === token)) return value === token;
  return Object.is(value, token);
}

function isSameObject(value: object): boolean {
  if (tokens[at++] !== asObject || !isPlain(value)) return false;
  // The quickest way through an object's own fields, as long as all objects inherit none.
  for (const name in value) {
    if (tokens[at++] !== name) return false;
    const field = (value as Fields)[name];
    if (typeof field === 'string') {
      if (tokens[at++] !== field) return false;
    } else if (!isSameValue(field)) return false;
  }
  // The canonical road decides about those: a tool may read them.
  return tokens[at++] === end && Object.getOwnPropertySymbols(value).length === 0;
}

function isSameList(list: readonly unknown[]): boolean {
  const { length } = list;
  if (tokens[at++] !== asList || tokens[at++] !== length || !isPlainList(list)) return false;
  for (let index = 0; index < length; index++) {
    const value = list[index];
    if (value === undefined && !Object.hasOwn(list, index)) return false;
    if (!isSameValue(value)) return false;
  }
  return true;
}

/** Whether an object's prototype is that of plain ones of this realm, or none. */
export function isPlain(value: object): boolean {
  // Once V8 has looked at what an object inherits it knows its prototype, and needs not call anything to tell it.
  if ((value as Fields)['constructor'] === Object && Object.getPrototypeOf(value) === Object.prototype)
    return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Whether there is nothing to a list but its elements. Holes are still to be told: as many fields may stand beside them. */
export function isPlainList(list: readonly unknown[]): boolean {
  // The strings of a tagged template have hidden ones in `raw`.
  return (
    (list.constructor as unknown) === Array &&
    Object.getPrototypeOf(list) === Array.prototype &&
    !('raw' in list) &&
    Object.keys(list).length === list.length &&
    Object.getOwnPropertySymbols(list).length === 0
  );
}

const anyObject = {};

/** Whether a walk over an object's fields would meet some that it does not have. */
export function isObjectPrototypeExtended(): boolean {
  for (const _ in anyObject) return true;
  return false;
}
