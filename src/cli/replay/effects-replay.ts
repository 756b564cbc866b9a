/** `toolstash replay --effects`: what rollouts would answer for a trace under declared effects, call by call in its order. */

import { isDeepStrictEqual } from 'node:util';
import { CacheManager } from '../../index.js';
import { formatCount, printable } from '../../report/format.js';
import { Rollout, type SharingScope, type ToolEffects } from '../../rollout/index.js';
import type { CommandIo } from '../command-io.js';
import { formatJson } from '../lossless-json.js';
import { effectGuesses } from './effect-guesses.js';
import { ToolError } from './tool-error.js';
import type { ToolCall, Trace } from './trace.js';

/** What came of the calls of one tool. */
interface ToolFigures {
  /** How it was declared. */
  readonly effect: 'pure' | 'opaque' | 'reads' | 'writes' | 'undeclared';
  calls: number;
  /** Answered without a call of the tool. */
  answered: number;
  /** Of those, how many otherwise than recorded. */
  wrong: number;
}

/** A call that was answered otherwise than it was recorded. */
interface WrongAnswer {
  readonly line: number;
  readonly tool: string;
  readonly args: unknown;
  readonly answer: unknown;
  readonly recorded: unknown;
}

const mostWrongShown = 5;

/** The result is the exit code: 1 when an answer was wrong. */
export async function replayEffects(
  trace: Trace,
  {
    effects,
    scope,
    json,
  }: { readonly effects: ToolEffects; readonly scope: SharingScope; readonly json: boolean },
  io: CommandIo,
): Promise<number> {
  const cache = new CacheManager({ maxSize: 2 ** 20, recording: false });
  const rollouts = new Map<string, Rollout>();
  const tools = new Map<string, ToolFigures>();
  const wrongAnswers: WrongAnswer[] = [];
  for (const call of trace.calls) {
    const id = JSON.stringify([call.task, call.rollout]);
    const rollout =
      rollouts.get(id) ?? new Rollout(cache, { effects, task: call.task, id: call.rollout, scope });
    rollouts.set(id, rollout);
    const figures = tools.get(call.tool) ?? {
      effect: kindOf(effects, call.tool),
      calls: 0,
      answered: 0,
      wrong: 0,
    };
    tools.set(call.tool, figures);
    figures.calls += 1;
    const answer = await answerTo(rollout, call);
    if (answer.hasRun) continue;
    figures.answered += 1;
    if (!call.failed && isDeepStrictEqual(answer.value, call.result)) continue;
    figures.wrong += 1;
    wrongAnswers.push({
      line: call.line,
      tool: call.tool,
      args: call.args,
      answer: answer.value,
      recorded: call.result,
    });
  }
  await cache.close();
  const calls = trace.calls.length;
  const sum = (name: 'answered' | 'wrong') =>
    [...tools.values()].reduce((total, each) => total + each[name], 0);
  const data = {
    trace: trace.name,
    calls,
    rollouts: rollouts.size,
    answered: sum('answered'),
    wrong: sum('wrong'),
    byTool: Object.fromEntries([...tools].sort(([, a], [, b]) => b.calls - a.calls)),
    wrongAnswers,
    guesses: effectGuesses(trace.calls),
  };
  io.stdout.write(json ? `${formatJson(data, 2)}\n` : reportOf(data));
  return data.wrong === 0 ? 0 : 1;
}

/** Whether the tool had to run, and what was answered. */
async function answerTo(rollout: Rollout, call: ToolCall): Promise<{ hasRun: boolean; value: unknown }> {
  let hasRun = false;
  const value = await rollout
    .call(call.tool, call.args, () => {
      hasRun = true;
      if (call.failed) throw new ToolError(call);
      return call.result;
    })
    .catch((error: unknown) => error);
  return { hasRun, value };
}

function kindOf(effects: ToolEffects, tool: string): ToolFigures['effect'] {
  const { effect } = effects.for(tool);
  if (effect.kind !== 'tracked') return effect.kind;
  if (!effect.isDeclared) return 'undeclared';
  return effect.writes.length > 0 ? 'writes' : 'reads';
}

interface ReportData {
  readonly trace: string;
  readonly calls: number;
  readonly rollouts: number;
  readonly answered: number;
  readonly wrong: number;
  readonly byTool: Readonly<Record<string, ToolFigures>>;
  readonly wrongAnswers: readonly WrongAnswer[];
  readonly guesses: Readonly<Record<string, { readonly effect: string; readonly because: string }>>;
}

function reportOf(data: ReportData): string {
  const share = ((100 * data.answered) / data.calls).toFixed(1);
  const rows = Object.entries(data.byTool).map(([tool, { effect, calls, answered, wrong }]) => [
    printable(tool),
    effect,
    ...[calls, answered, wrong].map(formatCount),
  ]);
  const table = [['tool', 'effect', 'calls', 'answered', 'wrong'], ...rows];
  const widths = table[0]!.map((_, at) => Math.max(...table.map((row) => row[at]!.length)));
  const lines = table.map((row) =>
    row.map((cell, at) => (at < 2 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join('  '),
  );
  const wrong = data.wrongAnswers.slice(0, mostWrongShown).map(({ line, tool, args }) => {
    return `wrong: line ${line}, ${printable(tool)} ${printable(formatJson(args))}`;
  });
  const guesses = Object.entries(data.guesses).map(
    ([tool, { effect, because }]) => `  ${printable(tool)}: '${effect}' (${because})`,
  );
  return [
    `${printable(data.trace)}: ${formatCount(data.calls)} calls of ${formatCount(data.rollouts)} rollouts`,
    `${formatCount(data.answered)} answered without their tool (${share} %), ${formatCount(data.wrong)} of them wrong`,
    '',
    ...lines,
    ...(wrong.length > 0 ? ['', ...wrong] : []),
    '',
    'Guesses from this trace alone, to be checked by somebody who knows the tools:',
    ...guesses,
    '',
  ].join('\n');
}
