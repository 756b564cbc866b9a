/** What a cache did for a program, as `toolstash replay` tells it of a trace. */

import type { VerifiedFigures } from '../answers.js';
import type { CacheStats } from '../stats/counters.js';
import { type AnsweredCalls, answeredCalls, timeSaved, toolTable } from './answered-calls.js';
import { formatBytes, formatCount, formatShare, plural, printable } from './format.js';
import { formatBlocks, reportColumns, wrapFacts } from './layout.js';
import { type Paint, plainPaint } from './paint.js';

/** The statistics of a cache, as a report shows them. */
export interface StatsReport {
  readonly stats: CacheStats;
  readonly byTool: ReadonlyMap<string, CacheStats>;
  /** What is known of tools whose hits are verified. */
  readonly verified: readonly VerifiedFigures[];
  /** Sentences at the end. */
  readonly remarks?: readonly string[];
  /** What it is of, or the cache's bounds, `undefined` for a policy that has no name. */
  readonly cache:
    | string
    | {
        readonly eviction: string | undefined;
        readonly maxSize: number;
        readonly maxBytes: number;
      };
}

/** Where it is shown. */
export interface StatsStyle {
  /** Columns there are; used between 40 and 120. */
  readonly width: number | undefined;
  readonly paint: Paint;
}

/**
 * Statistics as lines of text: how calls were answered, the tool time that was saved, and what else was counted. See
 * `CacheManager.report` for a program's own, tool by tool.
 */
export function formatStats(stats: CacheStats): string {
  const columns = reportColumns();
  return formatBlocks([...summary(stats, plainPaint, columns), ending(stats, plainPaint, columns)], columns);
}

/** A report on a cache, with a line break at the end. */
export function formatStatsReport(
  { stats, byTool, verified, remarks = [], cache }: StatsReport,
  { width, paint }: StatsStyle,
): string {
  const columns = reportColumns(width);
  const counts = new Map([...byTool].map(([name, each]) => [name, callsOf(each)]));
  const used = [...counts].filter(([, { calls }]) => calls > 0);
  const heading = [
    paint('bold', 'toolstash report'),
    paint('gray', `${plural(callsOf(stats).calls, 'call')} of ${plural(used.length, 'tool')}`),
    paint('gray', typeof cache === 'string' ? cache : boundsOf(cache)),
  ];
  const table = used.length === 0 ? [] : toolTable(new Map(used), styleOf(paint, columns));
  return formatBlocks(
    [
      heading,
      ...summary(stats, paint, columns),
      table,
      verifiedTools(verified, paint),
      remarks,
      ending(stats, paint, columns),
    ],
    columns,
  );
}

function boundsOf({ eviction, maxSize, maxBytes }: Exclude<StatsReport['cache'], string>): string {
  const bounds = `at most ${formatCount(maxSize)} entries and ${formatBytes(maxBytes)}`;
  return eviction === undefined ? bounds : `${eviction.toUpperCase()} · ${bounds}`;
}

/** How often tools said something else than the cache, and how far that is known. */
function verifiedTools(verified: readonly VerifiedFigures[], paint: Paint): string[] {
  return verified
    .filter(({ compared }) => compared > 0)
    .map(({ method, compared, mismatches, interval: [low, high], isDemoted }) => {
      const share = `${formatShare(mismatches, compared)} of ${plural(compared, 'verified hit')} differ`;
      const interval = `95 % CI ${percent(low)}–${percent(high)} %`;
      const line = `${printable(method)}: ${share} (${interval})${isDemoted ? '; demoted' : ''}`;
      return isDemoted ? paint('red', line) : line;
    });
}

function percent(share: number): string {
  return (100 * share).toFixed(1);
}

function styleOf(paint: Paint, columns: number) {
  return { paint, columns, hasTiers: false, bypassed: ['uncached', 'uncached'] } as const;
}

function callsOf(stats: CacheStats): AnsweredCalls {
  const { misses, coalesced, uncached, savedMs } = stats;
  // A stale value in place of a load that failed or was slow: the call is a miss, or coalesced, already.
  const hits = stats.hits + stats.staleHits - stats.staleIfErrors - stats.softTimeouts;
  const calls = hits + coalesced + misses + uncached;
  return { calls, hits, diskHits: 0, remoteHits: 0, coalesced, misses, bypassed: uncached, savedMs };
}

function summary(stats: CacheStats, paint: Paint, columns: number): string[][] {
  const { savedMs, loadTime } = stats;
  const toolMs = savedMs + loadTime.mean * loadTime.count;
  return [answeredCalls(callsOf(stats), styleOf(paint, columns)), [timeSaved({ savedMs, toolMs }, paint)]];
}

function ending(stats: CacheStats, paint: Paint, columns: number): string[] {
  const facts: readonly (readonly [what: string, count: number])[] = [
    ['stale answers', stats.staleHits],
    ['expired', stats.expired],
    ['invalidated', stats.invalidated],
    ['too large or unfit to store', stats.refused],
    ['tool errors', stats.loadErrors],
    ['timeouts', stats.hardTimeouts],
    ['calls refused', stats.circuitRejections + stats.queueRejections],
  ];
  const lines = wrapFacts(
    [
      `hit rate ${formatShare(stats.hitRate, 1)} of lookups`,
      `evicted ${formatCount(stats.evicted)}`,
      ...facts.flatMap(([what, count]) => (count > 0 ? [`${what} ${formatCount(count)}`] : [])),
      `held now ${formatCount(stats.entries)} (${formatBytes(stats.bytes)})`,
    ],
    columns,
  );
  const failures =
    stats.cacheErrors === 0
      ? []
      : [
          paint(
            'red',
            `${plural(stats.cacheErrors, 'failure')} of the cache: listen to its \`error\` event.`,
          ),
        ];
  return [...lines.map((line) => paint('gray', line)), ...failures];
}
