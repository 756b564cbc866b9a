/** A made-up trace that looks like RL training: groups of rollouts of one prompt that ask much the same. */

import { randomLogNormal } from 'd3-random';
import type { Random } from './random.js';
import { seededRandom, zipfRanks } from './random.js';
import type { ToolCall, Trace } from './trace.js';

/** How the workload is made. */
export interface WorkloadOptions {
  readonly seed: number;
  /** How many prompts there are. */
  readonly tasks: number;
}

/** Globs of the workload's tools that write. */
export const workloadWrites = ['write_*', 'submit_*'];

/** Rollouts of each prompt, as GRPO-like training samples them. */
const groupSize = 8;
/** How likely a rollout asks in its first step what the others of its group ask; less in each further one. */
const agreement = 0.85;
const agreementDecay = 0.93;
/** The share of queries that always end in an error, such as a dead link. */
const failingShare = 0.02;

interface Tool {
  readonly name: string;
  /** How often it is called, relative to the others. */
  readonly weight: number;
  /** Different queries there are, and how unevenly they are asked. */
  readonly queries: number;
  readonly exponent: number;
  readonly medianMs: number;
  readonly sigma: number;
  readonly resultBytes: number;
  args(rank: number): object;
}

const tools: readonly Tool[] = [
  {
    name: 'web_search',
    weight: 0.36,
    queries: 500,
    exponent: 1.05,
    medianMs: 650,
    sigma: 0.6,
    resultBytes: 1500,
    args: (rank) => ({ query: phrase(rank), limit: 10 }),
  },
  {
    name: 'fetch_page',
    weight: 0.2,
    queries: 700,
    exponent: 0.95,
    medianMs: 1100,
    sigma: 0.8,
    resultBytes: 4000,
    args: (rank) => ({ url: `https://site-${rank % 40}.example/page/${rank}` }),
  },
  {
    name: 'query_database',
    weight: 0.2,
    queries: 300,
    exponent: 1.1,
    medianMs: 90,
    sigma: 0.7,
    resultBytes: 600,
    // Ids beyond 2^53, as databases give them out: they must not share a key.
    args: (rank) => ({ table: 'orders', id: 9_007_199_254_740_993n + 2n * BigInt(rank) }),
  },
  {
    name: 'run_python',
    weight: 0.14,
    queries: 4000,
    exponent: 0.7,
    medianMs: 1800,
    sigma: 0.9,
    resultBytes: 200,
    args: (rank) => ({ code: `print(solve(${rank}))`, timeout: 30 }),
  },
  {
    name: 'write_note',
    weight: 0.1,
    queries: 5000,
    exponent: 0.5,
    medianMs: 40,
    sigma: 0.5,
    resultBytes: 20,
    args: (rank) => ({ text: phrase(rank) }),
  },
];

/** The last call of every rollout. */
const submission: Pick<Tool, 'name' | 'medianMs' | 'sigma'> = {
  name: 'submit_answer',
  medianMs: 60,
  sigma: 0.4,
};

const words = 'alpine harbor ledger quartz meadow signal copper lantern orbit willow cargo velvet'.split(' ');

/** What a rollout asks: a tool and which of its queries. */
interface Question {
  readonly tool: number;
  readonly rank: number;
}

/** The trace of a seed. The same seed and size always give the same trace. */
export function generateWorkload({ seed, tasks }: WorkloadOptions): Trace {
  const random = seededRandom(seed, 2);
  const ranks = tools.map((tool) => zipfRanks(tool.queries, tool.exponent));
  const answers = new Map<string, Pick<ToolCall, 'result' | 'failed'>>();
  const calls: ToolCall[] = [];

  const ask = (): Question => {
    const tool = pickTool(random);
    return { tool, rank: ranks[tool]!(random) };
  };
  const answer = ({ tool, rank }: Question): Pick<ToolCall, 'result' | 'failed'> => {
    const name = `${tool}/${rank}`;
    const known = answers.get(name) ?? makeAnswer(tools[tool]!, seededRandom(seed, 3, tool, rank));
    answers.set(name, known);
    return known;
  };
  const add = (
    call: Pick<ToolCall, 'task' | 'rollout' | 'tool' | 'args' | 'result' | 'failed'>,
    { medianMs, sigma }: Pick<Tool, 'medianMs' | 'sigma'>,
  ): void => {
    const durationMs = Math.round(randomLogNormal.source(random)(Math.log(medianMs), sigma)());
    calls.push({ ...call, durationMs, line: calls.length + 1 });
  };

  for (let number = 0; number < tasks; number += 1) {
    const task = `prompt-${number}`;
    const plan = Array.from({ length: 9 }, ask);
    for (let member = 0; member < groupSize; member += 1) {
      const rollout = `${task}-${member}`;
      const length = 4 + Math.floor(random() * 6);
      for (let step = 0; step < length; step += 1) {
        const agrees = random() < agreement * agreementDecay ** step;
        const question = agrees ? plan[step]! : ask();
        const tool = tools[question.tool]!;
        add({ task, rollout, tool: tool.name, args: tool.args(question.rank), ...answer(question) }, tool);
      }
      const args = { answer: phrase(Math.floor(random() * 1000)) };
      add({ task, rollout, tool: submission.name, args, result: 'ok', failed: false }, submission);
    }
  }
  return { name: `generated workload, seed ${seed}`, calls };
}

function pickTool(random: Random): number {
  let left = random() * tools.reduce((sum, tool) => sum + tool.weight, 0);
  const picked = tools.findIndex(({ weight }) => {
    left -= weight;
    return left < 0;
  });
  return picked === -1 ? tools.length - 1 : picked;
}

function makeAnswer(tool: Tool, random: Random): Pick<ToolCall, 'result' | 'failed'> {
  if (random() < failingShare)
    return { result: { error: `${tool.name}: upstream answered 503` }, failed: true };
  const text: string[] = [];
  for (let bytes = 0; bytes < tool.resultBytes; bytes += 8) text.push(phrase(Math.floor(random() * 1728), 1));
  return { result: { text: text.join(' '), score: random() }, failed: false };
}

/** A few words that stand for a number. */
function phrase(number: number, length = 3): string {
  const picked = Array.from(
    { length },
    (_, at) => words[Math.floor(number / words.length ** at) % words.length],
  );
  return length === 1 ? picked.join(' ') : `${picked.join(' ')} ${number}`;
}
