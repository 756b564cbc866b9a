/**
 * Random programs: rollouts that begin alike, each with a world of its own, read and write overlapping resources, at once
 * and one after the other. Every answer must be one that the rollout's own world would have given while it was asked.
 */

import { isDeepStrictEqual } from 'node:util';
import type { CacheManager } from '../../src/index.js';
import type { Rollout } from '../../src/rollout/index.js';
import { answerIn, type Course, effects, type Input, type ToolName, turns, World } from './world.js';

export interface Library {
  readonly CacheManager: typeof CacheManager;
  readonly Rollout: typeof Rollout;
}

/** What a program came to. */
export interface Outcome {
  readonly wrong: readonly string[];
  readonly reads: number;
  /** Reads that no tool of the rollout's own ran for. */
  readonly answered: number;
  readonly writes: number;
  readonly failures: number;
}

interface Step extends Course {
  readonly tool: ToolName;
  readonly input: Input;
  /** Turns before it is called. */
  readonly delay: number;
  /** Turns after which its caller gives up. */
  readonly abortAfter: number | undefined;
}

type Random = () => number;

const plainPaths = ['a', 'b', 'd/x', 'd/y', 'd/z'] as const;
const oddPaths = ['A', 'd/../a', './b', 'd//x', '/a', 'a/', 7] as const;
const readers: readonly ToolName[] = ['read', 'read', 'read', 'list', 'tree', 'length', 'clock'];
const writers: readonly ToolName[] = [
  ...(['put', 'add', 'stamp', 'copy', 'move', 'take', 'wipe', 'put', 'add', 'stamp'] as const),
  ...(['copy', 'reset', 'undeclared'] as const),
];

function pick<T>(random: Random, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)]!;
}

/** Of few tools and paths that come again and again: what differs least goes wrong first. */
class Generator {
  readonly #random: Random;
  readonly #paths: readonly unknown[];
  readonly #writers: readonly ToolName[];
  readonly #readers: readonly ToolName[];

  constructor(random: Random) {
    this.#random = random;
    this.#paths = [
      pick(random, plainPaths),
      pick(random, plainPaths),
      this.#maybe(0.3) ? pick(random, oddPaths) : 'a',
    ];
    this.#writers = [pick(random, writers), pick(random, writers)];
    this.#readers = this.#maybe(0.6) ? ['read', 'read', 'read', pick(random, readers)] : readers;
  }

  #maybe(chance: number): boolean {
    return this.#random() < chance;
  }

  #upTo(most: number): number {
    return Math.floor(this.#random() * (most + 1));
  }

  plan(): Step[][] {
    return Array.from({ length: 4 + this.#upTo(3) }, () =>
      Array.from({ length: 1 + this.#upTo(2) }, () => this.#step()),
    );
  }

  /** The same with other timing, and now and then another call. */
  varied(plan: readonly (readonly Step[])[]): Step[][] {
    return plan.map((steps) =>
      steps.map((step) => {
        if (this.#maybe(0.1)) return this.#step();
        const other = { ...step, ...(this.#maybe(0.1) && { input: this.#input(step.tool) }) };
        // Another tool for the same input.
        const isPut = step.tool === 'put' || step.tool === 'add';
        return { ...other, ...(isPut && { tool: this.#maybe(0.5) ? 'put' : 'add' }), ...this.#timing(step) };
      }),
    );
  }

  #input(tool: ToolName): Input {
    const path = () => pick(this.#random, this.#paths);
    if (this.#maybe(0.02)) return {};
    if (tool === 'copy' || tool === 'move') return { from: path(), to: path() };
    if (tool === 'list' || tool === 'wipe') return { path: pick(this.#random, ['d', 'd', 'a', './d']) };
    return { path: path(), ...(!readers.includes(tool) && { text: pick(this.#random, ['p', 'q']) }) };
  }

  /** Who is aborted may have its effect long after. */
  #timing({ abortAfter }: Pick<Step, 'abortAfter'>): Pick<Step, 'delay' | 'before' | 'after'> {
    return {
      delay: this.#maybe(0.5) ? 0 : this.#upTo(25),
      before: this.#upTo(abortAfter === undefined ? 14 : 150),
      after: this.#upTo(this.#maybe(0.3) ? 60 : 14),
    };
  }

  #step(): Step {
    const isRead = this.#maybe(0.6);
    const tool = pick(this.#random, isRead ? this.#readers : this.#writers);
    const abortAfter = this.#maybe(isRead ? 0.05 : 0.1) ? this.#upTo(20) : undefined;
    return {
      tool,
      input: this.#input(tool),
      abortAfter,
      fails: !isRead && this.#maybe(0.1),
      hangs: !isRead && this.#maybe(0.01) ? 4 : 0,
      ...this.#timing({ abortAfter }),
    };
  }
}

/** A program of a seed's random numbers, run. */
export async function runProgram(library: Library, random: Random): Promise<Outcome> {
  const cache = new library.CacheManager({ maxSize: random() < 0.1 ? 4 : 1000 });
  let stamps = 0;
  const outcome = { wrong: [] as string[], reads: 0, answered: 0, writes: 0, failures: 0 };
  // All that rollouts do is drawn before, so that it depends on nothing but the seed; most do much of what others do.
  const generator = new Generator(random);
  const plan = generator.plan();
  const rollouts = Array.from({ length: 2 + Math.floor(random() * 2) }, (_, at) => {
    return { at, steps: generator.varied(plan), starts: Math.floor(random() * 200) };
  });
  const run = async ({ at, steps, starts }: (typeof rollouts)[number]): Promise<void> => {
    const world = new World(() => ++stamps);
    const rollout = new library.Rollout(cache, { effects, task: 'model', id: at, timeout: 2 });
    await turns(starts);
    for (const step of steps) {
      await Promise.all(step.map((each) => call(rollout, world, each, outcome)));
    }
  };
  await Promise.all(rollouts.map(run));
  await cache.close();
  return outcome;
}

type Counted = { -readonly [Name in keyof Outcome]: Outcome[Name] } & { wrong: string[] };

async function call(rollout: Rollout, world: World, step: Step, outcome: Counted): Promise<void> {
  const { tool, input, abortAfter } = step;
  await turns(step.delay);
  const controller = new AbortController();
  if (abortAfter !== undefined) void turns(abortAfter).then(() => controller.abort(new Error('gave up')));
  const isRead = readers.includes(tool);
  const from = world.states.length - 1;
  let hasRun = false;
  let got: unknown;
  try {
    got = await rollout.call(
      tool,
      input,
      (given) => {
        hasRun = true;
        return world.run(tool, given, step);
      },
      abortAfter === undefined ? {} : { signal: controller.signal },
    );
  } catch {
    outcome.failures += 1;
    return;
  }
  if (!isRead) {
    outcome.writes += 1;
    if (!hasRun) outcome.wrong.push(`${tool} ${JSON.stringify(input)} did not run`);
    return;
  }
  outcome.reads += 1;
  if (!hasRun) outcome.answered += 1;
  if (tool === 'clock') {
    if (!hasRun) outcome.wrong.push('clock did not run');
    return;
  }
  const possible = world.states.slice(from).map((files) => answerIn(files, tool, input));
  if (possible.some((each) => isDeepStrictEqual(each, got))) return;
  outcome.wrong.push(
    `${tool} ${JSON.stringify(input)} of ${rollout.id}: got ${JSON.stringify(got)}, expected ${JSON.stringify(possible)}`,
  );
}
