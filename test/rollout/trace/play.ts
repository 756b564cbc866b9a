/**
 * Traces of our own making: rollouts of one task that do much of what the others do, with a world each, in which every
 * answer is compared with what direct execution would have said.
 */

import { isDeepStrictEqual } from 'node:util';
import type { CacheManager } from '../../../src/index.js';
import { type EffectDeclarations, Rollout, type RolloutEnvironment } from '../../../src/rollout/index.js';
import { seededRandom } from '../../guard/seeded-random.js';
import { turns } from '../world.js';
import { pick, type Random, type ToolRequest, type ToolWorld } from './tool-world.js';

/** What the calls of some traces came to. */
export class Tally {
  calls = 0;
  reads = 0;
  /** Reads that no tool of the rollout's own ran for. */
  answered = 0;
  writes = 0;
  /** Writes that did not run. */
  skipped = 0;
  failures = 0;
  /** Results that say that something can't be done. */
  refused = 0;
  /** Calls that were made at once with others of their rollout. */
  parallel = 0;
  readonly wrong: string[] = [];
}

type Run = (input: never) => Promise<unknown>;
/** Calls tools in one rollout. */
export type Caller = (tool: string, input: object, run: Run) => Promise<unknown>;
/** Begins a rollout. */
export type Begin = (id: number, environment: RolloutEnvironment | undefined) => Caller;

interface Step {
  readonly request: ToolRequest;
  readonly delay: number;
  readonly before: number;
  readonly after: number;
  readonly fails: boolean;
}

/** The calls of rollouts of a task, some of them at once. */
export interface Trace {
  readonly world: ToolWorld<unknown>;
  readonly seed: number;
  readonly rollouts: number;
  readonly batches: number;
  /** Whether the worlds can be made again: then no call is made at once with another, and no tool makes anything up. */
  readonly hasEnvironment: boolean;
}

/** Rollouts that share under effects. */
export function sharing(cache: CacheManager, effects: EffectDeclarations, task: string): Begin {
  return (id, environment) => {
    const rollout = new Rollout(cache, { effects, task, id, ...(environment && { environment }) });
    return (tool, input, run) => rollout.call(tool, input, (given) => run(given as never));
  };
}

/** Calls that are told apart by tool and arguments alone; `isWrite` tells which always run. */
export function naive(cache: CacheManager, task: string, isWrite: (tool: string) => boolean): Begin {
  return () => (tool, input, run) =>
    isWrite(tool)
      ? run(input as never)
      : cache.getOrSet(tool, input, () => run(input as never), { scope: task });
}

/** Plays all rollouts of a trace at once. */
export async function play(trace: Trace, begin: Begin, tally: Tally): Promise<void> {
  const random = seededRandom(trace.seed);
  const vocabulary = new Vocabulary(trace, random);
  const plan = Array.from({ length: trace.batches }, () => vocabulary.batch());
  let nonces = 0;
  const initial = trace.world.begin(random);
  // All that rollouts do is drawn before, so that it depends on nothing but the seed.
  const rollouts = Array.from({ length: trace.rollouts }, () => ({
    steps: plan.map((steps) => steps.map((step) => vocabulary.varied(step))),
    starts: Math.floor(random() * 400),
  }));
  await Promise.all(
    rollouts.map(async ({ steps, starts }, id) => {
      const player = new Player(trace.world, { initial, nonce: () => ++nonces }, tally);
      player.callThrough(begin(id, trace.hasEnvironment ? player.environment : undefined));
      await turns(starts);
      for (const each of steps) await player.play(each, trace.hasEnvironment);
      if (trace.hasEnvironment) player.compareWorlds();
    }),
  );
}

/** Draws the calls of a trace from a few that come again and again, as an agent's do. */
class Vocabulary {
  readonly #random: Random;
  readonly #requests: readonly ToolRequest[];
  readonly #hasEnvironment: boolean;

  constructor({ world, hasEnvironment }: Trace, random: Random) {
    this.#random = random;
    this.#hasEnvironment = hasEnvironment;
    const all = Array.from({ length: 60 }, () => world.draw(random));
    this.#requests = all.filter(({ tool }) => !hasEnvironment || !world.stochastic.has(tool)).slice(0, 30);
  }

