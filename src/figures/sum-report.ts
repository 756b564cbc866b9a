/** The sum of what processes have counted, as `cache.report()` shows what one has. */

import { eachInSlices } from '../next-turn.js';
import { formatAge, plural, printable } from '../report/format.js';
import { formatStatsReport, type StatsReport, type StatsStyle } from '../report/stats-report.js';
import type { ProcessNotes } from '../tier.js';
import { type FigureSum, type ProcessFigures, ProcessSum, readFigures } from './process-figures.js';

/** What is left by all processes, with this one's own as they are now. Summed up in slices: they may be a thousand. */
export async function readSum(notes: ProcessNotes, own?: ProcessFigures): Promise<FigureSum> {
  const now = Date.now();
  const sum = new ProcessSum(now);
  await eachInSlices(await notes.read(), (text) => {
    const found = readFigures(text, now);
    if (found !== undefined && found.writer !== own?.writer) sum.add(found);
  });
  if (own !== undefined) sum.add(own);
  return sum.summary();
}

/** The report on a sum, with a line break at the end. */
export function formatSum(sum: FigureSum, style: StatsStyle): string {
  return formatStatsReport(reportOf(sum), style);
}

/** The same, to be formatted. */
export function reportOf({ stats, methods, processes }: FigureSum): StatsReport {
  const now = Date.now();
  const running = processes.filter(({ isRunning }) => isRunning).length;
  const isSeveral = new Set(processes.map(({ host }) => host)).size > 1;
  const latest = processes.slice(0, mostListed).map(({ name, host, pid, startedAt, at, isRunning }) => {
    const place = isSeveral ? `${printable(host)} ${pid}` : String(pid);
    const since = `${formatAge((isRunning ? now : at) - startedAt)}${isRunning ? '' : `, ended ${formatAge(now - at)} ago`}`;
    return `${printable(name)} (${place}): ${since}`;
  });
  const more = processes.length - latest.length;
  return {
    ...{ stats, byTool: methods, verified: [] },
    remarks: [...latest, ...(more > 0 ? [`and ${plural(more, 'process', 'processes')} before these`] : [])],
    cache: `${plural(processes.length, 'process', 'processes')}, ${running} running`,
  };
}

const mostListed = 10;
