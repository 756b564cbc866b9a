/** `toolstash replay`: a trace through a cache, with a report of what the cache would have done for it. */

import { stat } from 'node:fs/promises';
import { CacheManager, type CacheOptions, type CacheStats, type Duration, hashKey } from '../../index.js';
import { redis } from '../../redis/index.js';
import { formatCount, printable } from '../../report/format.js';
import { paintFor } from '../../report/paint.js';
import { ToolEffects } from '../../rollout/index.js';
import type { BuiltInStoreName } from '../../store/store-names.js';
import type { CommandIo } from '../command-io.js';
import { watchInterruption } from '../interrupt.js';
import { formatJson } from '../lossless-json.js';
import { startProgress } from '../progress.js';
import { type RedisFlags, redisOptionsOf } from '../redis-place.js';
import { type ComparisonData, comparisonJson, formatComparison, type PolicyFigures } from './comparison.js';
import { diskOf, TierWatch } from './disk.js';
import { effectByName, unmatchedGlobs } from './effects.js';
import { replayEffects } from './effects-replay.js';
import { fittingTimeScale, type Outcome, type ReplayOptions, replayTasks } from './engine.js';
import type { LatencyModel } from './latency.js';
import { latenciesOf } from './latency.js';
import { formatReport, type ReportData } from './report.js';
import { scaledClock } from './scaled-clock.js';
import { hitRate, Tally } from './summary.js';
import type { Task, ToolCall, Trace } from './trace.js';
import { groupByTask } from './trace.js';
import { readTrace } from './trace-reader.js';
import { VirtualTime } from './virtual-time.js';
import { generateWorkload, workloadWrites } from './workload.js';

/** What the flags of `replay` come to. */
export interface ReplayFlags extends RedisFlags {
  readonly eviction: BuiltInStoreName;
  /** Instead of one eviction: several, one after the other. */
  readonly compare?: readonly BuiltInStoreName[];
  readonly maxSize: number;
  readonly maxBytes: number;
  readonly ttl?: string;
  readonly persist: boolean;
  readonly persistDir?: string;
  readonly cache: 'single' | 'multi';
  readonly loadCache: readonly string[];
  readonly writes: readonly string[];
  readonly readOnly: readonly string[];
  readonly transientErrors: boolean;
  readonly latency: LatencyModel;
  /** Real ms per ms of the trace; without it, what makes the replay last a few seconds. */
  readonly timeScale?: number;
  readonly concurrency: number;
  readonly seed: number;
  /** Prompts of the generated workload. */
  readonly tasks: number;
  readonly json: boolean;
  /** A file of declared effects: rollouts instead of one cache for all. */
  readonly effects?: string;
  readonly scope: 'task' | 'global';
}

/** What is replayed, whatever it goes through. */
type Course = Omit<ReplayOptions, 'cache' | 'timeScale' | 'sleep' | 'diskReadsOf' | 'onOutcome'>;

/** How long a replay is made to take when no time scale is given, if nothing were cached. */
const fittingMs = 5000;

