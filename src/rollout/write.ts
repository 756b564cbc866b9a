/** Writes: run in turn, and taken down in the rollout's history with what they came to. */

import { onAbort } from '../guard/shared-abort.js';
import { hashKey, LoaderTimeoutError } from '../index.js';
import { isErrorByConvention } from '../tools/error-result.js';
import { everything, type Resource, type ResourceTemplate } from '../tools/resource.js';
import { plainCopy } from '../wrap/plain-copy.js';
import { digestOf, type Materialization } from './environment.js';
import type { History } from './history.js';
import type { Observation } from './observation.js';
import type { RolloutCall } from './rollout-call.js';
import { orAbort, type Turn, type Turns } from './turns.js';

/** What all calls of a rollout have in common. */
export interface World {
  readonly history: History;
  readonly turns: Turns;
  readonly timeoutMs: number | undefined;
  readonly materialization: Materialization | undefined;
}

/** A call whose effects are known by name. */
interface Write {
  readonly input: unknown;
  /** Folded names of all that it reads or writes. */
  readonly touched: readonly string[];
  readonly writes: readonly Resource[];
  /** `undefined`: what it does can't be told from what another call does. */
  readonly digest: string | undefined;
}

/** Runs a write, or answers it where the world can be made again. Rejects with the tool's error, an abort, a timeout. */
export async function runWrite<Result>(
  world: World,
  call: RolloutCall<Result>,
  observation: Observation | undefined,
): Promise<Result> {
  const { turns, history } = world;
  const { signal } = call;
  const write = describe(world, call);
  const touched = { reads: write.touched.map((name) => history.resource(name)), writes: write.writes };
  // A tool that is writing waits for nothing of its own rollout: that might wait for it.
  const isNested = turns.isWithin();
  const turn = isNested ? turns.enterAtOnce(touched) : turns.enter(touched);
  try {
    await turn.wait(signal);
    signal?.throwIfAborted();
  } catch (error) {
    turn.leave();
    throw error;
  }
  turn.begin();
  const isKnown = write.digest !== undefined && !isNested && !turns.isUnsettled(touched.reads);
  const state = write.touched.map((name) => history.partFor(name)).join('');
  const run = new WriteRun(world, call, { write, turn });
  const isReplayable = isKnown && world.materialization !== undefined;
  const scope = `${call.tool.writePrefix}${state}`;
  const wait = isReplayable && world.materialization.isVirtual ? run.answered(scope) : run.run();
  const result = await run.bounded(wait);
  const resultDigest = isErrorByConvention(result) ? undefined : digestOf(result);
  if (isKnown && resultDigest !== undefined) {
    const digest = hashKey(call.tool.name, [call.tool.fingerprint, write.digest, state, resultDigest]);
    if (!run.hasRun)
      await run.orForget(world.materialization?.answered({ ...nameOf(call, write), resultDigest }));
    history.append(write.writes, digest);
  } else {
    history.appendUnknown(write.writes);
  }
  turn.leave();
  if (isReplayable && run.hasRun && resultDigest !== undefined) await run.keep(scope, result);
  if (!run.hasRun) observation?.wasFound(run.key);
  return result;
}

function nameOf({ tool }: RolloutCall<unknown>, { input }: Write) {
  return { tool: tool.name, input };
}

function describe({ history }: World, { tool, input: given, effect }: RolloutCall<unknown>): Write {
  let input = given;
  let digest: string | undefined;
  try {
    input = plainCopy(given);
    digest = effect.isDeclared ? hashKey(tool.name, input) : undefined;
  } catch {
    // It is like no other.
  }
  const [reads, writes] = [namesFor(effect.reads, input), namesFor(effect.writes, input)];
  if (reads === undefined || writes === undefined) {
    return { input, touched: [everything], writes: [history.resource(everything)], digest: undefined };
  }
  const touched = [...new Set([...reads, ...writes])];
  return { input, touched, writes: writes.map((name) => history.resource(name)), digest };
}

