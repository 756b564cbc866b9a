/** What params may hold beyond JSON, each kind as a tag with parts: `@Date(1795000000000)`, `@Set("a", "b")`. */

import { types } from 'node:util';
import { isBareView } from '../value/bare-view.js';
import { builtInName } from '../value/built-in-name.js';
import { longestText, tooLong } from './json-leaf.js';

/** A value JSON can't say, as the name of its kind and parts that canonical JSON can say. */
export interface TaggedForm {
  readonly tag: string;
  readonly parts: readonly unknown[];
  /** How a part is reached from the value, to name it in errors: `.values()`, then `[0]`. */
  readonly access?: string;
  /** Whether the parts are the value's own members, and not objects made for the form. */
  readonly partsAreMembers?: boolean;
}

/** Whether an object's own fields are all there is to it. It may come from another realm, or have no prototype. */
export function isPlain(value: object): boolean {
  const prototype: object | null = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null || builtInName(prototype) === 'Object';
}

/** A symbol that names a field which is not hidden: a tool may read it, as database libraries do, and no text tells it apart. */
export function symbolFieldOf(value: object): symbol | undefined {
  const symbols = Object.getOwnPropertySymbols(value);
  return symbols.find((symbol) => Object.prototype.propertyIsEnumerable.call(value, symbol));
}

/** Whether an array's elements are all there is to it: no holes, no fields beside them, no class of its own. */
export function isOrdinaryArray(value: readonly unknown[]): boolean {
  if (!isPlainArray(value) || Object.hasOwn(value, 'raw')) return false;
  if (symbolFieldOf(value) !== undefined) return false;
  // Far quicker than listing the keys, since no index becomes a string. As many holes as fields add up, though.
  const elements = Object.values(value);
  if (elements.length !== value.length) return false;
  for (let i = 0; i < value.length; i++) {
    if (value[i] === undefined && !Object.hasOwn(value, i)) return false;
  }
  return true;
}

/**
 * The form of an object that is neither plain nor an ordinary array. `undefined` when it has none: its class isn't
 * built in, or it carries fields that the form would lose.
 */
export function taggedForm(value: object): TaggedForm | undefined {
  if (Array.isArray(value))
    return isPlainArray(value) && symbolFieldOf(value) === undefined ? unusualArrayForm(value) : undefined;
  const prototype: object | null = Object.getPrototypeOf(value);
  if (prototype === null) return undefined;
  if (ArrayBuffer.isView(value)) return viewForm(value, prototype);
  const tag = builtInName(prototype);
  const form = tag === undefined ? undefined : forms[tag]?.(value);
  return form === undefined || tag === undefined ? undefined : { tag, ...form };
}

/** What a value is called in an error: `a function`, `an instance of Session`. */
export function describeKind(value: unknown): string {
  if (typeof value !== 'object' || value === null) return `a ${typeof value}`;
  try {
    const symbol = isPlain(value) || Array.isArray(value) ? symbolFieldOf(value) : undefined;
    if (symbol !== undefined) return `an object with a field named by a symbol, \`${String(symbol)}\``;
    const name: unknown = value.constructor?.name;
    if (typeof name === 'string' && name !== '') {
      return `an instance of ${name}${hasForm(value, name) ? reasons : ''}`;
    }
  } catch {
    return 'an object that throws when it is read';
  }
  return 'an object with a prototype of its own';
}

/** Why an object of a class that has a form may have none. */
const reasons = ' that is a Proxy or has fields of its own';

function hasForm(value: object, className: string): boolean {
  return (
    className in forms || (ArrayBuffer.isView(value) && viewName(Object.getPrototypeOf(value)) === className)
  );
}

type Form = Omit<TaggedForm, 'tag'>;

