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
import { formatJson } from '../lossless-json.js';
import type { Paint, Style } from '../paint.js';
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

/** How calls are shown in a bar, in this order. */
const segments = [
  { field: 'hits', sign: '█', style: 'green', name: 'hits' },
  { field: 'coalesced', sign: '▓', style: 'cyan', name: 'coalesced' },
  { field: 'misses', sign: '░', style: 'yellow', name: 'misses' },
  { field: 'writes', sign: '·', style: 'gray', name: 'writes' },
] as const satisfies readonly { field: keyof CallCounts; sign: string; style: Style; name: string }[];

/** Tools beyond these, by number of calls, share one row. */
const mostTools = 20;

/** The report as lines of text, with a line break at the end. */
export function formatReport(data: ReportData, { width, paint }: ReportStyle): string {
  const columns = Math.min(120, Math.max(72, width)) - 4;
  const blocks = [
    heading(data, paint, columns),
    answered(data.total, paint, columns),
    saved(data, paint, columns),
    tools(data.byTool, paint, columns),
    ending(data, paint, columns),
  ];
  const lines = blocks.flatMap((block) => ['', ...block]).map((line) => (line === '' ? '' : `  ${line}`));
  return `${[...lines, ''].join('\n')}\n`;
}

function heading({ trace, cache, replay, total }: ReportData, paint: Paint, columns: number): string[] {
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
  ];
}

function answered(total: CallCounts, paint: Paint, columns: number): string[] {
  const fromCache = total.hits + total.coalesced;
  const legend = segments
    .filter(({ field }) => total[field] > 0)
    .map(({ field, sign, style, name }) => ({ sign, style, text: `${formatCount(total[field])} ${name}` }));
  const length = legend.reduce((sum, { text }) => sum + text.length + 5, -3);
  const painted = legend.map(({ sign, style, text }) => `${paint(style, sign)} ${text}`);
  return [
    `${paint('bold', 'Answered from the cache')}  ${paint('bold', paint('green', formatShare(fromCache, total.calls)))}  ` +
      `${formatCount(fromCache)} of ${formatCount(total.calls)} calls`,
    bar(total, columns, paint),
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
    return row(each, bar(each.counts, length, paint) + ' '.repeat(barWidth - length)).trimEnd();
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
    ...wrap(facts.map(unbroken).join(' · '), columns).map((line) => paint('gray', line)),
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

/** A bar of `length` characters whose segments show how calls were answered; what there is of is never left out. */
function bar(counts: CallCounts, length: number, paint: Paint): string {
  const present = segments.filter(({ field }) => counts[field] > 0);
  let done = 0;
  let drawn = 0;
  return present
    .map(({ field, sign, style }, index) => {
      done += counts[field];
      const later = present.length - index - 1;
      const end = Math.min(length - later, Math.max(drawn + 1, Math.round((done / counts.calls) * length)));
      const size = Math.max(0, end - drawn);
      drawn += size;
      return size === 0 ? '' : paint(style, sign.repeat(size));
    })
    .join('');
}

/** The text with spaces at which `wrap` doesn't break it. */
function unbroken(text: string): string {
  return text.replaceAll(' ', '\u{a0}');
}

/** Breaks a text at spaces into lines of at most `columns` characters. */
function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= columns)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.map((line) => line.replaceAll('\u{a0}', ' '));
}
