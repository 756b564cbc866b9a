/** Where answers come from, for those who ask to be told. Mostly nobody does, and a hit does nothing for it. */

import type { TierName } from './entry.js';
import type { Approximation } from './recorded-tools.js';

/**
 * Where an answer came from: a tier; `'coalesced'`, a call of the same that was under way; `'tool'`, which was run for this
 * call; `'uncached'`, the tool too, past the cache; `'unknownKey'`, `knownKeys` says that there is nothing; `'recording'`,
 * which has answered in the place of the tool, or `'approximate'`, with the answer of another call.
 */
export type AnswerSource = TierName | 'coalesced' | 'tool' | 'uncached' | 'unknownKey' | 'approximate';

/** The provenance of an answer of a cache. */
export interface CacheAnswer {
  /** The tool's name. */
  readonly method: string;
  /** The key, 32 hex digits; `undefined` for a call that has none, or that went past the cache. */
  readonly key: string | undefined;
  /** Where it came from. */
  readonly source: AnswerSource;
  /** Milliseconds since it was set or loaded; 0 for what was just loaded. */
  readonly ageMs: number;
  /** Whether it is past its ttl. */
  readonly isStale: boolean;
  /** Of an approximate answer: how far the call that was recorded is from this one. */
  readonly approximate?: Approximation;
  /**
   * Of a call through a rollout: what it depends on, each resource with its chain, by which this rollout and the one that
   * the answer comes from have the same behind them. `undefined` elsewhere.
   */
  readonly chains?: Readonly<Record<string, string>>;
}

/** A call that was answered without its tool, which can be asked what it says now. */
export interface RepeatableHit {
  readonly method: string;
  readonly key: string;
  /** When its entry was loaded or set, epoch ms. */
  readonly createdAt: number;
  /** Whether it would be answered by the same entry still: not once that is deleted, invalidated, replaced or stale. */
  isCurrent(): boolean;
  /** The value that was answered, a copy. */
  value(): unknown;
  /** A result as the cache would give it back. Throws for what can't be stored. */
  asStored(result: unknown): unknown;
  /** What runs the tool, by the arguments as they are now, later. `withhold` tells that its result is not that of the call. */
  prepare(): (context: RepeatContext) => unknown;
}

/** What a tool is given that is asked again. */
export interface RepeatContext {
  readonly signal: AbortSignal;
  withhold(): void;
}

/** What a verification knows of one tool. */
export interface VerifiedFigures {
  readonly method: string;
  readonly compared: number;
  readonly mismatches: number;
  readonly interval: readonly [low: number, high: number];
  readonly isDemoted: boolean;
}

/** A value that a tool has answered, as it is stored. */
export interface LoadedValue {
  readonly method: string;
  readonly key: string;
  /** As the value keeper has it. */
  readonly stored: unknown;
  readonly ttl: number | null;
  readonly isTagged: boolean;
}

/** Learns how long answers stay equal. Its functions never throw. */
export interface AgeObserver {
  loaded(value: LoadedValue): void;
  /** A hit was run again: whether the tool still says what it said when it was loaded. */
  verified(hit: Pick<RepeatableHit, 'method' | 'key' | 'createdAt'>, isEqual: boolean): void;
}

/** Contexts under which tools are run that are asked again. */
const repeats = new WeakSet<object>();

/** The context of a tool that is asked again, for `isRepeat`. */
export function asRepeat<C extends object>(context: C): C {
  repeats.add(context);
  return context;
}

/** Whether a loader is run only to compare its result. One that must not be run so withholds its result at once. */
export function isRepeat(context: object): boolean {
  return repeats.has(context);
}

/** Hears of a cache's answers. Its functions never throw. */
export interface AnswerObserver {
  /** A call was answered. For objects the value tells which call it was: each has its own, but by `values: 'reference'`. */
  answered?(answer: CacheAnswer, value: unknown): void;
  /** A call was answered without its tool. */
  hit?(hit: RepeatableHit): void;
  /** Whether it compares the answers of a tool by a function of the user's, which alone knows what is equal. */
  judges?(method: string): boolean;
  /** A rollout asks for a key, which holds these chains. */
  asked?(key: string, chains: Readonly<Record<string, string>>): void;
}
