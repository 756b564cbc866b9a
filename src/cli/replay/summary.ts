/** What a replay came to: counts per tool and in all, as `--json` prints them. */

import type { Outcome } from './engine.js';
import type { ToolCall } from './trace.js';

/** Counts of calls by how each got its answer. `calls` = `hits` + `coalesced` + `misses` + `writes`. */
export interface CallCounts {
  calls: number;
  /** Answered from an entry. */
  hits: number;
  /** Of the hits: those that were read from disk. */
  diskHits: number;
  /** Of the hits: those that were read from Redis. */
  remoteHits: number;
  /** Answered by another call's load that was under way. */
  coalesced: number;
  /** Read-only calls not answered from the cache: the tool was called, or a failing call was shared. */
  misses: number;
  /** Calls past the cache: of tools that write. */
  writes: number;
  /** Of the misses: those that shared the failure of another call instead of failing by themselves. */
  sharedErrors: number;
  /** Of the hits and coalesced: those that had failed when recorded, with `--transient-errors`. */
  avoidedErrors: number;
  /** Calls that ended in the tool's recorded error. */
  errors: number;
  /** Answers that differ from the recorded result. */
  wrong: number;
  /** Tool time of all calls, in ms of the trace. */
  toolMs: number;
  /** Tool time of the calls rightly answered from the cache. */
  savedMs: number;
}

/** One answer that differs from the recorded result. */
export interface WrongAnswer {
  readonly line: number;
  readonly tool: string;
  readonly args: unknown;
  readonly source: Outcome['source'];
  /** Whether an error was recorded. */
  readonly failed: boolean;
  readonly recorded: unknown;
  readonly answered: unknown;
}

/** How many wrong answers are kept for showing; all are counted. */
const mostWrongAnswers = 10;

/** Counts outcomes. */
export class Tally {
  readonly total = noCounts();
  readonly byTool = new Map<string, CallCounts>();
  readonly wrongAnswers: WrongAnswer[] = [];
  readonly #latencyOf: (call: ToolCall) => number;

  constructor(latencyOf: (call: ToolCall) => number) {
    this.#latencyOf = latencyOf;
  }

  add(outcome: Outcome): void {
    const { call, source, verdict, answer } = outcome;
    const tool = this.byTool.get(call.tool) ?? noCounts();
    this.byTool.set(call.tool, tool);
    for (const counts of [this.total, tool]) count(counts, outcome, this.#latencyOf(call));
    if (verdict === 'wrong' && this.wrongAnswers.length < mostWrongAnswers) {
      const { line, args, failed, result } = call;
      this.wrongAnswers.push({
        line,
        tool: call.tool,
        args,
        source,
        failed,
        recorded: result,
        answered: answer,
      });
    }
  }
}

/** The share of read-only calls answered from the cache, 0 to 1. */
export function hitRate({ hits, coalesced, misses }: CallCounts): number {
  const reads = hits + coalesced + misses;
  return reads === 0 ? 0 : (hits + coalesced) / reads;
}

function noCounts(): CallCounts {
  return {
    calls: 0,
    hits: 0,
    diskHits: 0,
    remoteHits: 0,
    coalesced: 0,
    misses: 0,
    writes: 0,
    sharedErrors: 0,
    avoidedErrors: 0,
    errors: 0,
    wrong: 0,
    toolMs: 0,
    savedMs: 0,
  };
}

const fields = {
  hit: 'hits',
  diskHit: 'hits',
  remoteHit: 'hits',
  coalesced: 'coalesced',
  miss: 'misses',
  sharedError: 'misses',
  write: 'writes',
} as const;

function count(counts: CallCounts, { call, source, verdict }: Outcome, latencyMs: number): void {
  const isFromCache = fields[source] === 'hits' || source === 'coalesced';
  counts.calls += 1;
  counts[fields[source]] += 1;
  counts.toolMs += latencyMs;
  if (isFromCache && verdict !== 'wrong') counts.savedMs += latencyMs;
  if (source === 'diskHit') counts.diskHits += 1;
  if (source === 'remoteHit') counts.remoteHits += 1;
  if (source === 'sharedError') counts.sharedErrors += 1;
  if (verdict === 'avoidedError') counts.avoidedErrors += 1;
  if (verdict === 'wrong') counts.wrong += 1;
  else if (call.failed && verdict === 'right') counts.errors += 1;
}
