/** What consolidating and merging came to, in sentences. */

import type { ConsolidationReport } from '../../index.js';
import { formatBytes, formatCount, plural } from '../../report/format.js';
import { wrapFacts } from '../../report/layout.js';
import type { Paint } from '../../report/paint.js';

/** What both reports tell. */
type Counts = Pick<
  ConsolidationReport,
  'readFiles' | 'readBytes' | 'readEntries' | 'writtenFiles' | 'writtenBytes' | 'writtenEntries' | 'dropped'
>;

const reasons = {
  overwritten: 'overwritten',
  cleared: 'cleared or invalidated',
  expired: 'expired',
  aged: 'beyond the bounds',
  deletions: 'spent deletions',
} as const satisfies Record<keyof Counts['dropped'], string>;

/** Read, written and dropped, a line each. */
export function summaryLines(counts: Counts, columns: number, paint: Paint): string[] {
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
