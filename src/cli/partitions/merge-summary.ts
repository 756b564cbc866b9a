/** What consolidating and merging came to, in sentences. */

import type { ConsolidationReport } from '../../index.js';
import { formatBytes, formatCount, plural } from '../../report/format.js';
import { formatBlocks, reportColumns, sentenceColumns, wrapFacts } from '../../report/layout.js';
import { type Paint, paintFor } from '../../report/paint.js';
import type { CommandIo } from '../command-io.js';
import { formatJson } from '../lossless-json.js';
import type { ErrorReport } from './error-report.js';

/** What both reports tell. */
type Counts = Pick<
  ConsolidationReport,
  'readFiles' | 'readBytes' | 'readEntries' | 'writtenFiles' | 'writtenBytes' | 'writtenEntries' | 'dropped'
>;

interface Outcome {
  /** In a sentence. */
  readonly merged: string;
  readonly isWhole: boolean;
  readonly errors: ErrorReport;
  readonly json: boolean;
}

const reasons = {
  overwritten: 'overwritten',
  cleared: 'cleared or invalidated',
  expired: 'expired',
  aged: 'beyond the bounds',
  deletions: 'spent deletions',
} as const satisfies Record<keyof Counts['dropped'], string>;

/** Prints what came of it, then what could not be read or merged; returns the exit code. */
export function printSummary(
  report: Counts,
  { merged, isWhole, errors, json }: Outcome,
  { stdout, stderr }: CommandIo,
): number {
  const paint = paintFor(stdout);
  const sign = isWhole ? paint('green', '✓') : paint('red', '✗ Not everything could be read or merged.');
  const lines = [
    `${paint('bold', sign)} ${merged}`,
    ...summaryLines(report, reportColumns(stdout.columns), paint),
  ];
  stdout.write(json ? `${formatJson(report, 2)}\n` : formatBlocks([lines], sentenceColumns(stdout.columns)));
  errors.print(stderr);
  return isWhole ? 0 : 1;
}

/** Read, written and dropped, a line each. */
function summaryLines(counts: Counts, columns: number, paint: Paint): string[] {
  const dropped = (Object.keys(reasons) as (keyof typeof reasons)[])
    .filter((reason) => counts.dropped[reason] > 0)
    .map((reason) => `${formatCount(counts.dropped[reason])} ${reasons[reason]}`);
  return [
    amount('read', counts.readFiles, counts.readEntries, counts.readBytes),
    amount('wrote', counts.writtenFiles, counts.writtenEntries, counts.writtenBytes),
    ...(dropped.length === 0 ? [] : wrapFacts([`left out  ${dropped[0]}`, ...dropped.slice(1)], columns)),
  ].map((line) => paint('gray', line));
}

function amount(verb: string, files: number, entries: number, bytes: number): string {
  return `${verb.padEnd(8)}  ${plural(files, 'file')} with ${plural(entries, 'entry', 'entries')}, ${formatBytes(bytes)}`;
}
