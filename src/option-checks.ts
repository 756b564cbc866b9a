/** The checks that all options share. Each refuses with the option's name, its value and the fix. */

import { inspect } from 'node:util';
import { type InvalidArgumentError, InvalidOptionError } from './errors.js';
import { insteadOf, ownNamesFor } from './foreign-option-names.js';
import { nearestName } from './near-name.js';

/** `null` is no way to ask for the default: it would hide a value that went missing. */
export function given<T>(value: T | undefined, otherwise: T): T {
  return value === undefined ? otherwise : value;
}

/** Options of which none is `undefined`. */
export type Defined<Options> = { readonly [Name in keyof Options]: Exclude<Options[Name], undefined> };

/** The options that were given: `undefined` stands for the default. */
export function definedOnly<Options extends object>(options: Options): Defined<Options> {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as Defined<Options>;
}

/** A value as messages show it. */
export function shown(value: unknown): string {
  return `\`${inspect(value, { depth: 0 })}\``;
}

/** The refusal of a wrong value. */
export function expected(path: string, what: string, value: unknown): InvalidOptionError {
  return new InvalidOptionError(`Expected \`${path}\` to be ${what}, got ${shown(value)}`);
}

/** The refusal of a wrong value that no message may show. */
export function expectedUnseen(path: string, what: string, value: unknown): InvalidOptionError {
  const kind =
    value === null ? 'null' : /^[aeiou]/.test(typeof value) ? `an ${typeof value}` : `a ${typeof value}`;
  const got = `${kind} (not shown, as it may hold a password)`;
  return new InvalidOptionError(`Expected \`${path}\` to be ${what}, got ${got}`);
}

/** The refusal of an option that does nothing without another one. */
export function missing(wanted: string, name: string, fix: string): InvalidOptionError {
  return new InvalidOptionError(`Expected ${wanted} with \`${name}\`, got none: ${fix}`);
}

/** An integer within bounds, both included. @throws InvalidOptionError, as all of these do */
export function integer(
  value: unknown,
  path: string,
  { from = 1, to = Number.MAX_SAFE_INTEGER } = {},
): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= from && value <= to) return value;
  if (to !== Number.MAX_SAFE_INTEGER) throw expected(path, `an integer from ${from} to ${to}`, value);
  throw expected(path, from === 1 ? 'a positive integer' : `an integer of at least ${from}`, value);
}

export function oneOf<const T extends string>(value: unknown, path: string, choices: readonly T[]): T {
  const choice = choices.find((each) => each === value);
  if (choice === undefined) throw expected(path, choices.map((each) => `'${each}'`).join(' or '), value);
  return choice;
}

export function trueOrFalse(value: unknown, path: string): boolean {
  if (typeof value !== 'boolean') throw expected(path, 'true or false', value);
  return value;
}

export function text(value: unknown, path: string): string {
  if (typeof value !== 'string') throw expected(path, 'a string', value);
  return value;
}

export function textOrNumber(value: unknown, path: string): string | number {
  if (typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value))) return value;
  throw expected(path, 'a string or finite number', value);
}

/** A path of the file system. */
export function filePath(value: unknown, path: string): string {
  if (typeof value === 'string' && value !== '' && !value.includes('\0')) return value;
  throw expected(path, 'a path', value);
}

export function functionOf<F>(value: F, path: string): F {
  if (typeof value !== 'function') throw expected(path, 'a function', value);
  return value;
}

export function objectOf<T>(value: T, path: string, what = 'an object'): T & object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw expected(path, what, value);
  return value;
}

/** Checks that a contract was implemented, as far as can be told without calling it. */
export function hasMethods(value: unknown, path: string, names: readonly string[]): void {
  for (const name of names) {
    const method = (value as Readonly<Record<string, unknown>> | null | undefined)?.[name];
    if (typeof method !== 'function') throw expected(path, `an object with a method \`${name}()\``, value);
  }
}

/** Whose names are checked, and what to say of one that is ours but is given elsewhere. */
export interface NamesOwner {
  /** As in "Unknown option `x` of …". */
  readonly of: string;
  /** @default 'option' */
  readonly noun?: 'option' | 'field';
  /** The whole message on a name that belongs somewhere else. */
  readonly elsewhere?: (name: string) => string | undefined;
  /** @default InvalidOptionError */
  readonly Refusal?: typeof InvalidOptionError | typeof InvalidArgumentError;
}

/** Refuses names that are not known, with the one that was likely meant. A misspelt option would do nothing. */
export function refuseUnknown(given: object, known: readonly string[], owner: NamesOwner): void {
  for (const name of Object.keys(given)) if (!known.includes(name)) throw unknownName(name, known, owner);
}

function unknownName(name: string, known: readonly string[], owner: NamesOwner): Error {
  const { of, noun = 'option', elsewhere, Refusal = InvalidOptionError } = owner;
  const belongs = elsewhere?.(name);
  if (belongs !== undefined) return new Refusal(belongs);
  const named = `Unknown ${noun} \`${name}\` of ${of}`;
  const list = `Known: ${known.join(', ')}`;
  // Each object has names of its own: what another one calls it is no help, but where that one can be named.
  const own = ownNamesFor(name);
  const fitting = own.filter((each) => known.includes(each));
  if (fitting.length > 0) return new Refusal(`${named}: here it is called ${either(fitting)}`);
  const nearest = nearestName(name, known);
  if (nearest !== undefined) return new Refusal(`${named}: did you mean \`${nearest}\`?`);
  // What is advised is about calls of a cache.
  const isOfCalls = elsewhere !== undefined || known.includes('staleIfError');
  const advice = isOfCalls ? insteadOf(name) : undefined;
  if (advice !== undefined) return new Refusal(`${named}: ${advice}`);
  const placed = own.filter((each) => elsewhere?.(each) !== undefined);
  const place = placed[0] && elsewhere?.(placed[0]);
  if (place === undefined) return new Refusal(`${named}. ${list}`);
  return new Refusal(`${named}: here it is called ${either(placed)}. ${place}`);
}

function either(names: readonly string[]): string {
  return names.map((each) => `\`${each}\``).join(' or ');
}
