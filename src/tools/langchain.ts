/**
 * Calls of LangChain's tools in a graph that a person may interrupt. The graph runs such a call again with what the person
 * answered, which is one caller's.
 */

import type { Callable } from '../wrap/wrapped-types.js';
import type { ToolRun } from './mastra.js';

type Fields = Readonly<Record<string, unknown>>;

/** A tool of LangChain's as a function that a cache answers for. `wrap` puts one under the cache. */
export function langChainFunction(
  { fn, key, resume }: Pick<ToolRun, 'fn' | 'key'> & { readonly resume: Callable },
  wrap: (run: ToolRun) => Callable,
): Callable {
  /** Configurations of calls that were interrupted: each call has its own. */
  const interrupted = new WeakSet<object>();
  const cached = wrap({
    async fn(this: unknown, ...args: readonly unknown[]) {
      try {
        return await Reflect.apply(fn, this, args);
      } catch (error) {
        const config = configIn(args);
        if (isBubbleUp(error) && config !== undefined) interrupted.add(config);
        throw error;
      }
    },
    key,
    isPrivate: (args) => interrupted.has(configIn(args) ?? args),
  });
  return function (this: unknown, ...args: readonly unknown[]): unknown {
    return Reflect.apply(isResumed(configIn(args)) ? resume : cached, this, args);
  };
}

/** Ends a step of the graph without being a failure: an interrupt, a command to the parent. */
export function isBubbleUp(error: unknown): boolean {
  return isFields(error) && error['is_bubble_up'] === true;
}

/** Whether a call is made again after an interrupt, its own or one of a graph in it: by its config, LangGraph's notes in it. */
export function isResumed(config: unknown): boolean {
  const configurable = isFields(config) ? config['configurable'] : undefined;
  return isFields(configurable) && configurable['__pregel_resuming'] === true;
}

/** LangChain calls `func(input, runManager, config)`. */
function configIn([, , config]: readonly unknown[]): Fields | undefined {
  return isFields(config) ? config : undefined;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}
