/** How calls were answered, as reports show it: a bar of all calls, a row for each tool. */

import { formatCount, formatDuration, formatShare, printable, shorten } from './format.js';
import { bar, type Segment } from './layout.js';
import type { Paint } from './paint.js';

/** Calls by how each got its answer. */
export interface AnsweredCalls {
  readonly calls: number;
  /** Answered from an entry. */
  readonly hits: number;
  /** Of the hits: those that were read from disk, where that is told apart. */
  readonly diskHits: number;
  /** Of the hits: those that were read from Redis, where that is told apart. */
  readonly remoteHits: number;
  readonly coalesced: number;
  readonly misses: number;
  /** Calls past the cache. */
  readonly bypassed: number;
  /** Tool time that was not spent. */
  readonly savedMs: number;
}

/** Where a report is shown, and in which words. */
export interface CallStyle {
  readonly paint: Paint;
  readonly columns: number;
  /** Whether hits tell memory from disk and Redis. */
  readonly hasTiers: boolean;
  /** What calls past the cache are: one of them, many. */
  readonly bypassed: readonly [one: string, many: string];
}

/** Calls by how they were answered, in the order in which bars show them. */
function segmentsOf(
  { hits, diskHits, remoteHits, coalesced, misses, bypassed }: AnsweredCalls,
  style: Pick<CallStyle, 'hasTiers' | 'bypassed'>,
): readonly (Segment & { readonly name: readonly [one: string, many: string] })[] {
  const [fromMemory, fromDisk, fromRedis] = ['from memory', 'from disk', 'from Redis'];
  return [
    {
      count: hits - diskHits - remoteHits,
      sign: '█',
      style: 'green',
      name: style.hasTiers ? [fromMemory, fromMemory] : ['hit', 'hits'],
    },
    { count: diskHits, sign: '▒', style: 'blue', name: [fromDisk, fromDisk] },
    { count: remoteHits, sign: '▚', style: 'magenta', name: [fromRedis, fromRedis] },
    { count: coalesced, sign: '▓', style: 'cyan', name: ['coalesced', 'coalesced'] },
    { count: misses, sign: '░', style: 'yellow', name: ['miss', 'misses'] },
    { count: bypassed, sign: '·', style: 'gray', name: style.bypassed },
  ];
}

const barTitle = 'how answered';
/** Columns that a tool's name has at least. */
const leastName = 8;

/** Tools beyond these, by number of calls, share one row. */
const mostTools = 20;

/** The share that was answered from the cache, and a bar. */
export function answeredCalls(total: AnsweredCalls, style: CallStyle): string[] {
  const { paint, columns } = style;
  const fromCache = total.hits + total.coalesced;
  const segments = segmentsOf(total, style);
  const legend = segments
    .filter(({ count }) => count > 0)
    .map(({ count, sign, style: painted, name: [one, many] }) => ({
      sign,
      style: painted,
      text: `${formatCount(count)} ${count === 1 ? one : many}`,
    }));
  const length = legend.reduce((sum, { text }) => sum + text.length + 5, -3);
  const painted = legend.map((each) => `${paint(each.style, each.sign)} ${each.text}`);
  return [
    `${paint('bold', 'Answered from the cache')}  ${paint('bold', paint('green', formatShare(fromCache, total.calls)))}  ` +
      `${formatCount(fromCache)} of ${formatCount(total.calls)} calls`,
    bar(segments, columns, paint),
    ...(length <= columns ? [painted.join('   ')] : painted),
  ];
}

/** Tool time saved, of all. */
export function timeSaved({ savedMs, toolMs }: { savedMs: number; toolMs: number }, paint: Paint): string {
  return (
    `${paint('bold', 'Time saved')}  ${paint('bold', paint('green', formatDuration(savedMs)))}  ` +
    `of ${formatDuration(toolMs)} tool time (${formatShare(savedMs, toolMs)})`
  );
}

/** A row for each tool, those with most calls first. */
export function toolTable(byTool: ReadonlyMap<string, AnsweredCalls>, style: CallStyle): string[] {
  const { paint, columns } = style;
  const ranking = [...byTool].sort(([, a], [, b]) => b.calls - a.calls);
  const shown = ranking.slice(0, mostTools);
  const rows = shown.map(([name, counts]) => {
    const isPast = counts.bypassed === counts.calls;
    const fromCache = counts.hits + counts.coalesced;
    return {
      counts,
      name: printable(name),
      calls: formatCount(counts.calls),
      share: isPast ? style.bypassed[0] : formatShare(fromCache, counts.calls - counts.bypassed),
      time: isPast ? '' : formatDuration(counts.savedMs),
    };
  });
  const header = { name: 'Tool', calls: 'calls', share: 'cached', time: 'saved' };
  const widest = (field: keyof typeof header) =>
    Math.max(...[header, ...rows].map((row) => row[field].length));
  const room = columns - widest('calls') - widest('share') - 4;
  const roomWithTime = room - widest('time') - 2;
  const narrowName = Math.min(widest('name'), Math.floor(columns * 0.38));
  const hasBar = roomWithTime - narrowName - 2 >= barTitle.length;
  const hasTime = hasBar || roomWithTime >= leastName;
  const nameWidth = hasBar
    ? narrowName
    : Math.max(1, Math.min(widest('name'), hasTime ? roomWithTime : room));
  const barWidth = hasBar ? roomWithTime - nameWidth - 2 : 0;
  const row = ({ name, calls, share, time }: typeof header, picture: string) =>
    [
      shorten(name, nameWidth).padEnd(nameWidth),
      calls.padStart(widest('calls')),
      ...(hasBar ? [picture] : []),
      share.padStart(widest('share')),
      ...(hasTime ? [time.padStart(widest('time'))] : []),
    ].join('  ');
  const most = shown[0]?.[1].calls ?? 1;
  const lines = rows.map((each) => {
    const length = Math.min(barWidth, Math.max(1, Math.round((each.counts.calls / most) * barWidth)));
    return row(
      each,
      bar(segmentsOf(each.counts, { ...style, hasTiers: false }), length, paint) +
        ' '.repeat(barWidth - length),
    ).trimEnd();
  });
  const hidden = ranking.length - shown.length;
  return [
    paint('bold', row(header, barTitle.padEnd(barWidth))),
    ...lines,
    ...(hidden > 0 ? [paint('gray', `and ${formatCount(hidden)} tools with fewer calls`)] : []),
  ];
}
