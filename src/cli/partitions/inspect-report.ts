/** The report of `toolstash inspect`, for people. */

import type { FileInspection, MethodInspection } from '../../persistence/offline/inspection.js';
import {
  formatAge,
  formatBytes,
  formatCount,
  formatShare,
  plural,
  printable,
  shorten,
} from '../../report/format.js';
import { bar, formatBlocks, reportColumns, type Segment, wrap, wrapFacts } from '../../report/layout.js';
import type { Paint } from '../../report/paint.js';

/** All that the report tells. */
export interface InspectData {
  /** What was looked at, for people. */
  readonly name: string;
  readonly files: readonly FileInspection[];
  readonly methods: readonly MethodInspection[];
  readonly totals: InspectTotals;
  /** Whether it is a cache in Redis: there are no files then, and what was overwritten is gone. */
  readonly isInRedis?: boolean;
  /** Epoch ms. */
  readonly now: number;
}

/** Everything together. */
export type InspectTotals = Omit<MethodInspection, 'method' | 'methodHash'> & { readonly damage: number };

/** Where a report is shown. */
interface ReportStyle {
  readonly width: number | undefined;
  readonly paint: Paint;
}

/** Methods and days beyond these share one row. */
const mostMethods = 20;
const mostDays = 14;
/** Columns that a bar and a name have at least. */
const leastBar = 6;
const leastName = 8;
/** What a row of a method shows on the right: the first choice that leaves enough room for the rest. */
const choices = [
  { hasBar: true, right: ['size', 'expired', 'oldest', 'newest'] },
  { hasBar: false, right: ['size', 'expired', 'oldest', 'newest'] },
  { hasBar: false, right: ['size', 'expired', 'newest'] },
  { hasBar: false, right: ['size', 'expired'] },
  { hasBar: false, right: ['size'] },
] as const;

/** The sums over all files. */
export function totalsOf(files: readonly FileInspection[]): InspectTotals {
  const sum = (count: (file: FileInspection) => number) =>
    files.reduce((total, file) => total + count(file), 0);
  const times = files.flatMap(({ oldest, newest }) => [oldest, newest]).filter((time) => time !== undefined);
  return {
    partitions: files.length,
    members: sum((file) => file.members),
    values: sum((file) => file.values),
    deletions: sum((file) => file.deletions),
    markers: sum((file) => file.markers),
    expired: sum((file) => file.expired),
    bytes: sum((file) => file.bytes),
    oldest: times.length === 0 ? undefined : times.reduce((least, time) => Math.min(least, time)),
    newest: times.length === 0 ? undefined : times.reduce((most, time) => Math.max(most, time)),
    damage: files.filter((file) => file.damage.length > 0).length,
  };
}

/** The report as lines of text, with a line break at the end. */
export function formatInspectReport(data: InspectData, { width, paint }: ReportStyle): string {
  const columns = reportColumns(width);
  return formatBlocks(
    [
      heading(data, paint, columns),
      methods(data, paint, columns),
      days(data, paint, columns),
      ending(data, paint, columns),
    ],
    columns,
  );
}

function heading(
  { name, methods: all, totals, isInRedis, now }: InspectData,
  paint: Paint,
  columns: number,
): string[] {
  const named = all.filter(({ values, method }) => values > 0 || method !== undefined);
  const { oldest, newest } = totals;
  const written =
    oldest === undefined || newest === undefined ? 'nothing written' : writtenBetween(oldest, newest, now);
  const bytes = formatBytes(totals.bytes);
  const place = isInRedis
    ? `, ${bytes} of values`
    : ` in ${plural(totals.partitions, 'partition')}, ${bytes} on disk`;
  return [
    `${paint('bold', 'toolstash inspect')}  ${shorten(printable(name), columns - 19)}`,
    `${paint('bold', paint('green', plural(totals.values, 'entry', 'entries')))}  of ` +
      `${plural(named.length, 'method')}${place}`,
    ...wrap(written, columns).map((line) => paint('gray', line)),
  ];
}

function methods({ methods: all, now }: InspectData, paint: Paint, columns: number): string[] {
  const shown = all.slice(0, mostMethods);
  const rows = shown.map((method) => ({
    name: nameOf(method),
    entries: formatCount(method.values),
    size: formatBytes(method.bytes),
    expired: formatShare(method.expired, method.values),
    oldest: method.oldest === undefined ? '' : age(method.oldest, now),
    newest: method.newest === undefined ? '' : age(method.newest, now),
    picture: liveAndExpired(method),
    most: method.values,
  }));
  const hidden = all.length - shown.length;
  const header = {
    name: 'Method',
    entries: 'entries',
    size: 'size',
    expired: 'expired',
    oldest: 'oldest',
    newest: 'newest',
  };
  const widest = (field: keyof typeof header) =>
    Math.max(...[header, ...rows].map((row) => row[field].length));
  const roomBeside = ({ hasBar, right }: (typeof choices)[number]) =>
    right.reduce((rest, field) => rest - widest(field) - 2, columns - widest('entries') - (hasBar ? 4 : 2));
  const isRoomy = (choice: (typeof choices)[number]) =>
    roomBeside(choice) >= leastName + (choice.hasBar ? leastBar : 0);
  const choice = choices.find(isRoomy) ?? choices[4];
  const room = roomBeside(choice);
  const nameWidth = choice.hasBar
    ? Math.min(widest('name'), Math.floor(columns * 0.34), room - leastBar)
    : Math.max(1, Math.min(widest('name'), room));
  const barWidth = choice.hasBar ? room - nameWidth : 0;
  const row = (cells: typeof header, picture: string) =>
    [
      shorten(cells.name, nameWidth).padEnd(nameWidth),
      cells.entries.padStart(widest('entries')),
      ...(choice.hasBar ? [picture] : []),
      ...choice.right.map((field) => cells[field].padStart(widest(field))),
    ].join('  ');
  const most = Math.max(1, ...rows.map((each) => each.most));
  return [
    paint('bold', row(header, ' '.repeat(barWidth))),
    ...rows.map((each) => row(each, padded(each.picture, { most, barWidth, paint }))),
    ...(hidden > 0 ? [paint('gray', `and ${formatCount(hidden)} methods that take less`)] : []),
  ];
}

