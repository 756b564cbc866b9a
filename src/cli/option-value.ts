/** Reads the values of flags, each complaint being one sentence with the fix. */

import { UsageError } from './usage-error.js';

/** A parser of a flag's value, as commander calls it. */
export type ValueParser<T> = (text: string) => T;

/** A whole number within bounds. */
export function wholeNumber(flag: string, from: number, to: number): ValueParser<number> {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= from && value <= to) return value;
    const range = `a whole number from ${from.toLocaleString('en-US')} to ${to.toLocaleString('en-US')}`;
    throw new UsageError(`Expected ${flag} to be ${range}, got \`${text}\``);
  };
}

/** A number from 0 on. */
export function nonNegative(flag: string): ValueParser<number> {
  return (text) => {
    const value = /^(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
    if (Number.isFinite(value)) return value;
    throw new UsageError(`Expected ${flag} to be a number from 0 on, such as 0.01, got \`${text}\``);
  };
}

/** One of a few words. */
export function oneOf<const T extends string>(flag: string, words: readonly T[]): ValueParser<T> {
  return (text) => {
    const found = words.find((word) => word === text);
    if (found !== undefined) return found;
    throw new UsageError(`Expected ${flag} to be ${words.join(', ')}, got \`${text}\``);
  };
}

const unitBytes: Record<string, number> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

/** A size in bytes: `268435456`, `256MiB`, `256m`. Units are powers of 1024. */
export function byteSize(flag: string): ValueParser<number> {
  return (text) => {
    const [, amount = '', unit = ''] = /^(\d+(?:\.\d+)?) ?(?:([kmg])?(?:i?b)?)$/i.exec(text) ?? [];
    const bytes =
      amount === '' ? Number.NaN : Math.round(Number(amount) * (unitBytes[unit.toLowerCase()] ?? 1));
    if (bytes >= 1 && Number.isSafeInteger(bytes)) return bytes;
    throw new UsageError(
      `Expected ${flag} to be a size of at least one byte, such as 64MiB, got \`${text}\``,
    );
  };
}
