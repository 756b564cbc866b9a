/** A call of a tool in a rollout, and what is known of the tool. */

import type { LoadOptions, MethodCache } from '../index.js';
import type { CallOptions } from '../recorded-tools.js';
import type { ResolvedEffect } from '../tools/effect.js';
import type { ReadPlaces, ReadScope } from './read-scope.js';

/** What a tool is given besides its input. */
export interface ToolRunContext {
  /** Aborted once nobody waits for the result any more. */
  readonly signal: AbortSignal;
}

/** Runs a tool. It is given the input of the call, or a copy of it. */
export type RunTool<Input, Result> = (input: Input, context: ToolRunContext) => Result | PromiseLike<Result>;

/** The options of one call. */
export interface RolloutCallOptions {
  /** Ends this caller's wait. What a write may have changed by then is shared with nobody. */
  readonly signal?: AbortSignal | undefined;
}

/** What is known of a call that its framework may interrupt, to ask a person. */
export interface Interruptible {
  /** It goes on after an interrupt, by what somebody has answered: its tool runs, and what it says is for this call alone. */
  readonly isResumed: boolean;
  /** Whether the result is its caller's alone. Asked once the tool has ended, well or not. */
  isPrivate(): boolean;
}

/** The options of a call of a framework's tool. */
export interface ToolCallOptions extends RolloutCallOptions {
  readonly interruptible?: Interruptible | undefined;
}

/** A tool of a rollout. */
export interface RolloutTool {
  readonly name: string;
  readonly effect: ResolvedEffect;
  readonly method: MethodCache;
  /** How its results are kept, over what the method says. */
  readonly options: (LoadOptions & CallOptions) | undefined;
  /** What the scope of its results begins with; `undefined`: they are everybody's. */
  readonly reads: ReadScope | undefined;
  /** Where its results are by what it reads; `undefined` for a tool that writes, or has no state. */
  readonly places: ReadPlaces | undefined;
  /** The same for what its writes came to. */
  readonly writePrefix: string;
  readonly sample: number | undefined;
  /** Differs where what else enters its keys does: its version, the cache's own scope. */
  readonly fingerprint: string;
}

/** The effect of a tool that reads or writes resources. */
export type TrackedEffect = Extract<ResolvedEffect, { kind: 'tracked' }>;

/** One call. */
export interface RolloutCall<Result, E extends ResolvedEffect = TrackedEffect> {
  readonly tool: RolloutTool;
  readonly effect: E;
  readonly input: unknown;
  readonly run: RunTool<unknown, Result>;
  readonly signal: AbortSignal | undefined;
  readonly interruptible?: Interruptible | undefined;
}
