/** How a tool of a rollout is run under a load of the cache, and how its results are kept. */

import { isRepeat } from '../answers.js';
import type { LoaderContext, LoadOptions, MethodCache } from '../index.js';
import type { ResolvedEffect } from '../tools/effect.js';
import { isErrorByConvention } from '../tools/error-result.js';
import { isErrorOf } from './error-result.js';
import type { RolloutCall } from './rollout-call.js';
import type { RuleOptions } from './tool-effects.js';
import type { World } from './write.js';

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

/**
 * Runs a tool that reads. Its result is for others unless what it reads was written meanwhile; and those who joined have
 * worlds of their own, in which nothing has failed, and whose rollout goes on.
 */
export async function runRead<Result>(
  { history, turns, materialization, joining }: World,
  context: LoaderContext,
  {
    call,
    names,
    since,
  }: { call: RolloutCall<Result, ResolvedEffect>; names: readonly string[]; since: number },
): Promise<Result> {
  try {
    if (isRepeat(context)) {
      // Its world is not what it was.
      context.withhold();
      return undefined as Result;
    }
    const result = await joining.run(context.key, async () => runFor(call)(context));
    if (isErrorOf(call.tool, result)) context.withhold();
    const resources = names.map((name) => history.resource(name));
    // A write may begin before it is stored, and change what the tool has returned.
    context.withholdUnless?.(
      () =>
        call.signal?.aborted !== true &&
        !turns.hasBegunOn(resources, since) &&
        materialization?.failure === undefined,
    );
    return result;
  } catch (error) {
    context.withhold();
    throw error;
  }
}
