/** `toolstash replay --effects`: what rollouts would answer for a trace under declared effects, call by call in its order. */

import { isDeepStrictEqual } from 'node:util';
import { CacheManager } from '../../index.js';
import { formatCount, printable } from '../../report/format.js';
import {
  Rollout,
  type RolloutEnvironment,
  type SharingScope,
  type ToolEffects,
} from '../../rollout/index.js';
import type { CommandIo } from '../command-io.js';
import { formatJson } from '../lossless-json.js';
import { effectGuesses } from './effect-guesses.js';
import { ToolError } from './tool-error.js';
import type { ToolCall, Trace } from './trace.js';

/** What rollouts answer of some calls without running their tool. */
interface Answers {
  answered: number;
  /** Of those, how many otherwise than recorded. */
  wrong: number;
  /** Of those, how many calls of tools that change something, by their declaration or, by the look of it, by their name. */
  skipped: number;
}

/** What came of the calls of one tool. */
interface ToolFigures extends Answers {
  /** How it was declared. */
  readonly effect: 'pure' | 'opaque' | 'reads' | 'writes' | 'undeclared';
  readonly calls: number;
  /** The same where the worlds of rollouts can be made again. */
  readonly withEnvironments: Answers;
}

/** A call that was answered otherwise than it was recorded. */
interface WrongAnswer {
  readonly line: number;
  readonly tool: string;
  readonly args: unknown;
  readonly answer: unknown;
  readonly recorded: unknown;
}

/** What rollouts answer of a trace. */
interface Pass {
  readonly byTool: ReadonlyMap<string, Answers>;
  readonly all: Answers;
  readonly wrongAnswers: readonly WrongAnswer[];
  readonly rollouts: number;
  /** Rollouts whose world was made. */
  readonly made: number;
}

interface PassOptions {
  readonly effects: ToolEffects;
  readonly scope: SharingScope;
  /** Whether a tool changes something. */
  readonly writes: (tool: string) => boolean;
  readonly hasEnvironments: boolean;
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
  const guesses = effectGuesses(trace.calls);
  const writes = (tool: string) => kindOf(effects, tool) === 'writes' || guesses[tool]?.effect === 'write';
  const plain = await answer(trace, { effects, scope, writes, hasEnvironments: false });
  const made = await answer(trace, { effects, scope, writes, hasEnvironments: true });
  const counts = new Map<string, number>();
  for (const { tool } of trace.calls) counts.set(tool, (counts.get(tool) ?? 0) + 1);
  const byTool = [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([tool, calls]): [string, ToolFigures] => [
      tool,
      {
        ...{ effect: kindOf(effects, tool), calls, ...answersOf(plain.byTool, tool) },
        withEnvironments: answersOf(made.byTool, tool),
      },
    ]);
  const data = {
    trace: trace.name,
    calls: trace.calls.length,
    rollouts: plain.rollouts,
    ...plain.all,
    withEnvironments: { ...made.all, made: made.made, wrongAnswers: made.wrongAnswers },
    byTool: Object.fromEntries(byTool),
    wrongAnswers: plain.wrongAnswers,
    guesses,
  };
  io.stdout.write(json ? `${formatJson(data, 2)}\n` : reportOf(data));
  return data.wrong + made.all.wrong === 0 ? 0 : 1;
}

/** Sends a trace through rollouts, call by call. */
async function answer(trace: Trace, options: PassOptions): Promise<Pass> {
  const cache = new CacheManager({ maxSize: 2 ** 20, recording: false });
  const rollouts = new Map<string, ReplayedRollout>();
  const byTool = new Map<string, Answers>();
  const all = noAnswers();
  const wrongAnswers: WrongAnswer[] = [];
  for (const call of trace.calls) {
    const id = JSON.stringify([call.task, call.rollout]);
    const rollout = rollouts.get(id) ?? new ReplayedRollout(cache, call, options);
    rollouts.set(id, rollout);
    const { hasRun, value } = await rollout.answerTo(call);
    if (hasRun) continue;
    const isWrong = call.failed || !isDeepStrictEqual(value, call.result);
    const own = byTool.get(call.tool) ?? noAnswers();
    byTool.set(call.tool, own);
    for (const answers of [own, all]) {
      answers.answered += 1;
      if (isWrong) answers.wrong += 1;
      if (options.writes(call.tool)) answers.skipped += 1;
    }
    if (!isWrong) continue;
    const { line, tool, args, result: recorded } = call;
    wrongAnswers.push({ line, tool, args, answer: value, recorded });
  }
  await cache.close();
  const made = [...rollouts.values()].filter(({ isMade }) => isMade).length;
  return { byTool, all, wrongAnswers, rollouts: rollouts.size, made };
}

