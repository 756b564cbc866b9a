/** Where answers come from, and whether an agent asks the same again. */

import type { MethodCache, TierName } from '../index.js';
import type { Approximation } from '../recorded-tools.js';

/** The provenance of an answer. */
export interface Answer {
  /** The tool's name. */
  readonly tool: string;
  /** The key that it is shared under, 32 hex digits; `undefined` for what was not to be shared. */
  readonly key: string | undefined;
  /**
   * Where it was found: a tier; `'coalesced'`, with another call that was under way; `'tool'`, which was run and whose
   * result is kept; `'uncached'`, the tool too, but nothing is kept; `'recording'`, which has answered in the place of the
   * tool, or `'approximate'`, with the answer of another call; `'failed'`, told to `onRepeat` alone: the call was rejected.
   */
  readonly source: TierName | 'coalesced' | 'tool' | 'uncached' | 'approximate' | 'failed';
  /** Milliseconds since it was loaded; 0 for what was just loaded. */
  readonly ageMs: number;
  /** Of an approximate answer: how far the call that was recorded is from this one. */
  readonly approximate?: Approximation;
  /** Whether it is past its ttl. */
  readonly isStale: boolean;
  /**
   * What it depends on, each resource with its chain: the hash of all that has happened to it in this rollout, `''` for
   * nothing; of a write, as they were before it. Another rollout is answered alike where it has the same.
   */
  readonly chains: Readonly<Record<string, string>>;
  /** For tools with `samples`: which one this rollout gets, from 0. */
  readonly sample: number | undefined;
  /**
   * The n-th equal call of this rollout with nothing written in between, whatever that was: 1 for the first. Calls count
   * that failed, too; a write counts as its own repetition, but comes between all others.
   */
  readonly repeat: number;
}

/** A call whose repetitions are counted. */
export interface NotedCall {
  /** `undefined` for what is like no other. */
  readonly call: string | undefined;
  /** How often it was made with nothing written in between. */
  readonly repeat: number;
}

/**
 * Counts equal calls with nothing written in between. A write is there from its call until its tool has settled; what
 * is called in that time may be before it or behind it, so it is forgotten at both ends. It does not come between itself.
 */
export class Repeats {
  readonly #counts = new Map<string, number>();
  #lateEnds = 0;

  /** Notes a call. `lateEnds`: how many writes have settled so far that nobody waited for any more. */
  note(
    method: MethodCache,
    input: unknown,
    { isWrite, lateEnds }: { isWrite: boolean; lateEnds: number },
  ): NotedCall {
    if (lateEnds !== this.#lateEnds) this.#counts.clear();
    this.#lateEnds = lateEnds;
    const call = callOf(method, input);
    if (isWrite) this.written(call);
    const repeat = (call === undefined ? 0 : (this.#counts.get(call) ?? 0)) + 1;
    if (call !== undefined) this.#counts.set(call, repeat);
    return { call, repeat };
  }

  /** Something may have changed, by this call. */
  written(call: string | undefined): void {
    const own = call === undefined ? undefined : this.#counts.get(call);
    this.#counts.clear();
    if (call !== undefined && own !== undefined) this.#counts.set(call, own);
  }
}

function callOf(method: MethodCache, input: unknown): string | undefined {
  try {
    return method.key(input);
  } catch {
    return undefined;
  }
}
