/**
 * Resources: what tools read and write, by name (`flights`), by a template over the arguments (`reservation:{id}`), or by
 * a pattern (`fs:**`). Whatever may be the same thing overlaps: too much costs a hit, too little a wrong answer.
 */

import { InvalidOptionError } from '../errors.js';
import { shown } from '../option-checks.js';

/** A resource, or all that a pattern names. */
export interface Resource {
  readonly name: string;
  /** What its name begins with up to the first wildcard; the whole name where there is none. */
  readonly head: string;
  readonly isPattern: boolean;
}

/** The pattern of everything. */
export const everything = '**';

/** A resource by its folded, tidied name, in which `*` and `**` are wildcards. */
export function resourceOf(name: string): Resource {
  const star = name.indexOf('*');
  return { name, head: star < 0 ? name : name.slice(0, star), isPattern: star >= 0 };
}

/** How many names a template remembers, of arguments up to which length: most come again. */
const mostKnown = 1000;
export const longestKnown = 256;

/** A name of resources with places for arguments. */
export class ResourceTemplate {
  /** The text as given. */
  readonly text: string;
  readonly #parts: readonly (string | readonly string[])[];
  /** The name where no argument is part of it. */
  readonly #fixed: string | undefined;
  /** The argument, where there is but one. */
  readonly #only: readonly string[] | undefined;
  /** Names by the text of that. */
  readonly #names = new Map<string, string | undefined>();

  /** @throws InvalidOptionError for what is no template, naming `path` */
  constructor(text: unknown, path: string) {
    if (typeof text !== 'string' || text === '') {
      throw new InvalidOptionError(
        `Expected \`${path}\` to be the name of a resource, as \`reservation:{reservation_id}\`, got ${shown(text)}`,
      );
    }
    this.text = text;
    this.#parts = text
      .split(/(\{[^{}]*\})/)
      .filter((part) => part !== '')
      .map((part) =>
        part.startsWith('{') && part.endsWith('}') ? segmentsOf(part, text, path) : literal(part, text, path),
      );
    const [only] = this.#parts;
    this.#fixed = this.#parts.length === 1 && typeof only === 'string' ? tidied(only) : undefined;
    const places = this.#parts.filter((part) => typeof part !== 'string');
    this.#only = places.length === 1 ? places[0] : undefined;
  }

  /** The one argument that its name depends on; `null`: it depends on none, `undefined`: on several. */
  get variable(): readonly string[] | null | undefined {
    return this.#fixed === undefined ? this.#only : null;
  }

  /** The name for a call, folded; `undefined` where an argument can't be part of a name. */
  nameFor(input: unknown): string | undefined {
    if (this.#fixed !== undefined) return this.#fixed;
    const value = this.#only && valueAt(input, this.#only);
    if (typeof value !== 'string' || value.length > longestKnown) return this.#made(input);
    const known = this.#names.get(value);
    if (known !== undefined) return known;
    const name = this.#made(input);
    if (this.#names.size >= mostKnown) this.#names.clear();
    this.#names.set(value, name);
    return name;
  }

  #made(input: unknown): string | undefined {
    let name = '';
    for (const part of this.#parts) {
      const text = typeof part === 'string' ? part : foldedValue(valueAt(input, part));
      if (text === undefined) return undefined;
      name += text;
    }
    return tidied(name);
  }
}

function segmentsOf(part: string, text: string, path: string): readonly string[] {
  const segments = part.slice(1, -1).split('.');
  if (segments.every((segment) => segment !== '' && !segment.includes(','))) return segments;
  throw new InvalidOptionError(
    `Expected \`${path}\` to name an argument in braces, as \`{reservation_id}\` or \`{user.id}\`, got \`${text}\`: ` +
      'alternatives are resources of their own',
  );
}

function literal(part: string, text: string, path: string): string {
  if (/[{}]/.test(part))
    throw new InvalidOptionError(`Expected the braces in \`${path}\` to pair off, got \`${text}\``);
  const name = folded(part);
  const odd = oddLiteral.exec(name)?.[0];
  if (odd === undefined) return name;
  throw new InvalidOptionError(
    `Expected \`${path}\` to be a name in which \`*\` and \`**\` alone stand for other text, got \`${text}\`: \`${odd}\` ` +
      'would be nothing but itself, so write `*` for it, or the name that it leads to',
  );
}

/** The argument at a path of own fields. */
export function valueAt(input: unknown, segments: readonly string[]): unknown {
  let value = input;
  for (const segment of segments) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, segment)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[segment];
  }
  return value;
}

