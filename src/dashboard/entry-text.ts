/** Params and values as texts: JSON where it says all, else as Node shows them. Nothing of their own code runs. */

import { inspect } from 'node:util';
import { messageOf } from '../errors.js';
import type { CacheCore } from '../manager/cache-context.js';
import { deepest, excerptOf, mostItems } from './excerpt.js';
import { asJson } from './responses.js';

/** Of a text that shows a value: few values have less. */
const charactersByPart = 5;
/** Of a text that is shown: a page is no place for more. */
const longestText = 100_000;
/** Encoded; larger ones are decoded while others run. */
const atOnceBytes = 65_536;

type Codec = CacheCore['codec'];

/** The params, whole: what is searched. A promise only where they are large. */
export function paramsText(codec: Codec, encoded: Uint8Array): string | Promise<string> {
  const textOf = (value: unknown) => jsonOf(value, encoded) ?? inspected(value, wholeTexts);
  if (encoded.length > atOnceBytes) return codec.decodeInSlices(encoded).then(textOf).catch(unreadable);
  try {
    return textOf(codec.decode(encoded));
  } catch (error) {
    return unreadable(error);
  }
}

/** A value that `read` returns, as far as it is shown. */
export function valueText(read: () => unknown): string {
  try {
    const value = read();
    return typeof value === 'string' ? cut(value, longestText) : inspected(value, shownTexts);
  } catch (error) {
    return unreadable(error);
  }
}

/** The beginning of a text. */
export function cut(text: string, longest: number): string {
  return text.length > longest ? `${text.slice(0, longest)}… (${text.length} characters)` : text;
}

/** `undefined` for what is no JSON: that may be of a class with code of its own. */
function jsonOf(value: unknown, encoded: Uint8Array): string | undefined {
  const [first = 0] = encoded;
  const isExt = (first >= 0xc7 && first <= 0xc9) || (first >= 0xd4 && first <= 0xd8);
  if (isExt) return undefined;
  try {
    const json = JSON.stringify(value);
    // Numbers that JSON doesn't have.
    return json.includes('null') ? JSON.stringify(value, asJson) : json;
  } catch {
    // A BigInt, or too deep.
    return undefined;
  }
}

const shownTexts = { maxStringLength: 10_000, longest: longestText };
const wholeTexts = { maxStringLength: Number.POSITIVE_INFINITY, longest: Number.POSITIVE_INFINITY };

function inspected(value: unknown, { maxStringLength, longest }: typeof shownTexts): string {
  const excerpt = excerptOf(value, longestText / charactersByPart);
  const text = inspect(excerpt.value, {
    ...{ depth: deepest, maxArrayLength: mostItems, maxStringLength, breakLength: 100 },
    customInspect: false,
  });
  return excerpt.isWhole ? cut(text, longest) : `${text.slice(0, longest)}… (too large to show all of it)`;
}

function unreadable(error: unknown): string {
  return `It can't be read: ${messageOf(error)}`;
}
