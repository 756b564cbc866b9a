/** `toolstash simulate`: a trace under every policy at several sizes, and which to take. */

import { statSync } from 'node:fs';
import { formatBytes, formatCount, plural } from '../../report/format.js';
import { paintFor } from '../../report/paint.js';
import type { CommandIo } from '../command-io.js';
import { watchInterruption } from '../interrupt.js';
import { startProgress } from '../progress.js';
import { effectByName } from '../replay/effects.js';
import { footprintOf } from './access-trace.js';
import type { Columns } from './csv-columns.js';
import type { Job, Outcome } from './job.js';
import type { Optimum } from './optimum.js';
import { recommend, type SizeFigures } from './recommendation.js';
import { formatSimulation, type SimulationData, simulationJson } from './report.js';
import type { SimulationFigures } from './simulation.js';
import { type AskedSize, resolveSizes } from './sizes.js';
import { runJobs } from './threads.js';
import { type ReadTrace, readAccessTrace, type TraceFormat } from './trace-format.js';

/** What the flags of `simulate` come to. */
export interface SimulateFlags {
  readonly sizes: readonly AskedSize[];
  readonly policies: readonly string[];
  readonly format?: TraceFormat;
  readonly columns?: Columns;
  readonly writes: readonly string[];
  readonly threads: number;
  readonly json: boolean;
}

/** Runs the command. The result is the exit code. */
export async function simulate(path: string, flags: SimulateFlags, io: CommandIo): Promise<number> {
  const read = await readWithProgress(path, flags, io);
  const { trace } = read;
  const footprint = footprintOf(trace);
  const sizes = resolveSizes(flags.sizes, footprint);
  // What takes longest goes first, so that no thread is left with it in the end.
  const jobs: Job[] = [...flags.policies.toReversed(), undefined].flatMap((policy) =>
    sizes.map((maxBytes) => ({ policy, maxBytes })),
  );
  const outcomes: Outcome[] = [];
  const progress = startProgress({ stream: io.stderr, label: 'Simulating', total: jobs.length });
  const interruption = watchInterruption();
  try {
    await runJobs({
      ...{ trace, jobs, threads: flags.threads, signal: interruption.signal },
      onOutcome(outcome) {
        outcomes.push(outcome);
        progress.update(
          outcomes.length,
          `${formatCount(outcomes.length)} of ${plural(jobs.length, 'simulation')}`,
        );
      },
    });
  } finally {
    progress.stop();
    interruption.stop();
  }
  // In part they compare nothing.
  if (interruption.exitCode !== undefined) return interruption.exitCode;
  const figures = sizes.map((maxBytes) => figuresOf(maxBytes, flags.policies, outcomes));
  const data: SimulationData = {
    trace: { ...summaryOf(read), footprint },
    sizes: figures,
    recommendation: recommend(figures, trace.hasCosts),
    notes: notesOn(read, figures),
  };
  io.stdout.write(
    flags.json
      ? `${JSON.stringify(simulationJson(data), undefined, 2)}\n`
      : formatSimulation(data, { width: io.stdout.columns, paint: paintFor(io.stdout) }),
  );
  return 0;
}

async function readWithProgress(path: string, flags: SimulateFlags, io: CommandIo): Promise<ReadTrace> {
  const total = path === '-' ? 0 : (statSync(path, { throwIfNoEntry: false })?.size ?? 0);
  const progress = startProgress({ stream: io.stderr, label: 'Reading', total });
  const effectOf = effectByName({ writes: flags.writes, readOnly: [] });
  try {
    return await readAccessTrace(path, {
      format: flags.format,
      columns: flags.columns,
      isWrite: (tool) => effectOf(tool) === 'write',
      onProgress: (bytes) => progress.update(bytes, formatBytes(bytes)),
    });
  } finally {
    progress.stop();
  }
}

function figuresOf(
  maxBytes: number,
  policies: readonly string[],
  outcomes: readonly Outcome[],
): SizeFigures<Optimum> {
  const here = outcomes.filter(({ job }) => job.maxBytes === maxBytes);
  const ofPolicy = (name: string) =>
    here.find(({ job }) => job.policy === name)?.figures as SimulationFigures;
  return {
    maxBytes,
    optimum: here.find(({ optimum }) => optimum !== undefined)?.optimum as Optimum,
    policies: new Map(policies.map((name) => [name, ofPolicy(name)])),
  };
}

function summaryOf({ trace }: ReadTrace) {
  let lookedUpBytes = 0;
  let costMs = 0;
  for (const key of trace.keys) lookedUpBytes += trace.bytes[key] as number;
  for (const cost of trace.costs) costMs += cost;
  const { name, hasSizes, hasCosts } = trace;
  return {
    name,
    hasSizes,
    hasCosts,
    lookups: trace.keys.length,
    keys: trace.bytes.length,
    lookedUpBytes,
    costMs,
  };
}

function notesOn({ format, writes, failed }: ReadTrace, sizes: readonly SizeFigures<Optimum>[]): string[] {
  return [
    ...(sizes.every(({ optimum }) => optimum.isExact)
      ? []
      : [
          '`at most` is a bound that no policy exceeds: with values of several sizes, the optimum itself is out of reach.',
        ]),
    ...(writes > 0 ? [`${plural(writes, 'call')} of --writes left out.`] : []),
    ...(failed > 0 ? [`${plural(failed, 'failed call')} left out: errors are not stored.`] : []),
    ...(format === 'calls'
      ? []
      : ['Sizes are as recorded: Toolstash itself takes some 400 bytes more for each entry.']),
    'Lookups come one after the other, and nothing expires: `toolstash replay` has ttls and calls at once.',
  ];
}
