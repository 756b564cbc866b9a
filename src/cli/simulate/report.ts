/** A simulation as text for people: a table for each figure, a plot, and what to take. */

import {
  formatBytes,
  formatCount,
  formatDuration,
  formatShare,
  plural,
  printable,
  shorten,
} from '../../report/format.js';
import { bar, formatBlocks, reportColumns, wrap } from '../../report/layout.js';
import type { Paint } from '../../report/paint.js';
import type { Optimum } from './optimum.js';
import type { Recommendation, SizeFigures } from './recommendation.js';
import type { Answered } from './simulation.js';

/** All that a simulation tells. */
export interface SimulationData {
  readonly trace: {
    readonly name: string;
    readonly lookups: number;
    readonly keys: number;
    /** Bytes of all keys together, or their number where the trace knows no sizes. */
    readonly footprint: number;
    /** Bytes of the values of all lookups together. */
    readonly lookedUpBytes: number;
    /** What all lookups cost without a cache, in ms. */
    readonly costMs: number;
    readonly hasSizes: boolean;
    readonly hasCosts: boolean;
  };
  readonly sizes: readonly SizeFigures<Optimum>[];
  readonly recommendation: Recommendation | undefined;
  /** Further sentences, such as what was left out. */
  readonly notes: readonly string[];
}

/** Where it is shown. */
export interface SimulationStyle {
  readonly width: number | undefined;
  readonly paint: Paint;
}

interface Measure {
  readonly title: string;
  readonly of: (answered: Answered) => number;
  readonly whole: number;
}

/** The report as lines of text, with a line break at the end. */
export function formatSimulation(data: SimulationData, { width, paint }: SimulationStyle): string {
  const columns = reportColumns(width);
  return formatBlocks(
    [
      heading(data, paint, columns),
      ...measuresOf(data).map((measure) => table(data, measure, paint, columns)),
      plot(data, paint, columns),
      ...reasons(data, paint, columns),
      ending(data, paint, columns),
    ],
    columns,
  );
}

/** What `--json` prints. Shares are from 0 to 1. */
export function simulationJson({ trace, sizes, recommendation, notes }: SimulationData): object {
  const shares = (answered: Answered) => ({
    hitRate: answered.hits / trace.lookups,
    byteHitRate: answered.hitBytes / trace.lookedUpBytes,
    ...(trace.hasCosts && { savedMs: answered.savedMs, savedShare: answered.savedMs / trace.costMs }),
  });
  return {
    trace,
    sizes: sizes.map(({ maxBytes, optimum, policies }) => ({
      [trace.hasSizes ? 'maxBytes' : 'maxSize']: maxBytes,
      optimum: { ...shares(optimum), isExact: optimum.isExact },
      policies: Array.from(policies, ([eviction, figures]) => ({
        eviction,
        hits: figures.hits,
        ...shares(figures),
        evicted: figures.evicted,
        mostEntries: figures.mostEntries,
        ...(figures.policy !== undefined && { policy: figures.policy }),
      })),
    })),
    recommendation: recommendation === undefined ? null : options(recommendation, trace.hasSizes),
    notes,
  };
}

function options({ eviction, maxBytes, maxSize }: Recommendation, hasSizes: boolean) {
  return hasSizes ? { eviction, maxSize, maxBytes } : { eviction, maxSize: maxBytes };
}

function measuresOf({ trace }: SimulationData): Measure[] {
  return [
    { title: 'Hit rate', of: ({ hits }) => hits, whole: trace.lookups },
    ...(trace.hasSizes
      ? [{ title: 'Byte hit rate', of: ({ hitBytes }: Answered) => hitBytes, whole: trace.lookedUpBytes }]
      : []),
    ...(trace.hasCosts
      ? [{ title: 'Time saved', of: ({ savedMs }: Answered) => savedMs, whole: trace.costMs }]
      : []),
  ];
}

function sizeName({ trace }: SimulationData, amount: number): string {
  return trace.hasSizes ? formatBytes(amount) : formatCount(amount);
}

function heading(data: SimulationData, paint: Paint, columns: number): string[] {
  const { name, lookups, keys, footprint, costMs, hasSizes, hasCosts } = data.trace;
  const facts = [
    `${plural(lookups, 'lookup')} of ${plural(keys, 'key')}`,
    ...(hasSizes ? [`${formatBytes(footprint)} in all`] : ['sizes not known: each counts as 1']),
    ...(hasCosts ? [`${formatDuration(costMs)} without a cache`] : []),
  ];
  return [
    `${paint('bold', 'toolstash simulate')}  ${shorten(printable(name), columns - 20)}`,
    paint('gray', facts.join(' · ')),
  ];
}

