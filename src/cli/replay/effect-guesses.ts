/** Guesses at the effects of tools, from what a trace shows of them. */

import { isDeepStrictEqual } from 'node:util';
import { hashKey } from '../../index.js';
import type { ToolCall } from './trace.js';

/** What a tool may be, and what speaks for it. */
export interface EffectGuess {
  /** `reads …`: it depends on something that others write. */
  readonly effect: 'pure' | 'write' | 'opaque' | 'reads …';
  readonly because: string;
}

const writingNames =
  /(?:^|[_\-.\s])(?:add|append|book|buy|cancel|clear|copy|create|delete|drop|edit|execute|insert|move|pay|post|put|remove|rename|reset|run|save|send|set|start|stop|submit|transfer|update|upload|write)(?:$|[_\-.\s])/i;

/** By tool, in the order of their first calls. */
export function effectGuesses(calls: readonly ToolCall[]): Record<string, EffectGuess> {
  const byTool = new Map<string, ToolCall[]>();
  for (const call of calls) {
    const own = byTool.get(call.tool);
    if (own === undefined) byTool.set(call.tool, [call]);
    else own.push(call);
  }
  return Object.fromEntries(Array.from(byTool, ([tool, own]) => [tool, guessOf(tool, own)]));
}

function guessOf(tool: string, calls: readonly ToolCall[]): EffectGuess {
  const words = tool.replace(/([a-z0-9])([A-Z])/g, '$1_$2');
  if (writingNames.test(words))
    return { effect: 'write', because: 'its name says that it changes something' };
  const first = new Map<string, ToolCall>();
  const firstOfRollout = new Map<string, ToolCall>();
  let [repeats, differing, differingWithin] = [0, 0, 0];
  for (const call of calls.filter(({ failed }) => !failed)) {
    const key = hashKey(tool, call.args);
    const within = `${key} ${JSON.stringify([call.task, call.rollout])}`;
    const [known, own] = [first.get(key), firstOfRollout.get(within)];
    if (known === undefined) first.set(key, call);
    else repeats += 1;
    if (known !== undefined && !isDeepStrictEqual(known.result, call.result)) differing += 1;
    if (own === undefined) firstOfRollout.set(within, call);
    else if (!isDeepStrictEqual(own.result, call.result)) differingWithin += 1;
  }
  if (differing === 0 && repeats > 0) {
    return {
      effect: 'pure',
      because: `${repeats} repeated calls, all with equal results; if others write what it reads, say what`,
    };
  }
  if (repeats === 0) return { effect: 'opaque', because: 'no call of it came twice' };
  return {
    effect: 'reads …',
    because: `${differing} of ${repeats} repeated calls differed, ${differingWithin} within a rollout: say what it reads`,
  };
}
