/**
 * Durations as options take them: milliseconds, or text such as `'5m'` and `'1h30m'`.
 *
 * Our own, because the `ms` package reads `'5'`, `'-3 min'` and `'1y'` (a year of 365.25 days) without a word
 * and can't read `'1h30m'`.
 */

import { expected } from './option-checks.js';

/**
 * Milliseconds as a number, or amounts with a unit, largest unit first: `'250ms'`, `'30s'`, `'5m'`, `'1.5h'`, `'7d'`,
 * `'1h30m'`. What is computed is best given as a number: `minutes * 60_000`.
 */
export type Duration =
  | number
  // `bigint`, because `number` would let `'5 m'` through.
  | `${bigint | `${bigint}.${bigint}` | `${bigint}.0${bigint}`}${'ms' | 's' | 'm' | 'h' | 'd'}`
  | `${bigint}d${bigint}h`
  | `${bigint}d${bigint}h${bigint}m`
  | `${bigint}h${bigint}m`
  | `${bigint}h${bigint}m${bigint}s`
  | `${bigint}m${bigint}s`
  | `${bigint}s${bigint}ms`;

const unitMs = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;
const units = ['d', 'h', 'm', 's', 'ms'] as const;

/** Ten thousand years: any later moment would leave the range of `Date`, and is a mistake or means "never". */
const longestMs = 10_000 * 365 * unitMs.d;

const amount = String.raw`(\d+(?:\.\d+)?)`;
const pattern = new RegExp(`^(?:${amount}d)?(?:${amount}h)?(?:${amount}m)?(?:${amount}s)?(?:${amount}ms)?$`);

/**
 * The duration in whole milliseconds: 0 or more. Fractions are rounded, but never down to 0.
 *
 * @throws InvalidOptionError naming the option, the value and the fix, for everything else: negative, `NaN`,
 * infinite, over ten thousand years, text without a unit or with an unknown one.
 */
export function parseDuration(value: Duration, optionName: string): number {
  const ms = typeof value === 'number' ? value : typeof value === 'string' ? parseText(value) : Number.NaN;
  if (!(ms >= 0 && ms <= longestMs)) {
    throw expected(
      optionName,
      "a duration from 0 to 10,000 years, in ms or as text with units d, h, m, s, ms such as '5m' or '1h30m'",
      value,
    );
  }
  return ms > 0 ? Math.max(1, Math.round(ms)) : 0;
}

/** A duration above 0. @throws InvalidOptionError, which calls it `what` */
export function positiveDuration(value: Duration, optionName: string, what = 'a duration above 0'): number {
  const ms = parseDuration(value, optionName);
  if (ms === 0) throw expected(optionName, what, value);
  return ms;
}

/** Whether a text is a duration, such as `'5m'`. */
export function isDurationText(text: string): boolean {
  return !Number.isNaN(parseText(text));
}

function parseText(text: string): number {
  const match = text === '' ? null : pattern.exec(text);
  if (match === null) return Number.NaN;
  return units.reduce((sum, unit, index) => sum + Number(match[index + 1] ?? 0) * unitMs[unit], 0);
}