/** One rollout of a trace. */
class ReplayedRollout {
  readonly #rollout: Rollout;
  readonly #effects: ToolEffects;
  /** What the writes came to that were answered so far. */
  readonly #told: unknown[] = [];
  #isMade = false;

  constructor(cache: CacheManager, { task, rollout: id }: ToolCall, options: PassOptions) {
    const { effects, scope, hasEnvironments } = options;
    const environment: RolloutEnvironment = {
      fork: () => {
        this.#isMade = true;
        return 0;
      },
      // Its world is what it was told: whether that is right is seen by the answers.
      replay: (writes) => this.#told.splice(0, writes.length),
    };
    this.#effects = effects;
    this.#rollout = new Rollout(cache, { effects, task, id, scope, ...(hasEnvironments && { environment }) });
  }

  /** Whether its world had to be made. */
  get isMade(): boolean {
    return this.#isMade;
  }

  /** Whether the tool had to run, and what was answered. */
  async answerTo(call: ToolCall): Promise<{ hasRun: boolean; value: unknown }> {
    let hasRun = false;
    const value = await this.#rollout
      .call(call.tool, call.args, () => {
        hasRun = true;
        if (call.failed) throw new ToolError(call);
        return call.result;
      })
      .catch((error: unknown) => error);
    if (!hasRun && kindOf(this.#effects, call.tool) === 'writes') this.#told.push(value);
    return { hasRun, value };
  }
}

function noAnswers(): Answers {
  return { answered: 0, wrong: 0, skipped: 0 };
}

function answersOf(byTool: ReadonlyMap<string, Answers>, tool: string): Answers {
  return byTool.get(tool) ?? noAnswers();
}

function kindOf(effects: ToolEffects, tool: string): ToolFigures['effect'] {
  const { effect } = effects.for(tool);
  if (effect.kind !== 'tracked') return effect.kind;
  if (!effect.isDeclared) return 'undeclared';
  return effect.writes.length > 0 ? 'writes' : 'reads';
}

interface ReportData extends Answers {
  readonly trace: string;
  readonly calls: number;
  readonly rollouts: number;
  readonly withEnvironments: Answers & {
    readonly made: number;
    readonly wrongAnswers: readonly WrongAnswer[];
  };
  readonly byTool: Readonly<Record<string, ToolFigures>>;
  readonly wrongAnswers: readonly WrongAnswer[];
  readonly guesses: Readonly<Record<string, { readonly effect: string; readonly because: string }>>;
}

function reportOf(data: ReportData): string {
  const { calls, rollouts, withEnvironments } = data;
  const figures = ({ answered, wrong, skipped }: Answers) =>
    `${formatCount(answered)} answered without their tool (${((100 * answered) / calls).toFixed(1)} %), ` +
    `${formatCount(wrong)} of them wrong, ${formatCount(skipped)} of them writes`;
  const cells = ({ answered, wrong, skipped }: Answers) => [answered, wrong, skipped].map(formatCount);
  const rows = Object.entries(data.byTool).map(([tool, each]) => [
    ...[printable(tool), each.effect, formatCount(each.calls)],
    ...[...cells(each), ...cells(each.withEnvironments)],
  ]);
  const heads = ['answered', 'wrong', 'writes skipped'];
  const table = [['tool', 'effect', 'calls', ...heads, ...heads], ...rows];
  const widths = table[0]!.map((_, at) => Math.max(...table.map((row) => row[at]!.length)));
  const lines = table.map((row) =>
    row.map((cell, at) => (at < 2 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join('  '),
  );
  const before = widths.slice(0, 6).reduce((sum, width) => sum + width + 2, 0);
  const guesses = Object.entries(data.guesses).map(
    ([tool, { effect, because }]) => `  ${printable(tool)}: '${effect}' (${because})`,
  );
  return [
    `${printable(data.trace)}: ${formatCount(calls)} calls of ${formatCount(rollouts)} rollouts`,
    `read-only:          ${figures(data)}`,
    `with environments:  ${figures(withEnvironments)}; ` +
      `${formatCount(rollouts - withEnvironments.made)} of ${formatCount(rollouts)} rollouts need none`,
    '',
    `${' '.repeat(before)}with environments`,
    ...lines,
    ...wrongLines('read-only', data.wrongAnswers),
    ...wrongLines('with environments', withEnvironments.wrongAnswers),
    '',
    'Guesses from this trace alone, to be checked by somebody who knows the tools:',
    ...guesses,
    '',
  ].join('\n');
}

function wrongLines(which: string, answers: readonly WrongAnswer[]): string[] {
  const shown = answers.slice(0, mostWrongShown).map(({ line, tool, args }) => {
    return `wrong, ${which}: line ${line}, ${printable(tool)} ${printable(formatJson(args))}`;
  });
  return shown.length > 0 ? ['', ...shown] : [];
}
