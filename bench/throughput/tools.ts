/** Agent tools: 64 rollouts at once that use five tools, and the cost of a hit then. */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { microseconds, named, printTable, timingCells, timingHead } from '../report.js';
import { cpuTime, median, type Runner, runRounds, settleHeap } from '../rounds.js';
import { searchArgs, searchResult, uniformNumbers } from '../workloads.js';
import type { BenchOptions } from './calls.js';
import {
  type AgentTools,
  type CallContext,
  type ToolsContender,
  toolsBaseline,
  toolsContenders,
} from './tool-contenders.js';

const rollouts = 64;
/** Rollouts of one prompt ask the same. */
const prompts = 4;
const steps = 5;
/** All rollouts at once, and as many again later. */
const waves = 2;

/** A call as a model makes it: new objects each time. */
interface Call {
  readonly tool: string;
  readonly input: object;
}

/** What each of five tools is asked in step `n` of all rollouts' steps; some inputs are alike, as they are in programs. */
const inputs: Readonly<Record<string, (n: number) => object>> = {
  search: searchArgs,
  get_order: (n) => ({ id: `W${n % 10}`, at: n < 10 ? n : `${n - 10}` }),
  get_customer: (n) => ({ id: `W${n % 10}`, at: n < 10 ? n : `${n - 10}` }),
  read_file: (n) => ({ path: `/src/${n % 10}.ts`, ...(n < 10 && { lines: null }) }),
  run_sql: (n) => ({ sql: 'SELECT * FROM orders WHERE id = ?', values: [n], limit: 10 }),
};
const names = Object.keys(inputs);
const distinctCalls = names.length * prompts * steps;

const callOf = (n: number): Call => {
  const tool = names[n % names.length] as string;
  return { tool, input: JSON.parse(JSON.stringify(inputs[tool]?.(Math.floor(n / names.length)))) };
};

/** The tool's own answer, which tells what it was asked. */
const answerOf = ({ tool, input }: Call) => ({ tool, asked: JSON.stringify(input), ...searchResult(7) });

/** What is known of a contender before it is timed. */
interface Tried {
  readonly tools: AgentTools;
  readonly runs: () => number;
  readonly firstRuns: number;
  readonly wrongAnswers: number;
  /** Of five results with `isError`, how many were given again to who asked later. */
  readonly errorsAgain: number;
}

/** Runs 64 rollouts at once, then times hits: with a context of its own for each call, with a signal and without. */
export async function benchTools({ isQuick, random }: BenchOptions): Promise<void> {
  if (
    new Set(Array.from({ length: distinctCalls }, (_, n) => JSON.stringify(callOf(n)))).size !== distinctCalls
  )
    throw new Error('Two calls are the same');
  const tried = new Map<string, Tried>();
  for (const contender of toolsContenders) tried.set(contender.name, await tryOut(contender));
  const callsARound = isQuick ? 1000 : 10_000;
  const runners = (hasSignal: boolean) =>
    toolsContenders.map(({ name }): Runner => {
      const { tools, runs } = tried.get(name) as Tried;
      return {
        name: `${name}${hasSignal ? ', signals' : ''}`,
        async run() {
          const calls = Array.from(uniformNumbers(callsARound, distinctCalls, random), callOf);
          const contexts = calls.map((_, n) => contextOf(n, hasSignal ? signals[n % rollouts] : undefined));
          const before = runs();
          settleHeap();
          const started = cpuTime();
          for (let n = 0; n < calls.length; n++) {
            const { tool, input } = calls[n] as Call;
            await tools[tool]?.execute(input, contexts[n] as CallContext);
          }
          const nanoseconds = (cpuTime() - started) / calls.length;
          if (runs() !== before) throw new Error(`${name} ran a tool while hits were timed`);
          return nanoseconds;
        },
      };
    });
  const samples = await runRounds({
    runners: [...runners(false), ...runners(true)],
    ...{ rounds: isQuick ? 3 : 21, warmUps: isQuick ? 1 : 4, random },
  });
  const baseline = named(samples, toolsBaseline);
  printTable({
    title: `Agent tools: ${rollouts} rollouts × ${names.length} tools`,
    note:
      `${waves} × ${rollouts * steps * names.length} calls, ${distinctCalls} of them different; each call with a context of its own. ` +
      'The last column is of a hit whose context holds its rollout’s signal.',
    head: [
      ...['contender', 'tool runs', 'wrong answers', 'errors kept'],
      ...timingHead('`fetch`'),
      'µs, signal',
    ],
    rows: Array.from(tried, ([name, { firstRuns, wrongAnswers, errorsAgain }]) => [
      ...[name, String(firstRuns), String(wrongAnswers), `${errorsAgain} of ${names.length}`],
      ...timingCells(named(samples, name), baseline),
      microseconds(median(named(samples, `${name}, signals`).nanoseconds)),
    ]),
  });
}

const signals = Array.from({ length: rollouts }, () => new AbortController().signal);
const messages = Array.from({ length: 20 }, (_, n) => ({
  role: n % 2 ? 'assistant' : 'user',
  content: `${n}`,
}));

const contextOf = (n: number, abortSignal: AbortSignal | undefined): CallContext => ({
  ...{ toolCallId: `call_${n}`, messages, abortSignal },
});

async function tryOut({ name, create }: ToolsContender): Promise<Tried> {
  let runs = 0;
  let isDown = true;
  const failed = { content: [{ type: 'text', text: 'down' }], isError: true };
  const tools = create(
    Object.fromEntries(
      names.map((tool) => [
        tool,
        {
          ...{ description: tool, inputSchema: {} },
          async execute(input: object) {
            runs++;
            await nextTurn();
            return 'outage' in input && isDown ? failed : answerOf({ tool, input });
          },
        },
      ]),
    ),
  );
  const ask = async ({ tool, input }: Call, n: number) =>
    tools[tool]?.execute(input, contextOf(n, undefined));
  let wrongAnswers = 0;
  const rollout = async (_: unknown, id: number) => {
    for (let step = 0; step < steps; step++) {
      const first = ((id % prompts) * steps + step) * names.length;
      const calls = names.map((_name, at) => callOf(first + at));
      const answers = await Promise.all(calls.map(ask));
      for (const [at, call] of calls.entries()) {
        if (!isDeepStrictEqual(answers[at], answerOf(call))) wrongAnswers++;
      }
    }
  };
  for (let wave = 0; wave < waves; wave++) await Promise.all(Array.from({ length: rollouts }, rollout));
  const firstRuns = runs;
  const outage = names.map((tool) => ({ tool, input: { outage: tool } }));
  for (const call of outage) await ask(call, 0);
  isDown = false;
  let errorsAgain = 0;
  for (const call of outage) if (isDeepStrictEqual(await ask(call, 0), failed)) errorsAgain++;
  if (name.startsWith('toolstash') && (wrongAnswers > 0 || errorsAgain > 0 || firstRuns !== distinctCalls))
    throw new Error(`${name}: ${firstRuns} runs, ${wrongAnswers} wrong answers, ${errorsAgain} errors kept`);
  return { tools, runs: () => runs, firstRuns, wrongAnswers, errorsAgain };
}
