/** The report of a replay, for people. */

import {
  formatBytes,
  formatCount,
  formatDuration,
  formatShare,
  plural,
  printable,
  shorten,
} from '../format.js';
import { bar, formatBlocks, reportColumns, type Segment, unbroken, wrap, wrapFacts } from '../layout.js';
import { formatJson } from '../lossless-json.js';
import type { Paint } from '../paint.js';
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
  /** Columns there are; used between 72 and 120. */
  readonly width: number;
  readonly paint: Paint;
}

/** Calls by how they were answered, in the order in which bars show them. */
function segmentsOf(counts: CallCounts, hasDisk: boolean): readonly (Segment & { readonly name: string })[] {
  const { hits, diskHits, coalesced, misses, writes } = counts;
  return [
    { count: hits - diskHits, sign: '█', style: 'green', name: hasDisk ? 'from memory' : 'hits' },
    { count: diskHits, sign: '▒', style: 'blue', name: 'from disk' },
    { count: coalesced, sign: '▓', style: 'cyan', name: 'coalesced' },
    { count: misses, sign: '░', style: 'yellow', name: 'misses' },
    { count: writes, sign: '·', style: 'gray', name: 'writes' },
  ];
}

/** Tools beyond these, by number of calls, share one row. */
const mostTools = 20;

/** The report as lines of text, with a line break at the end. */
export function formatReport(data: ReportData, { width, paint }: ReportStyle): string {
  const columns = reportColumns(width);
  return formatBlocks([
    heading(data, paint, columns),
    answered(data, paint, columns),
    saved(data, paint, columns),
    tools(data.byTool, paint, columns),
    ending(data, paint, columns),
  ]);
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
    paint('gray', `${size}, ${formatCount(replay.concurrency)} at once`),
    paint('gray', bounds.join(' · ')),
    ...diskLines(disk, columns).map((line) => paint('gray', line)),
  ];
}

function diskLines(disk: ReportData['disk'], columns: number): string[] {
  if (disk === null) return [];
  const kept = disk.persistDir === null ? [] : [`kept in ${printable(disk.persistDir)}`];
  const given = disk.loadCache.length === 0 ? [] : [`reading ${disk.loadCache.map(printable).join(', ')}`];
  return [shorten([...kept, ...given].join(' · '), columns)];
}

function answered({ total, disk }: ReportData, paint: Paint, columns: number): string[] {
  const fromCache = total.hits + total.coalesced;
  const segments = segmentsOf(total, disk !== null);
  const legend = segments
    .filter(({ count }) => count > 0)
    .map(({ count, sign, style, name }) => ({ sign, style, text: `${formatCount(count)} ${name}` }));
  const length = legend.reduce((sum, { text }) => sum + text.length + 5, -3);
  const painted = legend.map(({ sign, style, text }) => `${paint(style, sign)} ${text}`);
  return [
    `${paint('bold', 'Answered from the cache')}  ${paint('bold', paint('green', formatShare(fromCache, total.calls)))}  ` +
      `${formatCount(fromCache)} of ${formatCount(total.calls)} calls`,
    bar(segments, columns, paint),
    ...(length <= columns ? [painted.join('   ')] : painted),
  ];
}

function saved({ total, replay }: ReportData, paint: Paint, columns: number): string[] {
  const drawn = total.calls - replay.recordedLatencies;
  const origin =
    drawn === 0
      ? []
      : [
          `${drawn === total.calls ? 'Latencies' : `${formatCount(drawn)} latencies`} drawn from ${replay.drawnFrom}`,
        ];
  const pace =
    replay.timeScale === 0
      ? 'without waiting'
      : `at 1/${formatCount(Math.round(1 / replay.timeScale))} of the time`;
  const remarks = [
    ...origin,
    `replayed in ${formatDuration(replay.wallMs)} ${replay.timeScale === 1 ? 'in real time' : pace}`,
  ];
  return [
    `${paint('bold', 'Time saved')}  ${paint('bold', paint('green', formatDuration(total.savedMs)))}  ` +
      `of ${formatDuration(total.toolMs)} tool time (${formatShare(total.savedMs, total.toolMs)})`,
    ...wrap(remarks.map(unbroken).join(', '), columns).map((line) => paint('gray', line)),
  ];
}

function tools(byTool: ReadonlyMap<string, CallCounts>, paint: Paint, columns: number): string[] {
  const ranking = [...byTool].sort(([, a], [, b]) => b.calls - a.calls);
  const shown = ranking.slice(0, mostTools);
  const rows = shown.map(([name, counts]) => {
    const isWrite = counts.writes === counts.calls;
    const fromCache = counts.hits + counts.coalesced;
    return {
      counts,
      name: printable(name),
      calls: formatCount(counts.calls),
      share: isWrite ? 'write' : formatShare(fromCache, counts.calls - counts.writes),
      time: isWrite ? '' : formatDuration(counts.savedMs),
    };
  });
  const header = { name: 'Tool', calls: 'calls', share: 'cached', time: 'saved' };
  const widest = (field: keyof typeof header) =>
    Math.max(...[header, ...rows].map((row) => row[field].length));
  const nameWidth = Math.min(widest('name'), Math.floor(columns * 0.38));
  const barWidth = columns - nameWidth - widest('calls') - widest('share') - widest('time') - 8;
  const row = ({ name, calls, share, time }: typeof header, picture: string) =>
    [
      shorten(name, nameWidth).padEnd(nameWidth),
      calls.padStart(widest('calls')),
      picture,
      share.padStart(widest('share')),
      time.padStart(widest('time')),
    ].join('  ');
  const most = shown[0]?.[1].calls ?? 1;
  const lines = rows.map((each) => {
    const length = Math.max(1, Math.round((each.counts.calls / most) * barWidth));
    return row(
      each,
      bar(segmentsOf(each.counts, false), length, paint) + ' '.repeat(barWidth - length),
    ).trimEnd();
  });
  const hidden = ranking.length - shown.length;
  return [
    paint('bold', row(header, 'how answered'.padEnd(barWidth))),
    ...lines,
    ...(hidden > 0 ? [paint('gray', `and ${formatCount(hidden)} tools with fewer calls`)] : []),
  ];
}

function ending({ total, cache, wrongAnswers, notes }: ReportData, paint: Paint, columns: number): string[] {
  const facts = [
    `hit rate ${formatShare(hitRate(total), 1)} of read-only calls`,
    `evicted ${formatCount(cache.evicted)}`,
    ...(cache.expired > 0 ? [`expired ${formatCount(cache.expired)}`] : []),
    ...(cache.refused > 0 ? [`too large to keep ${formatCount(cache.refused)}`] : []),
    `held at the end ${formatCount(cache.entries)} (${formatBytes(cache.bytes)})`,
    `tool errors ${formatCount(total.errors)}, never cached`,
    ...(total.sharedErrors > 0 ? [`${formatCount(total.sharedErrors)} of them shared in flight`] : []),
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
