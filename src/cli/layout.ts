/** What reports are laid out with: lines that fit, bars, columns of numbers. */

import type { Paint, Style } from './paint.js';

/** One part of a bar. */
export interface Segment {
  readonly count: number;
  readonly sign: string;
  readonly style: Style;
}

/** The blocks of a report as text: indented by two, an empty line before each and at the end. */
export function formatBlocks(blocks: readonly (readonly string[])[]): string {
  const shown = blocks.filter((block) => block.length > 0);
  const lines = shown.flatMap((block) => ['', ...block]).map((line) => (line === '' ? '' : `  ${line}`));
  return `${[...lines, ''].join('\n')}\n`;
}

/** The columns that a report may use on a terminal of this width: 68 to 116. */
export function reportColumns(width: number): number {
  return Math.min(120, Math.max(72, width)) - 4;
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

/** Facts in a row, separated by dots, broken between them. */
export function wrapFacts(facts: readonly string[], columns: number): string[] {
  return wrap(facts.map(unbroken).join(' · '), columns);
}