/** The resources of a call; `undefined` where they can't be told. */
export function namesFor(templates: readonly ResourceTemplate[], input: unknown): string[] | undefined {
  const names: string[] = [];
  for (const template of templates) {
    const name = template.nameFor(input);
    if (name === undefined) return undefined;
    names.push(name);
  }
  return names;
}

/** A write that is answered must not be run for a renewal. */
const neverBehindItsBack = { staleWhileRevalidate: false, staleIfError: false, refreshAhead: false } as const;

/** One write whose turn it is. */
class WriteRun<Result> {
  readonly #world: World;
  readonly #call: RolloutCall<Result>;
  readonly #write: Write;
  readonly #turn: Turn;
  readonly #controller = new AbortController();
  /** The tool's run. */
  #running: Promise<Result> | undefined;
  #isSettled = true;
  /** Of its result, where that is shared. */
  key: string | undefined;

  constructor(world: World, call: RolloutCall<Result>, { write, turn }: { write: Write; turn: Turn }) {
    this.#world = world;
    this.#call = call;
    this.#write = write;
    this.#turn = turn;
  }

  get hasRun(): boolean {
    return this.#running !== undefined;
  }

  /** Runs the tool. */
  run(): Promise<Result> {
    this.#isSettled = false;
    const running = this.#runTool();
    const settled = () => {
      this.#isSettled = true;
    };
    running.then(settled, settled);
    this.#running = running;
    return running;
  }

  async #runTool(): Promise<Result> {
    await this.#world.materialization?.materialize();
    const { signal } = this.#controller;
    signal.throwIfAborted();
    return this.#turn.run(() => this.#call.run(this.#write.input, { signal }));
  }

  /** The result that the same write had in another rollout, or the tool's. */
  answered(scope: string): Promise<Result> {
    const { method } = this.#call.tool;
    this.key = method.key(this.#write.input, { scope });
    return method.getOrSet<Result>(
      this.#write.input,
      async (context) => {
        try {
          const result = await this.run();
          if (isErrorByConvention(result) || digestOf(result) === undefined) context.withhold();
          return result;
        } catch (error) {
          // Others have worlds of their own, in which nothing has failed.
          context.withhold();
          throw error;
        }
      },
      { ...neverBehindItsBack, scope, signal: this.#controller.signal },
    );
  }

  /** Waits for a result as long as its caller does. */
  async bounded(result: Promise<Result>): Promise<Result> {
    const { timeoutMs } = this.#world;
    const { signal, tool } = this.#call;
    const timer =
      timeoutMs !== undefined &&
      setTimeout(() => {
        this.#controller.abort(
          new LoaderTimeoutError(`The write \`${tool.name}\` took longer than \`timeout\`, ${timeoutMs} ms`),
        );
      }, timeoutMs);
    const passOn = () => this.#controller.abort(signal?.reason);
    const release = signal && onAbort(signal, passOn);
    try {
      return await orAbort(result, this.#controller.signal);
    } catch (error) {
      result.catch(() => undefined);
      this.#failed();
      throw error;
    } finally {
      if (timer !== false) clearTimeout(timer);
      release?.();
    }
  }

  /** What a promise comes to. When it fails, nothing is known of what was written. */
  async orForget(promise: Promise<void> | undefined): Promise<void> {
    try {
      await promise;
    } catch (error) {
      this.#failed();
      throw error;
    }
  }

  /** Stores a result for rollouts that do the same and have no world yet. */
  async keep(scope: string, result: Result): Promise<void> {
    const { method } = this.#call.tool;
    try {
      if (!(await method.has(this.#write.input, { scope })))
        await method.set(this.#write.input, result, { scope });
    } catch {
      // Refused, which the cache has counted: the others run it.
    }
  }

  /** Nothing is known of what was written; until the tool has settled, nothing will be. */
  #failed(): void {
    const { history } = this.#world;
    const { writes } = this.#write;
    history.appendUnknown(writes);
    if (this.#isSettled) {
      this.#turn.leave();
      return;
    }
    this.#turn.abandon();
    const settled = () => this.#turn.leave();
    this.#running?.then(settled, settled);
  }
}