/** What may be one thing to a tool: letters that differ in case or in how accents are written, `\` for `/`. */
function folded(text: string): string {
  // By way of capitals, since some small letters share one: s and ſ, σ and ς.
  return text.toUpperCase().toLowerCase().replaceAll('ς', 'σ').normalize('NFC').replaceAll('\\', '/');
}

/**
 * A name without what makes no difference, wherever it comes from: blanks and slashes at either end and behind a colon,
 * doubled slashes. A root (`fs:/`) is all that lies below it.
 */
function tidied(name: string): string {
  const tidy = name
    .replace(/:[\s/]+/g, ':')
    .replace(/\/{2,}/g, '/')
    .replace(/^[\s/]+|[\s/]+$/g, '');
  return tidy === '' || tidy.endsWith(':') ? `${tidy}${everything}` : tidy;
}

const isSimple = /^[a-z0-9_-]+$/;
/**
 * What may lead a tool to something of another name: `.`, `..`, doubled slashes, a home, variables, encoded characters,
 * and globs in any dialect: `*`, `?`, `[ab]`, `{a,b}`, `!(a)`, `(a|b)`, `!a`.
 */
const leadsElsewhere = /(?:^|\/)\.{1,2}(?:\/|$)|\/\/|^[~!]|[*?[\]{}()|\0$`]|%\w/;
/** The same in what a user writes into a template, where `*` is a wildcard. */
const oddLiteral = /(?<=^|[/:])(?:\.{1,2}(?=\/|$)|[~!])|[?[\]()|\0$`]/;

/** An argument as a part of a name; `undefined` for what is no string or integer, or is a path that may lead elsewhere. */
function foldedValue(value: unknown): string | undefined {
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : undefined;
  if (typeof value !== 'string') return undefined;
  if (isSimple.test(value)) return value;
  const text = folded(value).trim();
  if (leadsElsewhere.test(text)) return undefined;
  return text === '' || text === '/' ? undefined : text;
}

/**
 * Whether two resources may have something in common: equal names, names that patterns on either side match, and whatever
 * lies below (`fs:a` and `fs:a/b`).
 */
export function overlap(a: Resource, b: Resource): boolean {
  if (a.name === b.name) return true;
  const [short, long] = a.head.length <= b.head.length ? [a, b] : [b, a];
  if (!long.head.startsWith(short.head)) return false;
  // In a tidied name no slash follows the colon of a drive, where a wildcard may have stood for it: `fs:*/a`, `fs:c:/a`.
  if ((a.isPattern || b.isPattern) && (hasTwoColons(a) || hasTwoColons(b))) return true;
  if (!short.isPattern)
    return long.head.charAt(short.head.length) === '/' || (long.isPattern && meet(a.name, b.name));
  return meet(a.name, b.name);
}

function hasTwoColons({ name }: Resource): boolean {
  return name.indexOf(':') !== name.lastIndexOf(':');
}

type Token = string;
const anyOfSegment: Token = '*';
const anything: Token = '**';

function tokensOf(name: string): readonly Token[] {
  return name.match(/\*{2,}|./gs)?.map((token) => (token.startsWith('**') ? anything : token)) ?? [];
}

const isWild = (token: Token | undefined) => token === anyOfSegment || token === anything;
/** Longer pairs are taken to overlap. */
const mostSteps = 4_000_000;

/** Whether some text, or one below it, is matched by both. */
function meet(first: string, second: string): boolean {
  const [a, b] = [tokensOf(first), tokensOf(second)];
  if (a.length * b.length > mostSteps) return true;
  // below[j]: whether what is left of `a` after the current token meets what is left of `b` from j on.
  let below = Array.from({ length: b.length + 1 }, (_, j) => endsAbove(b, j));
  for (let i = a.length - 1; i >= 0; i--) {
    const row: boolean[] = new Array(b.length + 1).fill(false);
    row[b.length] = endsAbove(a, i);
    for (let j = b.length - 1; j >= 0; j--) {
      const [x, y] = [a[i]!, b[j]!];
      row[j] =
        (isWild(x) && (below[j]! || (takes(x, y) && row[j + 1]!))) ||
        (isWild(y) && (row[j + 1]! || (takes(y, x) && below[j]!))) ||
        (x === y && !isWild(x) && below[j + 1]!);
    }
    below = row;
  }
  return below[0]!;
}

/** Whether a wildcard may stand for a character, or for what another wildcard stands for. */
function takes(wild: Token, token: Token): boolean {
  return wild === anything || token !== '/';
}

/** Whether the rest of a name can be nothing, or something below. */
function endsAbove(tokens: readonly Token[], from: number): boolean {
  for (let at = from; at < tokens.length; at++) {
    const token = tokens[at];
    if (token === '/' || token === anything) return true;
    if (token !== anyOfSegment) return false;
  }
  return true;
}
