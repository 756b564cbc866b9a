/** Guesses at the effects of tools, from what a trace shows of them. */

import { isDeepStrictEqual } from 'node:util';
import { hashKey } from '../../index.js';
import type { ToolCall } from './trace.js';

/** What a tool may be, and what speaks for it. */
export interface EffectGuess {
  /** `reads …`: it depends on something that others write. `undeclared`: the trace shows nothing of it. */
  readonly effect: 'pure' | 'write' | 'undeclared' | 'reads …';
  readonly because: string;
}

/** Words that tools which change something have in their names. */
const writingWords = [
  'accept add append apply approve archive assign attach bash book buy cancel change charge clear click close commit copy',
  'cp create delete deploy disable drag drop edit enable exchange exec execute fill fix install insert invite kill launch',
  'mark merge mkdir modify move mv patch pay post press publish push put refund register reject release rename',
  'replace reply reserve reset restart restore return revert rm rmdir run scroll send set shell start stop',
  'submit tap terminal terminate touch transfer trigger type undo uninstall unlink update upload upsert write',
]
  .join(' ')
  .replaceAll(' ', '|');

const writingNames = new RegExp(`(?:^|[^a-z])(?:${writingWords})(?:$|[^a-z])`, 'i');

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
  if (repeats === 0)
    return {
      effect: 'undeclared',
      because: 'no call of it came twice: leave it so unless you know what it does',
    };
  return {
    effect: 'reads …',
    because: `${differing} of ${repeats} repeated calls differed, ${differingWithin} within a rollout: say what it reads`,
  };
}
