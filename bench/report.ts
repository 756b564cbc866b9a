/** What the benches print: the machine and its software, and tables. */

import { cpus } from 'node:os';
import { median, quantile, ratioTo, type Samples } from './rounds.js';

/** One line that says on what, when and with which seed the figures were taken. */
export function runLine(seed: number): string {
  const cpu = cpus();
  return [
    `Node ${process.versions.node}`,
    `${cpu.length} × ${cpu[0]?.model.trim() ?? 'unknown CPU'}`,
    `${process.platform} ${process.arch}`,
    new Date().toISOString().slice(0, 10),
    `seed ${seed}`,
  ].join(' · ');
}

/** A title, what it means, and a table whose first column is text. */
export function printTable(options: {
  readonly title: string;
  readonly note?: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}): void {
  const { head, rows } = options;
  const widths = head.map((cell, i) => Math.max(cell.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]) => `| ${row.map((cell, i) => padded(cell, i, widths)).join(' | ')} |`;
  const rule = `| ${widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  console.log(`\n### ${options.title}\n`);
  if (options.note !== undefined) console.log(`${options.note}\n`);
  console.log([line(head), rule, ...rows.map(line)].join('\n'));
}

function padded(cell: string, column: number, widths: readonly number[]): string {
  const width = widths[column] ?? 0;
  return column === 0 ? cell.padEnd(width) : cell.padStart(width);
}

/** The columns of timings: median, middle half, ratio to the baseline. */
export const timingHead = (baseline: string): string[] => ['µs', 'middle half', `× ${baseline}`];

export function timingCells(samples: Samples, baseline: Samples): string[] {
  const { nanoseconds } = samples;
  const middle = `${microseconds(quantile(nanoseconds, 0.25))}–${microseconds(quantile(nanoseconds, 0.75))}`;
  return [microseconds(median(nanoseconds)), middle, ratioTo(baseline, samples).toFixed(2)];
}

/** Nanoseconds as microseconds with three significant digits or two decimals. */
export function microseconds(nanoseconds: number): string {
  const value = nanoseconds / 1000;
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** The samples with this name. */
export function named(samples: readonly Samples[], name: string): Samples {
  const found = samples.find((each) => each.name === name);
  if (found === undefined) throw new Error(`No contender is called ${name}`);
  return found;
}
