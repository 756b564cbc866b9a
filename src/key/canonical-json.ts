/** One text for one value: Python's `json.dumps(value, sort_keys=True)`, and tagged forms for what JSON can't say. */

import { UnhashableParamsError } from '../errors.js';
import { type KnownTexts, resolveDeepParts } from './deep-walk.js';
import type { IgnoredMembers } from './ignored-path.js';
import { escapedString, escapedText } from './json-escape.js';
import {
  beyondAscii,
  bigIntText,
  escapedLength,
  lengthOf,
  longestText,
  needsEscape,
  numberText,
  stringText,
  tooLong,
} from './json-leaf.js';
import { type KeyOrder, KeyOrders } from './key-order.js';
import { isOrdinaryArray, isPlain, symbolFieldOf, type TaggedForm, taggedForm } from './tagged-form.js';

/**
 * The canonical JSON of a value: printable ASCII that is equal for two values exactly when they are the same
 * data, whatever the order of the keys of plain objects.
 *
 * For JSON values it is what Python's `json.dumps(value, sort_keys=True)` prints. An integral number is printed
 * as an integer with all its digits, since JavaScript can't tell `1.0` from `1`, nor `1e22` from `10 ** 22`; so is a
 * BigInt that no number equals. Other BigInts (`7n`), `undefined`, Date, Map, Set, RegExp, Error, typed arrays, Buffer,
 * boxed primitives and arrays with holes or named fields get a form that begins with `@`, as no JSON does. The order
 * of Maps and Sets counts.
 *
 * As in JSON and `structuredClone`, hidden fields (not enumerable) don't count, and getters are read. Plain objects with and
 * without a prototype are the same.
 *
 * @throws UnhashableParamsError that names the path of a function, a symbol, a field named by one, a class instance or a
 * cycle, or that tells of a text of more than 2^27 (134,217,728) characters.
 */
export function canonicalJson(value: unknown): string {
  const printed = printedText(value, 'params', undefined);
  return typeof printed === 'string' ? printed : escapedText(printed);
}

/** A canonical JSON or, where it has more than ASCII, the parts that `escapedText` and `escapeInPieces` make it from. */
export type PrintedText = string | readonly string[];

/** The canonical JSON of `value` without its ignored members; errors name paths that start with `root`. */
export function printedText(value: unknown, root: string, ignored: IgnoredMembers | undefined): PrintedText {
  // A getter may ask for another key meanwhile.
  const outerIsBeyondAscii = isBeyondAscii;
  const outerApart = apart;
  isBeyondAscii = false;
  apart = undefined;
  try {
    const text = quickText(value, root, ignored);
    if (!isBeyondAscii) return text;
    const parts = apart === undefined ? [text] : partsOf(text, apart);
    // Six characters for each is the most; it is seldom worth while to count them.
    if (6 * lengthOf(parts) > longestText && escapedLength(parts) > longestText) throw tooLongError(root);
    return parts;
  } finally {
    isBeyondAscii = outerIsBeyondAscii;
    apart = outerApart;
  }
}

function partsOf(text: string, stringsApart: readonly string[]): readonly string[] {
  const parts = text.split('\0');
  for (let at = 1; at < parts.length; at += 2) parts[at] = stringsApart[Number(parts[at])] as string;
  return parts;
}

function quickText(value: unknown, root: string, ignored: IgnoredMembers | undefined): string {
  containersLeft = quickContainers;
  charactersLeft = longestText;
  try {
    const text = print(value, ignored, undefined);
    if (text.length <= longestText) return text;
    throw tooLong;
  } catch (cause) {
    if (cause === tooLong) throw tooLongError(root);
    return slowText(value, root, ignored);
  }
}

/** The quick walk keeps no path and trusts the call stack: the slow one copes, or says what is wrong and where. */
function slowText(value: unknown, root: string, ignored: IgnoredMembers | undefined): string {
  containersLeft = Number.POSITIVE_INFINITY;
  // Twice, because parts that occur again are printed for themselves too.
  charactersLeft = 2 * longestText;
  try {
    const printPart = (part: object, texts: KnownTexts) => textOf(part, levels, texts);
    const text = print(value, ignored, resolveDeepParts({ value, root, ignored, print: printPart }));
    if (text.length <= longestText) return text;
    throw tooLong;
  } catch (cause) {
    if (cause instanceof UnhashableParamsError) throw cause;
    if (cause === tooLong) throw tooLongError(root);
    const message = `Expected \`${root}\` to stay as it is while it is read, and its JSON to fit a string`;
    throw new UnhashableParamsError(root, message, { cause });
  }
}

