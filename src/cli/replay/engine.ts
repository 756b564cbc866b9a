/** Sends a trace through a cache as training would, and checks every answer against the recorded one. */

import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { SlowTierName } from './disk.js';
import type { Effect } from './effects.js';
import { ToolError } from './tool-error.js';
import type { Task, ToolCall } from './trace.js';
import { stepsOf } from './trace.js';

/** What a replay needs of a cache. */
export interface ReplayCache {
  getOrSet(method: string, params: unknown, loader: () => Promise<unknown>): Promise<unknown>;
}

/**
 * How a call got its answer.
 *
 * - `hit`: from an entry in memory
 * - `diskHit`: from an entry that was read from disk meanwhile
 * - `remoteHit`: from an entry that was read from Redis meanwhile
 * - `coalesced`: from another call's load that was under way
 * - `miss`: by calling the tool
 * - `sharedError`: another call's load that was under way failed with the very error recorded for this call
 * - `write`: by calling the tool, past the cache
 */
export type AnswerSource = 'hit' | 'diskHit' | 'remoteHit' | 'coalesced' | 'miss' | 'sharedError' | 'write';

/** What became of one call. */
export interface Outcome {
  readonly call: ToolCall;
  readonly source: AnswerSource;
  /**
   * - `right`: the answer equals the recorded result
   * - `avoidedError`: the tool had failed, the cache had an answer, and such errors are known to be transient
   * - `wrong`: anything else
   */
  readonly verdict: 'right' | 'avoidedError' | 'wrong';
  /** What was answered; for a failed call, its recorded error. */
  readonly answer: unknown;
}

/** What is replayed, and how. */
export interface ReplayOptions {
  readonly cache: ReplayCache;
  readonly tasks: readonly Task[];
  /** The key of a call: equal for equal calls. */
  readonly keyOf: (call: ToolCall) => string;
  readonly effectOf: (tool: string) => Effect;
  /** What the tool takes for a call, in ms of the trace. */
  readonly latencyOf: (call: ToolCall) => number;
  /** Real ms per ms of the trace; 0 doesn't wait at all. */
  readonly timeScale: number;
  /** How time passes while a tool works, in ms of the trace; really and by `timeScale` unless given. */
  readonly sleep?: (ms: number) => Promise<void>;
  /** How many tasks run at once. */
  readonly concurrency: number;
  /** Whether errors of read-only tools are passing ones, which a cached answer avoids rightly. */
  readonly transientErrors: boolean;
  /** How many answers for a key have been read from a tier behind memory so far. */
  readonly readsOf?: (key: string, tier: SlowTierName) => number;
  readonly onOutcome: (outcome: Outcome) => void;
  /** Ends the replay: no further step begins, and calls of tools that are under way are given up. */
  readonly signal?: AbortSignal;
}

/**
 * A call whose shared load failed makes the call itself, so each such round ends with one more tool call made.
 * A cache that pins failures would keep a replay going round for ever.
 */
const mostRounds = 10_000;

/** The longest delay a Node timer takes; longer ones fire at once. */
const longestDelay = 2 ** 31 - 1;

/** Replays tasks, `concurrency` at once, each with its rollouts in step. */
export async function replayTasks(options: ReplayOptions): Promise<void> {
  const replay = new Replay(options);
  const waiting = options.tasks.values();
  const work = async (): Promise<void> => {
    for (const task of waiting) await replay.run(task);
  };
  await Promise.all(Array.from({ length: options.concurrency }, work));
}

/**
 * The time scale at which a replay takes about `targetMs`: with the tools' latencies alone, were nothing cached. At
 * most 1.
 */
export function fittingTimeScale(options: {
  readonly tasks: readonly Task[];
  readonly latencyOf: (call: ToolCall) => number;
  readonly concurrency: number;
  readonly targetMs: number;
}): number {
  const taskMs = options.tasks.map((task) =>
    stepsOf(task).reduce((sum, step) => sum + longestOf(step, options.latencyOf), 0),
  );
  const inParallel = taskMs.reduce((sum, ms) => sum + ms, 0) / options.concurrency;
  const longest = taskMs.reduce((most, ms) => Math.max(most, ms), 0);
  return Math.min(1, options.targetMs / Math.max(inParallel, longest, 1));
}

