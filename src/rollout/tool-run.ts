/** How a tool of a rollout is run under a load of the cache, and how its results are kept. */

import { isRepeat } from '../answers.js';
import type { LoaderContext, LoadOptions, MethodCache } from '../index.js';
import type { ResolvedEffect } from '../tools/effect.js';
import { isErrorByConvention } from '../tools/error-result.js';
import type { RolloutCall } from './rollout-call.js';
import type { RuleOptions } from './tool-effects.js';

/** A tool with state runs while its rollout waits for it, and never in the background. */
export function optionsFor(
  { kind }: ResolvedEffect,
  { options: ofMethod }: MethodCache,
  own: RuleOptions,
): LoadOptions | undefined {
  const { staleWhileRevalidate, refreshAhead, softTimeout } = ofMethod;
  const outlasts = staleWhileRevalidate > 0 || refreshAhead !== 0 || softTimeout !== undefined;
  if (kind !== 'tracked' || !outlasts) return Object.keys(own).length === 0 ? undefined : own;
  return { ...own, staleWhileRevalidate: 0, refreshAhead: false, softTimeout: false };
}

/** Runs a tool under a load. What is an error by the convention of a framework is not kept. */
export function runFor<Result>({
  tool,
  run,
  input,
  interruptible,
}: RolloutCall<Result, ResolvedEffect>): (context: LoaderContext) => Result | PromiseLike<Result> {
  return async (context) => {
    // Equal calls of a stochastic tool may differ.
    if (tool.sample !== undefined && isRepeat(context)) {
      context.withhold();
      return undefined as Result;
    }
    try {
      const result = await run(input, context);
      if (isErrorByConvention(result)) context.skip();
      return result;
    } finally {
      if (interruptible?.isPrivate()) context.withhold();
    }
  };
}
