/** What one process has counted, as a text that others read, and what texts of all come to together. */

import { hostname } from 'node:os';
import type { CacheStats } from '../index.js';
import type { CacheCore } from '../manager/cache-context.js';
import { gatesTogether } from '../manager/method-context.js';
import { type GuardSummary, MethodCounters } from '../stats/counters.js';
import { LoadTimeRecorder } from '../stats/load-times.js';
import { octaveBuckets } from '../stats/log-linear-histogram.js';

/** Whose figures they are. */
export interface ProcessSummary {
  /** What `shareFigures` was told it is called. */
  readonly name: string;
  /** The machine. */
  readonly host: string;
  /** The process' id there. */
  readonly pid: number;
  /** When it began to share its figures, epoch ms. */
  readonly startedAt: number;
  /** When they were left last, epoch ms. */
  readonly at: number;
  /** Whether they are still renewed: not once it has ended, or was silent for three intervals. */
  readonly isRunning: boolean;
}

/** What processes have counted together. */
export interface FigureSum {
  /** All together; entries, bytes and guards are of those that run. How Redis stands is left out. */
  readonly stats: CacheStats;
  /** By method; of very many those with most calls, and `(other)`. */
  readonly methods: ReadonlyMap<string, CacheStats>;
  /** Whose figures these are, the latest first. */
  readonly processes: readonly ProcessSummary[];
}

/** How long loads took: buckets that are not empty, each with its count. */
interface TimesAsText {
  readonly sumMs: number;
  readonly count: number;
  readonly max: number;
  readonly buckets: readonly (readonly [bucket: number, count: number])[];
}

/** Buckets that a histogram may have. */
const mostBuckets = 27 * octaveBuckets;

interface MethodFigures {
  readonly counts: Readonly<Record<string, number>>;
  readonly loadTimes: TimesAsText;
  readonly guards: GuardSummary;
}

/** What a text says. */
export interface ProcessFigures extends Omit<ProcessSummary, 'isRunning'> {
  readonly writer: string;
  readonly until: number;
  readonly intervalMs: number;
  readonly isOver: boolean;
  readonly cacheErrors: number;
  readonly methods: readonly (readonly [name: string, figures: MethodFigures])[];
}

/** What is told besides counts. */
export type ProcessFacts = Pick<
  ProcessFigures,
  'name' | 'startedAt' | 'writer' | 'until' | 'intervalMs' | 'isOver'
>;

const version = 1;
/** Methods with figures of their own: those with most calls. */
const mostMethods = 100;
const longestName = 200;
const others = '(other)';

const zeros = numbersOf(new MethodCounters());
/** What there is now, not what has happened. */
const present = ['entries', 'bytes', 'indexBytes'] as const;

/** The figures of a cache as they are now. */
export function figuresOf(core: CacheCore, facts: ProcessFacts): ProcessFigures {
  const states = [...core.states()].sort((a, b) => callsOf(b.counters) - callsOf(a.counters));
  const methods: [string, MethodFigures][] = [];
  const rest = { counters: new MethodCounters(), guards: [] as GuardSummary[] };
  for (const { name, counters, gates } of states) {
    if (methods.length < mostMethods && name.length <= longestName) {
      methods.push([name, methodFigures(counters, gates.summary())]);
    } else {
      rest.counters.add(counters);
      rest.guards.push(gates.summary());
    }
  }
  if (rest.guards.length > 0)
    methods.push([others, methodFigures(rest.counters, gatesTogether(rest.guards))]);
  return {
    ...facts,
    ...{ host: hostname(), pid: process.pid, at: Date.now() },
    ...{ cacheErrors: core.unattributed.counters.cacheErrors, methods },
  };
}

function methodFigures(counters: MethodCounters, guards: GuardSummary): MethodFigures {
  return { counts: numbersOf(counters), loadTimes: timesOf(counters.loadTimes), guards };
}

function callsOf({ hits, staleHits, misses, coalesced, uncached }: MethodCounters): number {
  return hits + staleHits + misses + coalesced + uncached;
}

function numbersOf(counters: MethodCounters): Record<string, number> {
  return Object.fromEntries(Object.entries(counters).filter(([, value]) => typeof value === 'number'));
}

function timesOf({ state: { sumMs, count, times } }: LoadTimeRecorder): TimesAsText {
  const first = (times?.firstOctave ?? 0) * octaveBuckets;
  const counts = [...(times?.counts.entries() ?? [])].filter(([, of]) => of > 0);
  return { sumMs, count, max: times?.max ?? 0, buckets: counts.map(([at, of]) => [first + at, of]) };
}

