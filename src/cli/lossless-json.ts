/** JSON text to values and back without losing digits: integers that no number holds are BigInts. */

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

/** The JSON text of a value; BigInts are written with all their digits, and so are numbers below 1e21. */
export function formatJson(value: unknown, indent?: number): string {
  return stringify(value, null, indent, [longIntegers]) ?? 'null';
}

/** JavaScript itself prints only so many digits as tell the number from its neighbours, and then zeros. */
const longIntegers = {
  test: (value: unknown) =>
    Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value as number) < 1e21,
  stringify: (value: unknown) => `${BigInt(value as number)}`,
};

function parseNumber(digits: string): number | bigint {
  const value = Number(digits);
  if (!/^-?\d+$/.test(digits)) return value;
  if (value === 0) return 0;
  // As Python's keys have it: an integer that a number holds exactly is that number.
  return Number.isSafeInteger(value) || isHeld(value, digits) ? value : BigInt(digits);
}

function isHeld(value: number, digits: string): boolean {
  return Number.isFinite(value) && BigInt(value) === BigInt(digits);
}