/** Runs the command. The result is the exit code: 1 when an answer was wrong, or could not be persisted. */
export async function replay(path: string | undefined, flags: ReplayFlags, io: CommandIo): Promise<number> {
  const trace = path === undefined ? generateWorkload(flags) : await readWithProgress(path, io);
  if (flags.effects !== undefined) {
    const { scope, json } = flags;
    return replayEffects(trace, { effects: ToolEffects.fromFile(flags.effects), scope, json }, io);
  }
  const globs = effectGlobs(path, flags);
  const tools = new Set(trace.calls.map((call) => call.tool));
  const tasks = groupByTask(trace.calls);
  const latencies = latenciesOf(trace.calls, flags.latency, flags.seed);
  const latencyOf = (call: ToolCall) => latencies.ms.get(call) ?? 0;
  const keys = new Map(trace.calls.map((call) => [call, hashKey(call.tool, call.args)]));
  const { concurrency } = flags;
  const course = {
    tasks,
    keyOf: (call: ToolCall) => keys.get(call) ?? '',
    effectOf: effectByName(globs),
    latencyOf,
    concurrency,
    transientErrors: flags.transientErrors,
  };
  const notes = notesOn(path, globs, tools);
  if (flags.compare !== undefined) return compare({ trace, course, notes }, flags.compare, flags, io);
  const timeScale =
    flags.timeScale ?? fittingTimeScale({ tasks, latencyOf, concurrency, targetMs: fittingMs });
  const disk = await diskOf(flags);
  const remote = flags.redis === undefined ? undefined : redis(redisOptionsOf(flags));
  const cache = new CacheManager({
    recording: false,
    eviction: flags.eviction,
    ...boundsOf(flags),
    // What is on disk outlives the replay, so its times must be the real ones.
    ...(disk === null && remote === undefined && { clock: scaledClock(timeScale) }),
    ...disk?.options,
    ...(remote !== undefined && { remote }),
  });
  const watch = new TierWatch(cache);
  const tally = new Tally(latencyOf);
  const progress = startProgress({ stream: io.stderr, label: 'Replaying', total: trace.calls.length });
  const startedAt = performance.now();
  const interruption = watchInterruption();
  let stats: CacheStats;
  try {
    await cache.open();
    await replayTasks({
      ...course,
      cache,
      timeScale,
      signal: interruption.signal,
      readsOf: (key, tier) => watch.readsOf(key, tier),
      onOutcome(outcome) {
        tally.add(outcome);
        const { calls, hits, coalesced } = tally.total;
        progress.update(
          calls,
          `${formatCount(calls)} calls, ${formatCount(hits + coalesced)} from the cache`,
        );
      },
    });
  } finally {
    progress.stop();
    stats = cache.stats();
    await watch.close();
    interruption.stop();
  }
  const wallMs = performance.now() - startedAt;
  const data: ReportData = {
    trace: { name: trace.name, tasks: tasks.length, rollouts: rolloutsOf(tasks) },
    disk: disk === null ? null : { persistDir: disk.persistDir, loadCache: disk.loadCache },
    hasRedis: remote !== undefined,
    cache: {
      eviction: flags.eviction,
      maxSize: flags.maxSize,
      maxBytes: flags.maxBytes,
      ttl: flags.ttl ?? null,
      evicted: stats.evicted,
      expired: stats.expired,
      refused: stats.refused,
      entries: stats.entries,
      bytes: stats.bytes,
    },
    replay: {
      concurrency,
      timeScale,
      wallMs,
      recordedLatencies: latencies.recorded,
      drawnFrom: latencies.drawnFrom,
    },
    total: tally.total,
    byTool: tally.byTool,
    wrongAnswers: tally.wrongAnswers,
    notes: [
      ...(interruption.exitCode === undefined
        ? []
        : [
            `Interrupted after ${formatCount(tally.total.calls)} of ${formatCount(trace.calls.length)} calls.`,
          ]),
      ...notes,
      ...((disk !== null || remote !== undefined) && flags.ttl !== undefined && timeScale !== 1
        ? [realTtl]
        : []),
      ...watch.notes(),
    ],
  };
  io.stdout.write(
    flags.json
      ? `${formatJson(summaryOf(data, flags), 2)}\n`
      : formatReport(data, { width: io.stdout.columns, paint: paintFor(io.stdout) }),
  );
  return interruption.exitCode ?? (tally.total.wrong === 0 && !watch.hasLost ? 0 : 1);
}