function recorderOf({ sumMs, count, max, buckets }: TimesAsText): LoadTimeRecorder {
  const octaves = buckets.map(([bucket]) => Math.floor(bucket / octaveBuckets));
  const firstOctave = Math.min(...octaves);
  if (count === 0 || octaves.length === 0) return new LoadTimeRecorder({ sumMs, count, times: undefined });
  const counts = new Uint32Array((Math.max(...octaves) - firstOctave + 1) * octaveBuckets);
  for (const [bucket, of] of buckets) counts[bucket - firstOctave * octaveBuckets] = of;
  return new LoadTimeRecorder({ sumMs, count, times: { counts, firstOctave, max } });
}

/** The text of figures. */
export function textOf(figures: ProcessFigures): string {
  return JSON.stringify({ version, ...figures });
}

/** What a text says; `undefined` for what is none of this version, whole, or not to be counted any more. */
export function readFigures(text: string, now: number): ProcessFigures | undefined {
  try {
    const found = JSON.parse(text) as ProcessFigures & { version: unknown };
    if (found.version !== version || !(found.until > now)) return undefined;
    const times = [found.startedAt, found.at, found.until, found.intervalMs, found.pid, found.cacheErrors];
    const isWhole =
      times.every(isAmount) &&
      [found.name, found.host, found.writer].every((each) => typeof each === 'string') &&
      found.methods.length <= mostMethods + 1 &&
      found.methods.every(([name, figures]) => typeof name === 'string' && isMethodFigures(figures));
    return isWhole ? found : undefined;
  } catch {
    // A machine that lost its power may leave half of one; others write what they like.
    return undefined;
  }
}

function isMethodFigures({ counts, loadTimes, guards }: MethodFigures): boolean {
  const { sumMs, count, max, buckets } = loadTimes;
  return (
    Object.keys(zeros).every((field) => isAmount(counts[field] ?? 0)) &&
    [sumMs, count, max, guards.running, guards.queued].every(isAmount) &&
    buckets.every(
      ([bucket, of]) => Number.isInteger(bucket) && bucket >= 0 && bucket < mostBuckets && isAmount(of),
    )
  );
}

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && Number.isFinite(value);
}

/** What processes have counted together, one after the other. */
export class ProcessSum {
  readonly #now: number;
  readonly #methods = new Map<string, { counters: MethodCounters; guards: GuardSummary[] }>();
  readonly #processes: ProcessSummary[] = [];
  #cacheErrors = 0;

  /** @param now epoch ms */
  constructor(now: number) {
    this.#now = now;
  }

  add(process: ProcessFigures): void {
    const isRunning = runs(process, this.#now);
    for (const [name, { counts, loadTimes, guards }] of process.methods) {
      const sum = this.#methods.get(name) ?? { counters: new MethodCounters(), guards: [] };
      this.#methods.set(name, sum);
      const own = new MethodCounters();
      for (const field of Object.keys(zeros))
        (own as unknown as Record<string, number>)[field] = counts[field] ?? 0;
      own.loadTimes.add(recorderOf(loadTimes));
      if (!isRunning) for (const field of present) own[field] = 0;
      sum.counters.add(own);
      if (isRunning) sum.guards.push(guards);
    }
    this.#cacheErrors += process.cacheErrors;
    const { name, host, pid, startedAt, at } = process;
    this.#processes.push({ name, host, pid, startedAt, at, isRunning });
  }

  summary(): FigureSum {
    const together = new MethodCounters();
    for (const { counters } of this.#methods.values()) together.add(counters);
    together.cacheErrors += this.#cacheErrors;
    const sums = [...this.#methods].sort(([, a], [, b]) => callsOf(b.counters) - callsOf(a.counters));
    return {
      stats: together.summary(gatesTogether(sums.flatMap(([, { guards }]) => guards))),
      methods: new Map(
        sums.map(([name, { counters, guards }]) => [name, counters.summary(gatesTogether(guards))]),
      ),
      processes: [...this.#processes].sort((a, b) => b.at - a.at),
    };
  }
}

/** After three intervals, half a minute at least, nobody is expected to say anything more. */
function runs({ at, intervalMs, isOver }: ProcessFigures, now: number): boolean {
  return !isOver && now - at < Math.max(3 * intervalMs, 30_000);
}
