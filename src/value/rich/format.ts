/**
 * The form of values that plain msgpack can't say: one msgpack ext value of type 84 whose data is a version byte
 * and then one form in standard msgpack.
 *
 * - `null`, booleans, numbers and well-formed strings stand for themselves, a map for a plain object.
 * - An array is never just an array: its last item is a tag that says what the items before it mean. So whatever
 *   a user's data looks like, it can't be taken for one of these forms.
 * - All objects are numbered from 0 in the order in which they begin; `Tag.Reference` points back by number.
 */

/** The msgpack ext type of rich values ("T"). */
export const richType = 84;

/** The version of the form, the first byte of the ext value's data. */
export const richVersion = 1;

/** Levels of nesting that a value may have. */
export const maxDepth = 1000;

/** What the items of a tagged array mean. Numbers are part of the format: never reuse one. */
export const Tag = {
  /** `[item, …]`: an array. */
  Array: 0,
  /** `[number]`: the object with that number, again. */
  Reference: 1,
  /** `[]`: `undefined`. */
  Undefined: 2,
  /** `[hexadecimal digits]`: a BigInt. */
  BigInt: 3,
  /** `[UTF-16 little-endian bytes]`: a string with lone surrogates. */
  Utf16: 4,
  /** `[length, key, item, …]`: an array with holes or named properties; a numeric key is an index. */
  SparseArray: 5,
  /** `[key, value, …]`: a plain object whose keys don't suit a map. */
  Entries: 6,
  /** `[key, value, …]`: an object without a prototype. */
  NullPrototype: 7,
  /** `[epoch ms or NaN]`: a Date. */
  Date: 8,
  /** `[source, flags, lastIndex]`: a RegExp. */
  RegExp: 9,
  /** `[key, value, …]`: a Map. */
  Map: 10,
  /** `[item, …]`: a Set. */
  Set: 11,
  /** `[class name, number of hidden properties, key, value, …]`: an Error, its hidden properties first. */
  Error: 12,
  /** `[bytes]`: a Buffer. */
  Buffer: 13,
  /** `[bytes]`: an ArrayBuffer. */
  ArrayBuffer: 14,
  /** `[class name, bytes]`: a typed array or DataView; elements little-endian. */
  View: 15,
  /** `[href]`: a URL. */
  Url: 16,
  /** `[query]`: URLSearchParams. */
  UrlSearchParams: 17,
  /** `[codec's tag, data]`: an instance of a user's class. */
  Class: 18,
} as const;
