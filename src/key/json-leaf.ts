/**
 * Canonical texts of strings and numbers: but for some BigInts, and units beyond ASCII that are yet to be escaped,
 * character for character as Python's `json.dumps`.
 */

/**
 * The most characters of a text that becomes a key. Such a text takes about a second and some times its size of memory;
 * one without bounds could take the whole process.
 */
export const longestText = 2 ** 27;

/** Thrown when a text would be longer than that; made once, because it says nothing else. */
export const tooLong = new RangeError(`Expected at most ${longestText} characters of canonical JSON`);

/** Anything a JSON string can't carry as it is once the output must be printable ASCII. */
export const needsEscape = /[^ !#-[\]-~]/;
/** What `JSON.stringify` leaves alone and Python escapes. */
export const beyondAscii = /[\x7f-\uffff]/;
/** What a backslash and one letter say. */
const shortlyEscaped = '"\\\b\f\n\r\t';
/** What `JSON.stringify` escapes, but for lone surrogates. */
const needsBackslash = /[^ !#-[\]-\uffff]/;

/** The JSON string of `value`, in which units beyond ASCII may stand as they are. */
export function stringText(value: string): string {
  return needsBackslash.test(value) ? JSON.stringify(value) : `"${value}"`;
}

/** How long parts are in all. */
export function lengthOf(parts: readonly string[]): number {
  let length = 0;
  for (let index = 0; index < parts.length; index++) length += (parts[index] as string).length;
  return length;
}

/** How long the text is that `escapedText` makes of these parts. */
export function escapedLength(parts: readonly string[]): number {
  let length = 0;
  for (let index = 0; index < parts.length; index++) {
    const part = parts[index] as string;
    const isString = index % 2 === 1;
    length += part.length + (isString ? 2 : 0);
    for (let at = 0; at < part.length; at++) {
      const unit = part.charCodeAt(at);
      if (unit >= 0x7f) length += 5;
      else if (isString && shortlyEscaped.includes(part.charAt(at))) length += 1;
      else if (isString && unit < 0x20) length += 5;
    }
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
