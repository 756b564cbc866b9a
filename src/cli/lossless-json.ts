/** JSON text to values and back without losing digits: integers beyond 2^53 are BigInts. */

import { parse, stringify } from 'lossless-json';

/**
 * Text in which `JSON.parse` might lose something: a run of digits longer than 2^53 has, or an integer `-0`,
 * which Python reads as 0. Digits inside strings match too, which only costs time.
 */
const mayLoseDigits = /\d{16}|-0(?![\d.eE])/;

/**
 * The value of a JSON text. The lossless parser takes 14 times as long as `JSON.parse`, so only text that needs
 * it goes there. Of equal object keys the last one counts, as in `JSON.parse` and in Python.
 *
 * @throws SyntaxError when the text is not JSON, RangeError when it is nested too deep.
 */
export function parseJson(text: string): unknown {
  if (!mayLoseDigits.test(text)) return JSON.parse(text);
  return parse(text, null, { parseNumber, onDuplicateKey: ({ newValue }) => newValue });
}

/** The JSON text of a value; BigInts are written with all their digits. */
export function formatJson(value: unknown, indent?: number): string {
  return stringify(value, null, indent) ?? 'null';
}

function parseNumber(digits: string): number | bigint {
  const value = Number(digits);
  if (!/^-?\d+$/.test(digits)) return value;
  if (!Number.isSafeInteger(value)) return BigInt(digits);
  return value === 0 ? 0 : value;
}
