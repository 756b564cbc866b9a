/** JSON texts of strings and numbers, character for character as Python's `json.dumps` prints them. */

/** Anything a JSON string can't carry as it is once the output must be printable ASCII. */
const needsEscape = /[^ !#-[\]-~]/;
/** What `JSON.stringify` leaves alone and Python escapes. */
const beyondPrintableAscii = /[\x7f-\uffff]/;

const hexPairs: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, '0'),
);

/** The JSON string of `value` in printable ASCII, other UTF-16 units as `\uXXXX`. */
export function stringText(value: string): string {
  return needsEscape.test(value) ? escapedText(value) : `"${value}"`;
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

function escapedText(value: string): string {
  const quoted = JSON.stringify(value);
  let at = quoted.search(beyondPrintableAscii);
  if (at === -1) return quoted;
  let text = '';
  let copied = 0;
  for (; at < quoted.length; at++) {
    const unit = quoted.charCodeAt(at);
    if (unit < 0x7f) continue;
    if (copied < at) text += quoted.slice(copied, at);
    text += `\\u${hexPairs[unit >> 8]}${hexPairs[unit & 0xff]}`;
    copied = at + 1;
  }
  return text + quoted.slice(copied);
}
