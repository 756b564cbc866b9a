/** What reports are laid out with: lines that fit, bars, columns of numbers. */

import { stripVTControlCharacters } from 'node:util';
import type { Paint, Style } from './paint.js';

/** One part of a bar. */
export interface Segment {
  readonly count: number;
  readonly sign: string;
  readonly style: Style;
}

/**
 * The blocks of a report as text: indented by two, an empty line before each and at the end. Lines of more than `columns`
 * are broken at spaces; into a pipe they go as they are.
 */
export function formatBlocks(blocks: readonly (readonly string[])[], columns = Infinity): string {
  const shown = blocks.filter((block) => block.length > 0);
  const lines = shown
    .flatMap((block) => ['', ...block.flatMap((line) => broken(line, columns))])
    .map((line) => (line === '' ? '' : `  ${line}`));
  return `${[...lines, ''].join('\n')}\n`;
}

/** The columns that a report may use on a terminal of this width: 36 to 116. Some terminals don't know theirs. */
export function reportColumns(width = 0): number {
  return Math.min(120, Math.max(40, width || 80)) - 4;
}

/** The same for sentences, which go into a pipe in one line each. */
export function sentenceColumns(width: number | undefined): number | undefined {
  return width === undefined ? undefined : reportColumns(width);
}

/** A line, styles and all, in lines of at most so many columns, each indented as it is. */
function broken(line: string, columns: number): string[] {
  if (visibleLength(line) <= columns) return [line];
  const indent = /^ */.exec(line)?.[0] ?? '';
  const lines: string[] = [];
  for (const word of line.slice(indent.length).split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && visibleLength(last) + 1 + visibleLength(word) <= columns) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else if (word !== '') lines.push(indent + word);
  }
  return lines;
}

function visibleLength(line: string): number {
  return stripVTControlCharacters(line).length;
}

/** A bar of `length` characters with segments as long as their counts; what there is of is never left out. */
export function bar(segments: readonly Segment[], length: number, paint: Paint): string {
  const present = segments.filter(({ count }) => count > 0);
  const whole = present.reduce((sum, { count }) => sum + count, 0);
  let done = 0;
  let drawn = 0;
  return present
    .map(({ count, sign, style }, index) => {
      done += count;
      const later = present.length - index - 1;
      const end = Math.min(length - later, Math.max(drawn + 1, Math.round((done / whole) * length)));
      const size = Math.max(0, end - drawn);
      drawn += size;
      return size === 0 ? '' : paint(style, sign.repeat(size));
    })
    .join('');
}

/** The text with spaces at which `wrap` doesn't break it. */
export function unbroken(text: string): string {
  return text.replaceAll(' ', '\u{a0}');
}

/** Breaks a text at spaces into lines of at most `columns` characters. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= columns)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.map((line) => line.replaceAll('\u{a0}', ' '));
}

/** Facts in a row, separated by dots; a line that ends has none. */
export function wrapFacts(facts: readonly string[], columns: number): string[] {
  const lines: string[] = [];
  for (const fact of facts) {
    const longer = lines.length === 0 ? undefined : `${lines.at(-1)} · ${fact}`;
    if (longer !== undefined && longer.length <= columns) lines[lines.length - 1] = longer;
    else lines.push(...wrap(fact, columns));
  }
  return lines;
}