/** By the built-in class. An object that only has the prototype of one, such as a Proxy, has no form. */
const forms: Readonly<Record<string, ((value: object) => Form | undefined) | undefined>> = {
  Date: (value) => (types.isDate(value) && isBare(value) ? { parts: [value.getTime()] } : undefined),
  RegExp: (value) =>
    types.isRegExp(value) && isBare(value)
      ? // Where the next search begins tells calls apart, though a pattern that has not been used yet says nothing of it.
        { parts: [value.source, value.flags, ...(searchesOn(value) ? [value.lastIndex] : [])] }
      : undefined,
  Map: (value) =>
    types.isMap(value) && isBare(value) ? { parts: [...value], access: '.entries()' } : undefined,
  Set: (value) =>
    types.isSet(value) && isBare(value)
      ? { parts: [...value], access: '.values()', partsAreMembers: true }
      : undefined,
  ArrayBuffer: bufferForm,
  SharedArrayBuffer: bufferForm,
  Number: boxedForm,
  String: boxedForm,
  Boolean: boxedForm,
  BigInt: boxedForm,
  Error: errorForm,
  AggregateError: errorForm,
  EvalError: errorForm,
  RangeError: errorForm,
  ReferenceError: errorForm,
  SyntaxError: errorForm,
  TypeError: errorForm,
  URIError: errorForm,
};

function searchesOn({ global, sticky, lastIndex }: RegExp): boolean {
  return (global || sticky) && lastIndex !== 0;
}

function isPlainArray(value: readonly unknown[]): boolean {
  const prototype: object | null = Object.getPrototypeOf(value);
  return prototype === Array.prototype || (prototype !== null && builtInName(prototype) === 'Array');
}

function unusualArrayForm(value: readonly unknown[]): TaggedForm {
  const keys = Object.keys(value);
  // Hidden in the strings of a tagged template, and all that tells `\n` from a line break.
  if (Object.hasOwn(value, 'raw') && !keys.includes('raw')) keys.push('raw');
  return { tag: 'Array', parts: [value.length, pickFields(value, keys)] };
}

function bufferForm(value: object): Form | undefined {
  return types.isAnyArrayBuffer(value) && isBare(value)
    ? { parts: [base64(new Uint8Array(value))] }
    : undefined;
}

function boxedForm(value: object): Form | undefined {
  if (!types.isBoxedPrimitive(value) || types.isSymbolObject(value)) return undefined;
  const primitive: unknown = value.valueOf();
  const ownKeys = Object.keys(value).length;
  return ownKeys === (typeof primitive === 'string' ? primitive.length : 0)
    ? { parts: [primitive] }
    : undefined;
}

const errorBasics = new Set(['name', 'message', 'stack']);

function errorForm(value: object): Form | undefined {
  if (!types.isNativeError(value)) return undefined;
  // `cause`, `errors` and often `code` are not enumerable, and tell errors apart all the same.
  const keys = Object.getOwnPropertyNames(value).filter((key) => !errorBasics.has(key));
  const fields = pickFields(value, keys);
  return { parts: [value.name, value.message, fields] };
}

function viewForm(view: ArrayBufferView, prototype: object): TaggedForm | undefined {
  const tag = viewName(prototype);
  if (tag === undefined || !isBareView(view)) return undefined;
  return { tag, parts: [base64(tag.startsWith('Float') ? withOneNaN(view as Float64Array) : view)] };
}

function viewName(prototype: object): string | undefined {
  return prototype === Buffer.prototype ? 'Buffer' : builtInName(prototype);
}

/** NaN has many bit patterns and is one value. */
function withOneNaN(floats: Float64Array): ArrayBufferView {
  return floats.some(Number.isNaN) ? floats.map((n) => (Number.isNaN(n) ? Number.NaN : n)) : floats;
}

function base64(view: ArrayBufferView): string {
  if (view.byteLength > (longestText / 4) * 3) throw tooLong;
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString('base64');
}

/** Whether an object has no fields of its own beside its built-in content. */
function isBare(value: object): boolean {
  return Object.keys(value).length === 0;
}

function pickFields(value: object, keys: readonly string[]): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const key of keys) defineField(fields, key, (value as Record<string, unknown>)[key]);
  return fields;
}

/** Plain assignment would take `__proto__` for the prototype. */
function defineField(fields: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(fields, key, { value, enumerable: true, configurable: true, writable: true });
}
