/** JSON texts that are changed in one place, and otherwise keep every byte. */

import { formatJson } from '../cli/lossless-json.js';

/** A value, by the names that lead to it, and the JSON text that takes its place. */
export type Edit = readonly [path: readonly string[], text: string];

/** A JSON text with some values replaced. Those that are not there stay away. */
export function edited(text: string, edits: readonly Edit[]): string {
  const spans = edits.flatMap(([path, by]) => {
    const span = spanOf(text, path);
    return span === undefined ? [] : [{ ...span, by }];
  });
  let result = text;
  for (const { from, to, by } of spans.sort((a, b) => b.from - a.from))
    result = result.slice(0, from) + by + result.slice(to);
  return result;
}

/** The JSON text of a value. `JSON.stringify` is quicker, and can't say integers that no number holds. */
export function jsonText(value: unknown): string {
  if (typeof value === 'bigint') return `${value}`;
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
  const first = text[start];
  if (first === '"') return endOfString(text, start);
  let at = start;
  if (first !== '{' && first !== '[') {
    while (at < text.length && !' \t\r\n,]}'.includes(text[at] as string)) at += 1;
    return at;
  }
  let depth = 0;
  for (;;) {
    const each = text[at];
    if (each === '"') {
      at = endOfString(text, at);
      continue;
    }
    at += 1;
    if (each === '{' || each === '[') depth += 1;
    else if (each === '}' || each === ']') depth -= 1;
    if (depth === 0 || at >= text.length) return at;
  }
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  for (;;) {
    const quote = text.indexOf('"', at);
    let before = quote - 1;
    while (text[before] === '\\') before -= 1;
    if ((quote - before) % 2 === 1 || quote === -1) return quote === -1 ? text.length : quote + 1;
    at = quote + 1;
  }
}

function afterSpace(text: string, start: number): number {
  let at = start;
  while (' \t\r\n'.includes(text[at] ?? '-')) at += 1;
  return at;
}