/** A step may hold more calls than a function takes arguments. */
function longestOf(step: readonly ToolCall[], latencyOf: (call: ToolCall) => number): number {
  return step.reduce((most, call) => Math.max(most, latencyOf(call)), 0);
}

class Replay {
  readonly #options: ReplayOptions;
  /** How many loads of a key have ended: a call during which one did was answered by it, and not by an entry. */
  readonly #ended = new Map<string, number>();

  constructor(options: ReplayOptions) {
    this.#options = options;
  }

  async run(task: Task): Promise<void> {
    for (const step of stepsOf(task)) {
      if (this.#isStopped) return;
      await Promise.all(
        step.map(async (call) => {
          const isRead = this.#options.effectOf(call.tool) === 'read';
          const outcome = (isRead ? this.#read(call) : this.#write(call)).catch((error: unknown) => {
            if (this.#isStopped && !(error instanceof ToolError)) return undefined;
            throw error;
          });
          const known = await outcome;
          if (known !== undefined) this.#options.onOutcome(known);
        }),
      );
    }
  }

  async #write(call: ToolCall): Promise<Outcome> {
    await this.#wait(call);
    return { call, source: 'write', verdict: 'right', answer: call.result };
  }

  async #read(call: ToolCall): Promise<Outcome> {
    const key = this.#options.keyOf(call);
    for (let round = 1; ; round += 1) {
      const endedBefore = this.#endedLoads(key);
      const before = { disk: this.#reads(key, 'disk'), remote: this.#reads(key, 'remote') };
      let hasLoaded = false;
      try {
        const answer = await this.#options.cache.getOrSet(call.tool, call.args, () => {
          hasLoaded = true;
          return this.#load(call, key);
        });
        const remote = this.#reads(key, 'remote') > before.remote ? 'remoteHit' : 'hit';
        const hit = this.#reads(key, 'disk') > before.disk ? 'diskHit' : remote;
        const source = hasLoaded ? 'miss' : this.#endedLoads(key) > endedBefore ? 'coalesced' : hit;
        return { call, source, verdict: this.#judge(call, answer), answer };
      } catch (error) {
        if (!(error instanceof ToolError)) throw error;
        const answer = error.call.result;
        if (error.call === call) return { call, source: 'miss', verdict: 'right', answer };
        if (call.failed && isDeepStrictEqual(answer, call.result)) {
          return { call, source: 'sharedError', verdict: 'right', answer };
        }
        // Its own record says otherwise, so this call would not have failed that way by itself: it asks again.
        if (round === mostRounds) return { call, source: 'hit', verdict: 'wrong', answer };
      }
    }
  }

  async #load(call: ToolCall, key: string): Promise<unknown> {
    try {
      await this.#wait(call);
      if (call.failed) throw new ToolError(call);
      return call.result;
    } finally {
      this.#ended.set(key, this.#endedLoads(key) + 1);
    }
  }

  get #isStopped(): boolean {
    return this.#options.signal?.aborted === true;
  }

  #endedLoads(key: string): number {
    return this.#ended.get(key) ?? 0;
  }

  #reads(key: string, tier: SlowTierName): number {
    return this.#options.readsOf?.(key, tier) ?? 0;
  }

  /** Equal to the record? A recorded error that the cache answers is right only if it was a passing one. */
  #judge(call: ToolCall, answer: unknown): Outcome['verdict'] {
    if (call.failed) return this.#options.transientErrors ? 'avoidedError' : 'wrong';
    return isDeepStrictEqual(answer, call.result) ? 'right' : 'wrong';
  }

  async #wait(call: ToolCall): Promise<void> {
    const { latencyOf, timeScale } = this.#options;
    if (this.#options.sleep !== undefined) await this.#options.sleep(latencyOf(call));
    else if (timeScale > 0) {
      await sleep(Math.min(latencyOf(call) * timeScale, longestDelay), undefined, {
        signal: this.#options.signal,
      });
    }
  }
}