/** Replays in virtual time under one policy after the other, and tells what each came to. */
async function compare(
  { trace, course, notes }: { trace: Trace; course: Course; notes: readonly string[] },
  evictions: readonly BuiltInStoreName[],
  flags: ReplayFlags,
  { stdout, stderr }: CommandIo,
): Promise<number> {
  const total = trace.calls.length * evictions.length;
  const progress = startProgress({ stream: stderr, label: 'Replaying', total });
  const policies: PolicyFigures[] = [];
  let done = 0;
  try {
    for (const eviction of evictions) {
      const time = new VirtualTime();
      const cache = new CacheManager({ eviction, clock: time, recording: false, ...boundsOf(flags) });
      const tally = new Tally(course.latencyOf);
      const onOutcome = (outcome: Outcome) => {
        tally.add(outcome);
        done += 1;
        progress.update(done, `${formatCount(done)} calls, ${eviction}`);
      };
      const sleep = (ms: number) => time.sleep(ms);
      await time.run(replayTasks({ ...course, cache, timeScale: 1, sleep, onOutcome }));
      const { evicted, refused, entries, bytes } = cache.stats();
      await cache.close();
      const { total: counts, wrongAnswers } = tally;
      policies.push({ eviction, total: counts, evicted, refused, entries, bytes, wrongAnswers });
    }
  } finally {
    progress.stop();
  }
  const data: ComparisonData = {
    trace: { name: trace.name, tasks: course.tasks.length, rollouts: rolloutsOf(course.tasks) },
    cache: { maxSize: flags.maxSize, maxBytes: flags.maxBytes, ttl: flags.ttl ?? null },
    concurrency: course.concurrency,
    policies,
    notes,
  };
  const style = { width: stdout.columns, paint: paintFor(stdout) };
  stdout.write(flags.json ? `${formatJson(comparisonJson(data), 2)}\n` : formatComparison(data, style));
  return policies.every(({ total: { wrong } }) => wrong === 0) ? 0 : 1;
}

/** Said where a person may expect the trace's time. */
const realTtl =
  "The ttl ran in real time, not in the trace's: entries on disk and in Redis outlive the replay.";

type EffectGlobs = Parameters<typeof effectByName>[0];

function effectGlobs(path: string | undefined, { writes, readOnly }: ReplayFlags): EffectGlobs {
  const isUnsaid = writes.length === 0 && readOnly.length === 0;
  return isUnsaid && path === undefined ? { writes: workloadWrites, readOnly } : { writes, readOnly };
}

function notesOn(path: string | undefined, globs: EffectGlobs, tools: ReadonlySet<string>): string[] {
  const notes: string[] = [];
  if (path !== undefined && globs.writes.length === 0 && globs.readOnly.length === 0) {
    notes.push('All tools were taken for read-only: name those that change something with --writes.');
  }
  for (const glob of unmatchedGlobs(globs, tools)) {
    notes.push(`No tool of the trace matches \`${printable(glob)}\`.`);
  }
  return notes;
}

async function readWithProgress(path: string, { stderr }: CommandIo): Promise<Trace> {
  const bytes =
    path === '-'
      ? 0
      : await stat(path).then(
          (found) => found.size,
          () => 0,
        );
  const progress = startProgress({ stream: stderr, label: 'Reading  ', total: bytes });
  try {
    return await readTrace(path, (done) => progress.update(done));
  } finally {
    progress.stop();
  }
}

function boundsOf({ maxSize, maxBytes, ttl }: ReplayFlags): CacheOptions {
  return { maxSize, maxBytes, ...(ttl !== undefined && { ttl: ttlOf(ttl) }) };
}

function ttlOf(text: string): Duration {
  // Any text may come in here: the manager checks it and names the fix.
  return /^\d+$/.test(text) ? Number(text) : (text as Duration);
}

function rolloutsOf(tasks: readonly Task[]): number {
  return tasks.reduce((sum, task) => sum + task.rollouts.length, 0);
}

/** What `--json` prints. */
function summaryOf(
  { trace, cache, disk, replay: run, total, byTool, wrongAnswers, notes }: ReportData,
  flags: ReplayFlags,
) {
  return {
    trace: trace.name,
    tasks: trace.tasks,
    rollouts: trace.rollouts,
    ...total,
    hitRate: hitRate(total),
    byTool: Object.fromEntries(byTool),
    cache,
    disk,
    replay: { ...run, latency: flags.latency.text, seed: flags.seed },
    wrongAnswers,
    notes,
  };
}
