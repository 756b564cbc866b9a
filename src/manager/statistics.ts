/** What a cache counted, of a method or of all together. */

import { wording } from '../report/format.js';
import { paintFor, plainPaint } from '../report/paint.js';
import { formatStatsReport, type StatsReport } from '../report/stats-report.js';
import type { CacheStats } from '../stats/counters.js';
import type { CacheCore } from './cache-context.js';
import { checkMethodName } from './call-checks.js';
import { statsOf } from './method-context.js';

/** @throws InvalidArgumentError for what is no method's name */
export function cacheStats(core: CacheCore, method: string | undefined): CacheStats {
  checkMethodName('stats', method);
  const states = [...core.states()];
  if (method !== undefined) return statsOf(states.filter(({ name }) => name === method));
  const sum = statsOf(states, core.unattributed.counters.cacheErrors);
  const [disk, remote] = [core.disk?.counters, core.tiers.remote?.status?.()];
  return { ...sum, ...core.tiers.sharedMemory?.counts(), disk, remote };
}

/** Prints what the cache did to the standard output, and returns it as plain text. */
export function reportOn(core: CacheCore): string {
  const { eviction, maxSize, maxBytes } = core.options;
  const { policy } = core.tiers.memory;
  const report = {
    stats: cacheStats(core, undefined),
    byTool: new Map(Array.from(core.states(), (state) => [state.name, statsOf([state])])),
    verified: core.verifications.flatMap((stats) => stats()),
    remarks: [...(policy === undefined ? [] : [`Evicts as ${policy}.`]), ...remarksOn(core)],
    cache:
      core.tiers.sharedMemory === undefined
        ? { eviction: typeof eviction === 'string' ? eviction : undefined, maxSize, maxBytes }
        : 'CLOCK · in an arena that threads share',
  };
  return printed(report);
}

/** Prints a report to the standard output, and returns it as plain text. */
export function printed(report: StatsReport): string {
  const { stdout } = process;
  console.log(formatStatsReport(report, { width: stdout.columns, paint: paintFor(stdout) }).trimEnd());
  return formatStatsReport(report, { width: stdout.columns, paint: plainPaint });
}

/** What those say who watch the cache. */
export function remarksOn(core: CacheCore): string[] {
  return Array.from(core.remarks, (remarks) => remarks(wording)).flat();
}
