/** Canonical texts of strings and numbers: but for some BigInts, character for character as Python's `json.dumps`. */

import { escapeString } from './json-escape.js';

/**
 * The most characters of a text that becomes a key. Such a text takes about a second and some times its size of memory;
 * one without bounds could take the whole process.
 */
export const longestText = 2 ** 27;

/** Thrown when a text would be longer than that; made once, because it says nothing else. */
export const tooLong = new RangeError(`Expected at most ${longestText} characters of canonical JSON`);

/** Anything a JSON string can't carry as it is once the output must be printable ASCII. */
const needsEscape = /[^ !#-[\]-~]/;
/** What `JSON.stringify` leaves alone and Python escapes. */
const beyondPrintableAscii = /[\x7f-\uffff]/;
/** What a backslash and one letter say. */
const shortlyEscaped = '"\\\b\f\n\r\t';

/** Longer strings that need many escapes are not printed but hashed as bytes, which takes half the time. */
const longestPrinted = 4096;
/** The same where that many characters are printed already: a key in pieces costs 2 µs, and each of these 1 less. */
const longestPrintedLate = 32;
/** Strings up to this length are printed in any case. */
export const longestWhole = Math.min(longestPrinted, longestPrintedLate);
const isLate = 32_768;

/** The JSON string of `value` in printable ASCII, other UTF-16 units as `\uXXXX`. */
export function stringText(value: string): string {
  if (!needsEscape.test(value)) return `"${value}"`;
  return beyondPrintableAscii.test(value) ? escapeString(value) : JSON.stringify(value);
}

/**
 * Whether a string is so long, and has such characters, that it is better hashed in pieces than printed.
 * @param printed how many characters of the same text are printed already
 */
export function isBestInPieces(value: string, printed: number): boolean {
  const longest = printed < isLate ? longestPrinted : longestPrintedLate;
  return value.length > longest && beyondPrintableAscii.test(value);
}

/** How long the JSON string of such a string is. */
export function escapedLength(value: string): number {
  let length = 2;
  for (let at = 0; at < value.length; at++) {
    const unit = value.charCodeAt(at);
    if (unit >= 0x7f) length += 6;
    else if (shortlyEscaped.includes(value.charAt(at))) length += 2;
    else length += unit < 0x20 ? 6 : 1;
  }
  return length;
}

/**
 * The JSON number of `value`: integral numbers as integers with all their digits, fractions as Python's `repr`
 * prints floats, and Python's `-0.0`, `NaN`, `Infinity` and `-Infinity`.
 */
export function numberText(value: number): string {
  if ((value | 0) === value) return value !== 0 || 1 / value > 0 ? `${value}` : '-0.0';
  if (Number.isSafeInteger(value)) return `${value}`;
  // Number's own digits beyond 2^53 are only the shortest that read back equal: 2 ** 64 ends in 000.
  if (Number.isInteger(value)) return BigInt(value).toString();
  if (Math.abs(value) >= 1e-4 || Number.isNaN(value)) return `${value}`;
  // Python changes to exponents below 1e-4 (JavaScript below 1e-6) and gives them at least two digits.
  return value.toExponential().replace(/-(\d)$/, '-0$1');
}

/**
 * The text of a BigInt: an integer as Python prints it where no number is equal. What a number equals gets a form of
 * its own, `@bigint(7)`, since a tool can tell `7n` from `7`.
 */
export function bigIntText(value: bigint): string {
  const number = Number(value);
  const isHeld = Number.isFinite(number) && BigInt(number) === value;
  return isHeld ? `@bigint(${value})` : `${value}`;
}
