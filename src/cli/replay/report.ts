/** The report of a replay, for people. */

import { type AnsweredCalls, answeredCalls, timeSaved, toolTable } from '../../report/answered-calls.js';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatShare,
  plural,
  printable,
  shorten,
} from '../../report/format.js';
import { formatBlocks, reportColumns, unbroken, wrap, wrapFacts } from '../../report/layout.js';
import type { Paint } from '../../report/paint.js';
import { formatJson } from '../lossless-json.js';
import type { CallCounts, WrongAnswer } from './summary.js';
import { hitRate } from './summary.js';

/** All that a report tells. */
export interface ReportData {
  readonly trace: { readonly name: string; readonly tasks: number; readonly rollouts: number };
  readonly cache: {
    readonly eviction: string;
    readonly maxSize: number;
    readonly maxBytes: number;
    readonly ttl: string | null;
    readonly evicted: number;
    readonly expired: number;
    /** Answers too large to keep. */
    readonly refused: number;
    readonly entries: number;
    readonly bytes: number;
  };
  /** Where entries outlive the replay, and what was read besides; `null` when it lived in memory alone. */
  readonly disk: {
    readonly persistDir: string | null;
    readonly loadCache: readonly string[];
  } | null;
  /** Whether entries were shared by Redis too. */
  readonly hasRedis: boolean;
  readonly replay: {
    readonly concurrency: number;
    readonly timeScale: number;
    readonly wallMs: number;
    /** Calls whose latency was recorded; the others' were drawn from `drawnFrom`. */
    readonly recordedLatencies: number;
    readonly drawnFrom: string;
  };
  readonly total: CallCounts;
  readonly byTool: ReadonlyMap<string, CallCounts>;
  readonly wrongAnswers: readonly WrongAnswer[];
  /** Further sentences, such as what the user may want to change. */
  readonly notes: readonly string[];
}

/** Where a report is shown. */
export interface ReportStyle {
  /** Columns there are; used between 40 and 120. */
  readonly width: number | undefined;
  readonly paint: Paint;
}

/** The report as lines of text, with a line break at the end. */
export function formatReport(data: ReportData, { width, paint }: ReportStyle): string {
  const columns = reportColumns(width);
  const hasTiers = data.disk !== null || data.hasRedis;
  const style = { paint, columns, hasTiers, bypassed: ['write', 'writes'] } as const;
  return formatBlocks(
    [
      heading(data, paint, columns),
      answeredCalls(withWrites(data.total), style),
      saved(data, paint, columns),
      toolTable(new Map([...data.byTool].map(([name, counts]) => [name, withWrites(counts)])), style),
      ending(data, paint, columns),
    ],
    columns,
  );
}

/** What goes past the cache in a replay are writes. */
function withWrites(counts: CallCounts): AnsweredCalls {
  return { ...counts, bypassed: counts.writes };
}

function heading({ trace, cache, disk, replay, total }: ReportData, paint: Paint, columns: number): string[] {
  const bounds = [
    cache.eviction.toUpperCase(),
    `at most ${formatCount(cache.maxSize)} entries and ${formatBytes(cache.maxBytes)}`,
    ...(cache.ttl === null ? [] : [`ttl ${cache.ttl}`]),
  ];
  const size = `${plural(total.calls, 'call')} of ${plural(trace.rollouts, 'rollout')} in ${plural(trace.tasks, 'task')}`;
  const name = shorten(printable(trace.name), columns - 18);
  return [
    `${paint('bold', 'toolstash replay')}  ${name}`,
    paint('gray', `${size}, ${plural(replay.concurrency, 'task')} at once`),
    paint('gray', bounds.join(' · ')),
    ...diskLines(disk, columns).map((line) => paint('gray', line)),
  ];
}

function diskLines(disk: ReportData['disk'], columns: number): string[] {
  if (disk === null) return [];
  const kept = disk.persistDir === null ? [] : [`entries in ${printable(disk.persistDir)}`];
  const given = disk.loadCache.length === 0 ? [] : [`reading ${disk.loadCache.map(printable).join(', ')}`];
  return [shorten([...kept, ...given].join(' · '), columns)];
}

function saved({ total, replay }: ReportData, paint: Paint, columns: number): string[] {
  const drawn = total.calls - replay.recordedLatencies;
  const origin =
    drawn === 0
      ? []
      : [
          `${drawn === total.calls ? 'Latencies' : `${formatCount(drawn)} latencies`} drawn from ${replay.drawnFrom}`,
        ];
  const speed = 1 / replay.timeScale;
  const pace =
    replay.timeScale === 0
      ? 'without waiting'
      : `${speed < 10 ? Number(speed.toPrecision(2)) : formatCount(Math.round(speed))} times as fast as recorded`;
  const remarks = [
    ...origin,
    `replayed in ${formatDuration(replay.wallMs)}, ${replay.timeScale === 1 ? 'in real time' : pace}`,
  ];
  return [
    timeSaved(total, paint),
    ...wrap(remarks.map(unbroken).join(', '), columns).map((line) => paint('gray', line)),
  ];
}

function ending({ total, cache, wrongAnswers, notes }: ReportData, paint: Paint, columns: number): string[] {
  const facts = [
    `hit rate ${formatShare(hitRate(total), 1)} of read-only calls`,
    `evicted ${formatCount(cache.evicted)}`,
    ...(cache.expired > 0 ? [`expired ${formatCount(cache.expired)}`] : []),
    ...(cache.refused > 0 ? [`too large to store ${formatCount(cache.refused)}`] : []),
    `at the end ${plural(cache.entries, 'entry', 'entries')}, ${formatBytes(cache.bytes)}`,
    ...(total.errors > 0 ? [toolErrors(total)] : []),
    ...(total.avoidedErrors > 0 ? [`errors avoided ${formatCount(total.avoidedErrors)}`] : []),
  ];
  const verdict =
    total.wrong === 0
      ? [`${paint('bold', paint('green', '✓'))} Every answer equals the recorded one.`]
      : wrong(total.wrong, wrongAnswers, paint, columns);
  return [
    ...wrapFacts(facts, columns).map((line) => paint('gray', line)),
    ...notes.flatMap((note) => wrap(`${note}`, columns)).map((line) => paint('yellow', line)),
    ...verdict,
  ];
}

function toolErrors({ errors, sharedErrors }: CallCounts): string {
  const shared = sharedErrors === 0 ? '' : ` (${formatCount(sharedErrors)} shared in flight)`;
  return `tool errors ${formatCount(errors)}${shared}, never cached`;
}

function wrong(count: number, answers: readonly WrongAnswer[], paint: Paint, columns: number): string[] {
  const show = (value: unknown, room: number) => shorten(printable(formatJson(value)), room);
  const details = answers.flatMap(({ line, tool, args, source, failed, recorded, answered: given }) => [
    `  line ${line}: ${printable(tool)} ${show(args, columns - tool.length - 20)}`,
    `    ${(failed ? 'recorded error' : 'recorded').padEnd(20)}  ${show(recorded, columns - 26)}`,
    `    ${`answered (${source})`.padEnd(20)}  ${show(given, columns - 26)}`,
  ]);
  const hidden = count - answers.length;
  const advice =
    'A tool whose answers change belongs into --writes; if its recorded errors were passing ones, say --transient-errors.';
  return [
    paint(
      'bold',
      paint(
        'red',
        `✗ ${formatCount(count)} ${count === 1 ? 'answer differs' : 'answers differ'} from the recorded one.`,
      ),
    ),
    ...details,
    ...(hidden > 0 ? [`  and ${formatCount(hidden)} more`] : []),
    ...wrap(advice, columns),
  ];
}
