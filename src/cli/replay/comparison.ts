/** The same trace under one eviction policy after the other: the figures side by side, for people. */

import {
  formatBytes,
  formatCount,
  formatDuration,
  formatShare,
  plural,
  printable,
  shorten,
} from '../../report/format.js';
import { formatBlocks, reportColumns, wrap } from '../../report/layout.js';
import type { Paint } from '../../report/paint.js';
import type { ReportStyle } from './report.js';
import { type CallCounts, hitRate, type WrongAnswer } from './summary.js';

/** What a replay under one policy came to. */
export interface PolicyFigures {
  readonly eviction: string;
  readonly total: CallCounts;
  readonly evicted: number;
  /** Answers too large to keep. */
  readonly refused: number;
  readonly entries: number;
  readonly bytes: number;
  readonly wrongAnswers: readonly WrongAnswer[];
}

/** All that a comparison tells. */
export interface ComparisonData {
  readonly trace: { readonly name: string; readonly tasks: number; readonly rollouts: number };
  readonly cache: { readonly maxSize: number; readonly maxBytes: number; readonly ttl: string | null };
  readonly concurrency: number;
  readonly policies: readonly PolicyFigures[];
  /** Further sentences, such as what the user may want to change. */
  readonly notes: readonly string[];
}

/** The comparison as lines of text, with a line break at the end. */
export function formatComparison(data: ComparisonData, { width, paint }: ReportStyle): string {
  const columns = reportColumns(width);
  return formatBlocks(
    [heading(data, paint, columns), table(data, paint, columns), ending(data, paint, columns)],
    columns,
  );
}

/** What `--json` prints. */
export function comparisonJson({ policies, ...rest }: ComparisonData): object {
  const { trace, cache, concurrency, notes } = rest;
  return {
    trace: trace.name,
    tasks: trace.tasks,
    rollouts: trace.rollouts,
    cache,
    concurrency,
    policies: policies.map(({ eviction, total, wrongAnswers, ...figures }) => ({
      eviction,
      ...total,
      hitRate: hitRate(total),
      ...figures,
      wrongAnswers,
    })),
    notes,
  };
}

function heading({ trace, cache, concurrency, policies }: ComparisonData, paint: Paint, columns: number) {
  const calls = policies[0]?.total.calls ?? 0;
  const size = `${plural(calls, 'call')} of ${plural(trace.rollouts, 'rollout')} in ${plural(trace.tasks, 'task')}`;
  const bounds = [
    `at most ${formatCount(cache.maxSize)} entries and ${formatBytes(cache.maxBytes)}`,
    ...(cache.ttl === null ? [] : [`ttl ${cache.ttl}`]),
    'in virtual time',
  ];
  return [
    `${paint('bold', 'toolstash replay')}  ${shorten(printable(trace.name), columns - 18)}`,
    paint('gray', `${size}, ${plural(concurrency, 'task')} at once`),
    paint('gray', bounds.join(' · ')),
  ];
}

/** Columns that are left out where they don't fit, the first first. */
const leastUseful = ['of tool time', 'coalesced', 'hits', 'evicted'];

function table({ policies }: ComparisonData, paint: Paint, columns: number): string[] {
  const head = ['eviction', 'hit rate', 'hits', 'coalesced', 'evicted', 'time saved', 'of tool time'];
  const rows = policies.map(({ eviction, total, evicted }) => [
    eviction,
    formatShare(hitRate(total), 1),
    formatCount(total.hits),
    formatCount(total.coalesced),
    formatCount(evicted),
    formatDuration(total.savedMs),
    formatShare(total.savedMs, total.toolMs),
  ]);
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]!.length)),
  );
  let shown = head.map((_, at) => at);
  for (const title of leastUseful) {
    if (shown.reduce((sum, at) => sum + widths[at]! + 2, -2) <= columns) break;
    shown = shown.filter((at) => head[at] !== title);
  }
  const line = (row: readonly string[]) =>
    shown.map((at) => (at === 0 ? row[at]!.padEnd(widths[at]!) : row[at]!.padStart(widths[at]!))).join('  ');
  return [paint('bold', line(head)), ...rows.map(line)];
}

function ending({ policies, notes }: ComparisonData, paint: Paint, columns: number): string[] {
  const [first, ...others] = policies;
  const differences = others.map(({ eviction, total }) => {
    const more = total.savedMs - first!.total.savedMs;
    const most = formatDuration(Math.abs(more));
    return `${eviction} saves ${most} ${more < 0 ? 'less' : 'more'} tool time than ${first!.eviction} in the same bytes.`;
  });
  const evictedNone = policies.every(({ evicted, refused }) => evicted + refused === 0);
  const remark =
    'Nothing had to leave, so no policy decided anything: try a smaller --max-bytes or --max-size.';
  const wrong = policies.filter(({ total }) => total.wrong > 0);
  const verdict =
    wrong.length === 0
      ? [`${paint('bold', paint('green', '✓'))} Every answer equals the recorded one.`]
      : wrong.map(({ eviction, total }) => {
          const count = plural(total.wrong, 'answer differs', 'answers differ');
          return paint(
            'red',
            `✗ Under ${eviction} ${count} from the recorded one: replay it alone to see which.`,
          );
        });
  return [
    ...differences.map((sentence) => paint('bold', sentence)),
    ...[...(evictedNone ? [remark] : []), ...notes]
      .flatMap((note) => wrap(note, columns))
      .map((text) => paint('yellow', text)),
    ...verdict,
  ];
}