function days({ files }: InspectData, paint: Paint, columns: number): string[] {
  const byDay = new Map<string, { values: number; expired: number; bytes: number }>();
  for (const { day, values, expired, bytes } of files) {
    if (day === undefined) continue;
    const known = byDay.get(day) ?? { values: 0, expired: 0, bytes: 0 };
    byDay.set(day, {
      values: known.values + values,
      expired: known.expired + expired,
      bytes: known.bytes + bytes,
    });
  }
  if (byDay.size < 2) return [];
  const latest = [...byDay].sort(([one], [other]) => (one < other ? -1 : 1)).slice(-mostDays);
  const hidden = byDay.size - latest.length;
  const counts = latest.map(([, { values }]) => formatCount(values));
  const sizes = latest.map(([, { bytes }]) => formatBytes(bytes));
  const countWidth = Math.max(7, ...counts.map((text) => text.length));
  const sizeWidth = Math.max(4, ...sizes.map((text) => text.length));
  const barRoom = columns - 10 - countWidth - sizeWidth - 6;
  const barWidth = barRoom < leastBar ? 0 : barRoom;
  const most = Math.max(1, ...latest.map(([, { values }]) => values));
  const row = (day: string, count: string, picture: string, size: string) =>
    [
      day.padEnd(10),
      count.padStart(countWidth),
      ...(barWidth === 0 ? [] : [picture]),
      size.padStart(sizeWidth),
    ].join('  ');
  return [
    paint('bold', row('Day', 'entries', ' '.repeat(barWidth), 'size')),
    ...(hidden > 0 ? [paint('gray', `${plural(hidden, 'earlier day')}`)] : []),
    ...latest.map(([day, sums], at) =>
      row(dashed(day), counts[at]!, padded(liveAndExpired(sums), { most, barWidth, paint }), sizes[at]!),
    ),
  ];
}

function ending({ files, totals, isInRedis }: InspectData, paint: Paint, columns: number): string[] {
  if (isInRedis) return [];
  const plain = files.filter((file) => file.isPlain).length;
  const facts = [
    `█ fresh ${formatCount(totals.values - totals.expired)}`,
    `░ expired ${formatCount(totals.expired)} (${formatShare(totals.expired, totals.values)})`,
    plural(totals.members, 'member'),
    ...(totals.deletions > 0 ? [plural(totals.deletions, 'deletion')] : []),
    ...(totals.markers > 0 ? [plural(totals.markers, 'range tombstone')] : []),
    ...(plain > 0 ? [`${plural(plain, 'plain file')}`] : []),
    'overwritten entries count too',
  ];
  const damaged =
    totals.damage === 0
      ? []
      : [
          paint(
            'red',
            `✗ ${plural(totals.damage, 'file')} ${totals.damage === 1 ? 'is' : 'are'} damaged: \`toolstash verify\` says where.`,
          ),
        ];
  const unread = files.filter((file) => file.unreadable !== undefined).length;
  const unreadable =
    unread === 0
      ? []
      : [paint('red', `✗ ${plural(unread, 'file')} could not be read: \`toolstash verify\` says why.`)];
  return [...wrapFacts(facts, columns).map((line) => paint('gray', line)), ...damaged, ...unreadable];
}

function liveAndExpired({ values, expired }: { values: number; expired: number }): readonly Segment[] {
  return [
    { count: values - expired, sign: '█', style: 'green' },
    { count: expired, sign: '░', style: 'yellow' },
  ];
}

function padded(
  segments: readonly Segment[],
  { most, barWidth, paint }: { most: number; barWidth: number; paint: Paint },
): string {
  const count = segments.reduce((sum, segment) => sum + segment.count, 0);
  const length = count === 0 ? 0 : Math.min(barWidth, Math.max(1, Math.round((count / most) * barWidth)));
  return bar(segments, length, paint) + ' '.repeat(barWidth - length);
}

function nameOf({ method, methodHash }: MethodInspection): string {
  if (method === '') return '(all methods)';
  return printable(method ?? (methodHash === undefined ? '(unknown)' : `(${methodHash})`));
}

function writtenBetween(oldest: number, newest: number, now: number): string {
  const [from, to] = [moment(oldest), moment(newest)];
  if (from === to) return `written ${from}, ${age(newest, now)} ago`;
  return `written ${from} to ${to}, ${age(oldest, now)} to ${age(newest, now)} ago`;
}

function age(epochMs: number, now: number): string {
  return formatAge(now - epochMs);
}

/** `2026-11-21 09:30 UTC`; times beyond what dates can say come from damaged or hostile files. */
function moment(epochMs: number): string {
  const date = new Date(epochMs);
  if (Number.isNaN(date.getTime())) return 'no date';
  return `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

function dashed(day: string): string {
  return `${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6)}`;
}