/** A row for each policy and one for the optimum, a column for each size. */
function table(data: SimulationData, { title, of, whole }: Measure, paint: Paint, columns: number): string[] {
  const names = [...(data.sizes[0]?.policies.keys() ?? [])];
  const optimum =
    data.sizes.every((size) => size.optimum.isExact) && title !== 'Time saved' ? 'optimum' : 'at most';
  const cells = (figure: (size: SizeFigures<Optimum>) => Answered | undefined) =>
    data.sizes.map((size) => {
      const answered = figure(size);
      return answered === undefined ? '' : formatShare(Math.min(whole, of(answered)), whole);
    });
  const rows = [
    ...names.map((name) => [name, ...cells(({ policies }) => policies.get(name))]),
    [optimum, ...cells((size) => size.optimum)],
  ];
  const head = [title, ...data.sizes.map(({ maxBytes }) => sizeName(data, maxBytes))];
  const widths = head.map((_, at) => Math.max(...[head, ...rows].map((row) => (row[at] as string).length)));
  // Where not all fit, the largest sizes are shown: the last is what all could do.
  let first = 1;
  const taken = () => widths.reduce((sum, width, at) => sum + (at === 0 || at >= first ? width + 2 : 0), -2);
  while (taken() > columns && first < head.length - 1) first += 1;
  const line = (row: readonly string[]) =>
    row
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[0] as number) : cell.padStart(widths[at] as number)))
      .filter((_, at) => at === 0 || at >= first)
      .join('  ');
  return [
    paint('bold', line(head)),
    ...rows.map((row) => (row[0] === optimum ? paint('gray', line(row)) : line(row))),
  ];
}

/** For each size a bar: what the best policy does, and what is left up to the optimum. */
function plot(data: SimulationData, paint: Paint, columns: number): string[] {
  const { title, of, whole } = measuresOf(data).at(data.trace.hasCosts ? -1 : 0) as Measure;
  const rows = data.sizes.map(({ maxBytes, optimum, policies }) => {
    const [name, best] = [...policies].reduce((a, b) => (of(b[1]) > of(a[1]) ? b : a));
    return { size: sizeName(data, maxBytes), name, best: of(best), optimum: Math.max(of(optimum), of(best)) };
  });
  const [sizeWidth, nameWidth] = [
    Math.max(...rows.map(({ size }) => size.length)),
    Math.max(...rows.map(({ name }) => name.length)),
  ];
  const room = Math.max(10, columns - sizeWidth - nameWidth - 12);
  const lines = rows.map(({ size, name, best, optimum }) => {
    const filled = bar(
      [
        { count: best, sign: '█', style: 'green' },
        { count: optimum - best, sign: '▒', style: 'yellow' },
        { count: whole - optimum, sign: '░', style: 'gray' },
      ],
      room,
      paint,
    );
    return `${size.padStart(sizeWidth)}  ${filled}  ${name.padEnd(nameWidth)}  ${formatShare(best, whole)}`;
  });
  const legend = `${paint('green', '█')} the best policy   ${paint('yellow', '▒')} up to the optimum`;
  return [`${paint('bold', title)}  ${legend}`, ...lines];
}

/** For each store that adapts and each size, as what it evicted in the end and why. */
function reasons(data: SimulationData, paint: Paint, columns: number): string[][] {
  const names = [...(data.sizes[0]?.policies.keys() ?? [])];
  return names.flatMap((name) => {
    const lines = data.sizes.flatMap((size) => {
      const policy = size.policies.get(name)?.policy;
      return policy === undefined ? [] : wrap(`${sizeName(data, size.maxBytes)}  ${policy}`, columns);
    });
    return lines.length === 0 ? [] : [[paint('bold', `${name} was in the end`), ...lines]];
  });
}

function ending(data: SimulationData, paint: Paint, columns: number): string[] {
  const { recommendation, notes, trace } = data;
  const what = trace.hasCosts ? 'time' : 'lookups';
  const advice =
    recommendation === undefined
      ? ['No lookup repeats an earlier one that any of these caches held: a larger size, or no cache.']
      : [
          `Take { ${Object.entries(options(recommendation, trace.hasSizes))
            .map(([name, value]) => `${name}: ${typeof value === 'string' ? `'${value}'` : value}`)
            .join(', ')} }.`,
          `Larger sizes save little more ${what}; policies within 1 % of each other count as equal, the simpler one first.`,
        ];
  return [
    ...advice.flatMap((text, at) => (at === 0 ? [paint('bold', text)] : wrap(text, columns))),
    ...notes.flatMap((note) => wrap(note, columns)).map((text) => paint('gray', text)),
  ];
}
