/** One text for one value: Python's `json.dumps(value, sort_keys=True)`, and tagged forms for what JSON can't say. */

import { UnhashableParamsError } from '../errors.js';
import { type KnownTexts, resolveDeepParts } from './deep-walk.js';
import type { IgnoredMembers } from './ignored-path.js';
import { numberText, stringText } from './json-leaf.js';
import { type KeyOrder, KeyOrders } from './key-order.js';
import { isOrdinaryArray, isPlain, type TaggedForm, taggedForm } from './tagged-form.js';

/**
 * The canonical JSON of a value: printable ASCII that is equal for two values exactly when they are the same
 * data, whatever the order of their keys.
 *
 * For JSON values it is what Python's `json.dumps(value, sort_keys=True)` prints. An integral number is printed
 * as an integer with all its digits, and so is a BigInt: JavaScript can't tell `1.0` from `1`, nor `1e22` from
 * `10 ** 22`. `undefined`, Date, Map, Set, RegExp, Error, typed arrays, Buffer, boxed primitives and arrays with
 * holes or named fields get a form that begins with `@`, as no JSON does.
 *
 * As in JSON and `structuredClone`, only own enumerable fields with string keys count, and getters are read.
 * Plain objects with and without a prototype are the same.
 *
 * @throws UnhashableParamsError that names the path of a function, a symbol, a class instance or a cycle.
 */
export function canonicalJson(value: unknown): string {
  return canonicalText(value, 'params', undefined);
}

/** The canonical JSON of `value` without its ignored members; errors name paths that start with `root`. */
export function canonicalText(value: unknown, root: string, ignored: IgnoredMembers | undefined): string {
  containersLeft = quickContainers;
  try {
    return print(value, ignored, undefined);
  } catch {
    return slowText(value, root, ignored);
  }
}

/** The quick walk keeps no path and trusts the call stack: the slow one copes, or says what is wrong and where. */
function slowText(value: unknown, root: string, ignored: IgnoredMembers | undefined): string {
  containersLeft = Number.POSITIVE_INFINITY;
  try {
    const printPart = (part: object, texts: KnownTexts) => textOf(part, levels, texts);
    return print(value, ignored, resolveDeepParts({ value, root, ignored, print: printPart }));
  } catch (cause) {
    if (cause instanceof UnhashableParamsError) throw cause;
    const message = `Expected \`${root}\` to stay as it is while it is read, and its JSON to fit a string`;
    throw new UnhashableParamsError(root, message, { cause });
  }
}

/** How deep the quick walk goes on the call stack: enough for what is left between resolved parts and ignored paths. */
const levels = 256;

/**
 * How many objects and arrays the quick walk prints. Few have more, unless parts occur many times over: 40 arrays,
 * each holding the one before twice, would be printed for days.
 */
const quickContainers = 100_000;
let containersLeft = quickContainers;

const keyOrders = new KeyOrders();

/** Thrown by the quick walk at anything it can't print; made once, because nobody sees it. */
const unprintable = new Error('Not printable by the quick walk');

type Fields = Readonly<Record<string, unknown>>;

function print(value: unknown, ignored: IgnoredMembers | undefined, known: KnownTexts | undefined): string {
  return ignored === undefined ? textOf(value, levels, known) : textWithout(ignored, value, levels, known);
}

function textOf(value: unknown, room: number, known: KnownTexts | undefined): string {
  switch (typeof value) {
    case 'string':
      return stringText(value);
    case 'number':
      return numberText(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      return value === null ? 'null' : (known?.get(value) ?? containerText(value, room, known));
    case 'undefined':
      return '@undefined';
    case 'bigint':
      return value.toString();
    default:
      throw unprintable;
  }
}

function containerText(value: object, room: number, known: KnownTexts | undefined): string {
  if (room === 0 || --containersLeft < 0) throw unprintable;
  if (Array.isArray(value)) return arrayText(value, room, known);
  if (!isPlain(value)) return formText(taggedForm(value), room, known);
  const { keys, prefixes } = orderOf(value);
  if (keys.length === 0) return '{}';
  let text = '';
  for (let i = 0; i < keys.length; i++) {
    text += prefixes[i] + textOf((value as Fields)[keys[i] as string], room - 1, known);
  }
  return `${text}}`;
}

function arrayText(value: readonly unknown[], room: number, known: KnownTexts | undefined): string {
  if (!isOrdinaryArray(value)) return formText(taggedForm(value), room, known);
  let text = '[';
  for (let i = 0; i < value.length; i++) {
    if (i > 0) text += ', ';
    text += textOf(value[i], room - 1, known);
  }
  return `${text}]`;
}

function formText(form: TaggedForm | undefined, room: number, known: KnownTexts | undefined): string {
  if (form === undefined) throw unprintable;
  const texts = form.parts.map((part) => textOf(part, room - 1, known));
  if (form.unordered === true) texts.sort();
  return `@${form.tag}(${texts.join(', ')})`;
}

/** As `textOf`, with members left out; below the last of them the plain walk goes on. */
function textWithout(
  ignored: IgnoredMembers,
  value: unknown,
  room: number,
  known: KnownTexts | undefined,
): string {
  if (typeof value !== 'object' || value === null) return textOf(value, room, known);
  const texts: string[] = [];
  const print = (key: string, prefix: string) => {
    const below = ignored.get(key);
    if (below === true) return;
    const member = (value as Fields)[key];
    texts.push(
      prefix +
        (below === undefined ? textOf(member, room - 1, known) : textWithout(below, member, room - 1, known)),
    );
  };
  if (Array.isArray(value)) {
    if (!isOrdinaryArray(value)) return textOf(value, room, known);
    for (const key of value.keys()) print(`${key}`, '');
    return `[${texts.join(', ')}]`;
  }
  if (!isPlain(value)) return textOf(value, room, known);
  for (const key of orderOf(value).keys) print(key, `${stringText(key)}: `);
  return `{${texts.join(', ')}}`;
}

function orderOf(value: object): KeyOrder {
  return keyOrders.orderOf(Object.keys(value));
}
