/** JSON texts that are changed in one place, and otherwise keep every byte. */

import { formatJson } from '../cli/lossless-json.js';

const [quote, brace, braceEnd, bracket, bracketEnd] = [0x22, 0x7b, 0x7d, 0x5b, 0x5d];

/** A value, by the names that lead to it, and the JSON text that takes its place. */
export type Edit = readonly [path: readonly string[], text: string];

/** A JSON text with some values replaced. Those that are not there stay away. */
export function edited(text: string, edits: readonly Edit[]): string {
  const [only] = edits;
  if (only !== undefined && edits.length === 1) return replaced(text, spanOf(text, only[0]), only[1]);
  const found = edits.map(([path, by]) => ({ span: spanOf(text, path), by }));
  return found
    .sort((one, other) => (other.span?.from ?? 0) - (one.span?.from ?? 0))
    .reduce((result, { span, by }) => replaced(result, span, by), text);
}

function replaced(text: string, span: Span | undefined, by: string): string {
  return span === undefined ? text : text.slice(0, span.from) + by + text.slice(span.to);
}

/** The JSON text of a value. `JSON.stringify` is quicker, and can't say integers that no number holds. */
export function jsonText(value: unknown): string {
  if (typeof value === 'bigint' || Number.isSafeInteger(value))
    return Object.is(value, -0) ? '0' : `${value}`;
  if (typeof value === 'string') return JSON.stringify(value);
  try {
    const text = JSON.stringify(value) ?? 'null';
    return /\d{17}/.test(text) ? formatJson(value) : text;
  } catch (error) {
    // There is a BigInt in it.
    if (error instanceof TypeError) return formatJson(value);
    throw error;
  }
}

/** The text of a member of what should be an object. */
export function memberText(text: string, name: string): string | undefined {
  const start = afterSpace(text, 0);
  const span = text[start] === '{' ? memberOf(text, start, name) : undefined;
  return span && text.slice(span.from, span.to);
}

interface Span {
  readonly from: number;
  readonly to: number;
}

/** Where in a valid JSON text a value is. Of equal names the last one counts, as in `JSON.parse`. */
function spanOf(text: string, path: readonly string[]): Span | undefined {
  let span: Span | undefined = { from: afterSpace(text, 0), to: text.length };
  for (const name of path) {
    if (span === undefined || text[span.from] !== '{') return undefined;
    span = memberOf(text, span.from, name);
  }
  return span;
}

function memberOf(text: string, start: number, name: string): Span | undefined {
  let found: Span | undefined;
  let at = afterSpace(text, start + 1);
  while (text[at] === '"') {
    const endOfName = endOfString(text, at);
    const from = afterSpace(text, afterSpace(text, endOfName) + 1);
    const to = endOfValue(text, from);
    if (isName(text.slice(at, endOfName), name)) found = { from, to };
    at = afterSpace(text, to);
    if (text[at] === ',') at = afterSpace(text, at + 1);
  }
  return found;
}

function isName(literal: string, name: string): boolean {
  return literal === `"${name}"` || (literal.includes('\\') && unquoted(literal) === name);
}

function unquoted(literal: string): unknown {
  try {
    return JSON.parse(literal);
  } catch {
    return undefined;
  }
}

function endOfValue(text: string, start: number): number {
  const first = text.charCodeAt(start);
  if (first === quote) return endOfString(text, start);
  let at = start;
  if (first !== brace && first !== bracket) {
    while (at < text.length && !' \t\r\n,]}'.includes(text[at] as string)) at += 1;
    return at;
  }
  let depth = 0;
  for (;;) {
    const each = text.charCodeAt(at);
    if (each === quote) {
      at = endOfString(text, at);
      continue;
    }
    at += 1;
    if (each === brace || each === bracket) depth += 1;
    else if (each === braceEnd || each === bracketEnd) depth -= 1;
    if (depth === 0 || at >= text.length) return at;
  }
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  for (;;) {
    const end = text.indexOf('"', at);
    let before = end - 1;
    while (text[before] === '\\') before -= 1;
    if ((end - before) % 2 === 1 || end === -1) return end === -1 ? text.length : end + 1;
    at = end + 1;
  }
}

function afterSpace(text: string, start: number): number {
  let at = start;
  while (' \t\r\n'.includes(text[at] ?? '-')) at += 1;
  return at;
}