/** Strings' share of what may still be printed; counted as it is printed, before all of it takes memory. */
let charactersLeft = longestText;

/** Whether the text that is being printed has units beyond ASCII, which it has as they are. */
let isBeyondAscii = false;

/**
 * Long strings of that text, of which it has but the number, between two U+0000: no canonical JSON has those. Copying
 * and searching them takes a third of a key's time.
 */
let apart: string[] | undefined;
const longestCopied = 256;
/** While so little is printed, strings are escaped one by one: a few cost less so. */
const shortText = 1024;

function tooLongError(root: string): UnhashableParamsError {
  const message =
    `Expected \`${root}\` to have a canonical JSON of at most ${longestText} characters, got more: ` +
    'pass a digest of what is long, or leave it out of the key with `ignore`';
  return new UnhashableParamsError(root, message, { cause: tooLong });
}

/** The text of a string, counted. No text is shorter than its string. */
function countedText(value: string): string {
  if (value.length > charactersLeft) throw tooLong;
  if (!needsEscape.test(value)) {
    charactersLeft -= value.length + 2;
    return `"${value}"`;
  }
  const isWide = beyondAscii.test(value);
  if (isWide && value.length > longestCopied) {
    isBeyondAscii = true;
    charactersLeft -= value.length;
    apart ??= [];
    return `\0${apart.push(value) - 1}\0`;
  }
  const isEscapedNow = isWide && charactersLeft > longestText - shortText;
  if (isWide && !isEscapedNow) isBeyondAscii = true;
  const text = isEscapedNow ? escapedString(value) : stringText(value);
  charactersLeft -= text.length;
  return text;
}

/** How deep the quick walk goes on the call stack: enough for what is left between resolved parts and ignored paths. */
const levels = 256;

/**
 * How many objects and arrays the quick walk prints. Few have more, unless parts occur many times over: 40 arrays,
 * each holding the one before twice, would be printed for days.
 */
const quickContainers = 100_000;
let containersLeft = quickContainers;

const keyOrders = new KeyOrders(countedText);

/** Thrown by the quick walk at anything it can't print; made once, because nobody sees it. */
const unprintable = new Error('Not printable by the quick walk');

type Fields = Readonly<Record<string, unknown>>;

function print(value: unknown, ignored: IgnoredMembers | undefined, known: KnownTexts | undefined): string {
  return ignored === undefined ? textOf(value, levels, known) : textWithout(ignored, value, levels, known);
}

function textOf(value: unknown, room: number, known: KnownTexts | undefined): string {
  switch (typeof value) {
    case 'string':
      return countedText(value);
    case 'number':
      return numberText(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      return value === null ? 'null' : (known?.get(value) ?? containerText(value, room, known));
    case 'undefined':
      return '@undefined';
    case 'bigint':
      return bigIntText(value);
    default:
      throw unprintable;
  }
}

function containerText(value: object, room: number, known: KnownTexts | undefined): string {
  if (room === 0 || --containersLeft < 0) throw unprintable;
  if (Array.isArray(value)) return arrayText(value, room, known);
  if (!isPlain(value)) return formText(taggedForm(value), room, known);
  if (Object.getOwnPropertySymbols(value).length > 0 && symbolFieldOf(value) !== undefined) throw unprintable;
  const { keys, prefixes } = orderOf(value);
  if (keys.length === 0) return '{}';
  let text = '';
  for (let i = 0; i < keys.length; i++) {
    text += prefixes[i] + textOf((value as Fields)[keys[i] as string], room - 1, known);
  }
  return `${text}}`;
}

function orderOf(value: object): KeyOrder {
  const order = keyOrders.orderOf(Object.keys(value));
  if (order.isBeyondAscii) isBeyondAscii = true;
  return order;
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
  if (!isPlain(value) || symbolFieldOf(value) !== undefined) return textOf(value, room, known);
  for (const key of orderOf(value).keys) print(key, `${countedText(key)}: `);
  return `{${texts.join(', ')}}`;
}