  batch(): Step[] {
    const size = this.#hasEnvironment || this.#random() < 0.6 ? 1 : 2 + Math.floor(this.#random() * 2);
    return Array.from({ length: size }, () => this.#step());
  }

  /** What another rollout does in the place of this: mostly the same, at another pace. */
  varied({ request }: Step): Step {
    return this.#random() < 0.02 ? this.#step() : { request, ...timing(this.#random) };
  }

  #step(): Step {
    return { request: pick(this.#random, this.#requests), ...timing(this.#random) };
  }
}

function timing(random: Random): Omit<Step, 'request'> {
  const upTo = (most: number) => Math.floor(random() * (most + 1));
  return { delay: upTo(random() < 0.5 ? 0 : 20), before: upTo(10), after: upTo(10), fails: random() < 0.01 };
}

interface Start {
  readonly initial: unknown;
  nonce(): number;
}

/** One rollout, and its world. */
class Player {
  readonly #world: ToolWorld<unknown>;
  readonly #start: Start;
  readonly #tally: Tally;
  /** All states that its world has been in. */
  readonly #states: unknown[];
  /** Where direct execution of all its calls would be. */
  #truth: unknown;
  #hasRun = false;
  #call!: Caller;

  constructor(world: ToolWorld<unknown>, start: Start, tally: Tally) {
    this.#world = world;
    this.#start = start;
    this.#tally = tally;
    this.#states = [start.initial];
    this.#truth = start.initial;
  }

  callThrough(call: Caller): void {
    this.#call = call;
  }

  /** Runs in its world what others have done for it. */
  readonly environment: RolloutEnvironment = {
    replay: (writes) => writes.map(({ tool, input }) => this.#apply({ tool, input: input as never }, false)),
  };

  async play(steps: readonly Step[], comparesDirectly: boolean): Promise<void> {
    if (steps.length > 1) this.#tally.parallel += steps.length;
    await Promise.all(steps.map((each) => this.#make(each, comparesDirectly)));
  }

  /** What ran in its world must have brought it to where direct execution is. */
  compareWorlds(): void {
    if (!this.#hasRun || isDeepStrictEqual(this.#states.at(-1), this.#truth)) return;
    this.#tally.wrong.push('the world is another than it was told');
  }

  #apply(request: ToolRequest, isHalf: boolean): unknown {
    const { nonce } = this.#start;
    const { state, result } = this.#world.run(this.#states.at(-1), request, { nonce, isHalf });
    this.#states.push(state);
    this.#hasRun = true;
    return result;
  }

  async #make(step: Step, comparesDirectly: boolean): Promise<void> {
    const { request, delay, before, after, fails } = step;
    const { tool, input } = request;
    const tally = this.#tally;
    await turns(delay);
    const isRead = this.#world.readers.has(tool);
    const from = this.#states.length - 1;
    let ran = false;
    let got: unknown;
    let error: unknown;
    tally.calls += 1;
    try {
      got = await this.#call(tool, structuredClone(input), async (given) => {
        ran = true;
        await turns(before);
        const result = this.#apply({ tool, input: given }, fails);
        await turns(after);
        if (fails) throw new Error(`${tool} failed`);
        return result;
      });
    } catch (thrown) {
      error = thrown;
    }
    if (isRead) tally.reads += 1;
    else tally.writes += 1;
    // Those who joined the call of a pure tool share its failure, too.
    const mayFail = (ran && fails) || this.#world.effects[tool] === 'pure';
    if (error !== undefined && !mayFail) tally.wrong.push(`${tool} rejected: ${String(error)}`);
    // What is not run by a cache that goes by names is what direct execution would have done all the same.
    if (!isRead && !ran) {
      tally.skipped += 1;
      if (!comparesDirectly) this.#apply(request, false);
    }
    if (isRead && !ran) tally.answered += 1;
    if (typeof got === 'object' && got !== null && 'error' in got) tally.refused += 1;
    if (error !== undefined) tally.failures += 1;
    if (comparesDirectly) this.#compareDirectly(request, got, { isHalf: error !== undefined });
    else if (isRead && error === undefined) this.#compare(request, got, from, ran);
  }

  #compareDirectly(request: ToolRequest, got: unknown, { isHalf }: { isHalf: boolean }): void {
    const { state, result } = this.#world.run(this.#truth, request, { nonce: () => 0, isHalf });
    this.#truth = state;
    if (!isHalf && !isDeepStrictEqual(got, result)) this.#wrong(request, got, [result]);
  }

  /** A read may see any state between its call and its end. */
  #compare(request: ToolRequest, got: unknown, from: number, ran: boolean): void {
    if (this.#world.stochastic.has(request.tool)) {
      if (!ran) this.#tally.wrong.push(`${request.tool} did not run`);
      return;
    }
    const context = { nonce: () => 0, isHalf: false };
    const possible = this.#states.slice(from).map((state) => this.#world.run(state, request, context).result);
    if (!possible.some((each) => isDeepStrictEqual(each, got))) this.#wrong(request, got, possible);
  }

  #wrong({ tool, input }: ToolRequest, got: unknown, possible: readonly unknown[]): void {
    const [was, expected] = [JSON.stringify(got), JSON.stringify(possible)];
    this.#tally.wrong.push(`${tool} ${JSON.stringify(input)}: got ${was}, expected ${expected}`);
  }
}
