/** Writes: run in turn, and taken down in the rollout's history with what they came to. */

import { isRepeat } from '../answers.js';
import { systemClock } from '../clock.js';
import { type Deadline, startDeadline } from '../guard/deadline.js';
import { onAbort } from '../guard/shared-abort.js';
import { beginWait } from '../guard/wait-graph.js';
import { hashKey, type LoaderContext, LoaderTimeoutError } from '../index.js';
import { asker, type RecordedTools } from '../recorded-tools.js';
import { everything, type Resource } from '../tools/resource.js';
import type { AnswerReports } from '../trust/observed.js';
import { plainCopy } from '../wrap/plain-copy.js';
import { digestOf, type Materialization } from './environment.js';
import { isErrorOf } from './error-result.js';
import type { History } from './history.js';
import type { Joining } from './joining.js';
import type { Observation } from './observation.js';
import { namesFor, touchedNames } from './resource-names.js';
import type { RolloutCall } from './rollout-call.js';
import { orAbort, type Turn, type Turns } from './turns.js';
import { isUnfinished } from './unfinished-result.js';

/** What all calls of a rollout have in common. */
export interface World {
  readonly history: History;
  readonly turns: Turns;
  readonly timeoutMs: number | undefined;
  readonly materialization: Materialization | undefined;
  readonly joining: Joining;
  /** What is recorded, where anything is. */
  readonly recorded: RecordedTools | undefined;
  readonly reports: AnswerReports;
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
  const turn = turns.enter(call.tool.name, touched);
  const end = beginWait(turn.node);
  try {
    try {
      await turn.wait(signal);
      signal?.throwIfAborted();
    } catch (error) {
      turn.leave();
      throw error;
    }
    turn.begin();
    return await turn.node.run(() => runInTurn(world, { ...call, write, turn }, observation));
  } finally {
    end?.();
  }
}

/** Runs a write that no other is before. */
async function runInTurn<Result>(
  world: World,
  call: RolloutCall<Result> & { readonly write: Write; readonly turn: Turn },
  observation: Observation | undefined,
): Promise<Result> {
  const { turns, history, recorded } = world;
  const { write, turn } = call;
  const { touched } = turn;
  const since = turns.begun;
  const isAlone = turn.isAtOnce || call.interruptible?.isResumed === true;
  const isKnown = write.digest !== undefined && !isAlone && !turns.isUnsettled(touched.reads);
  const state = write.touched.map((name) => history.partFor(name)).join('');
  const isUndisturbed = () => !turns.hasBegunOn(touched.reads, since);
  const run = new WriteRun(world, call, { write, turn, isUndisturbed });
  const isReplayable = isKnown && (world.materialization !== undefined || recordsWrites(recorded));
  const isAnswered =
    isReplayable && (recorded?.mode === 'strict' || world.materialization?.isVirtual === true);
  const scope = `${call.tool.writePrefix}${state}`;
  if (isKnown && (observation !== undefined || world.reports.isHeard)) {
    const chains = history.chainsOf(write.touched);
    observation?.dependsOn(chains);
    if (isReplayable) world.reports.asked(call.tool.method, write.input, { scope, chains });
  }
  const result = await run.bounded(() => {
    if (!isReplayable) recorded?.past(call.tool.name, 'nobody has said what it writes');
    return isAnswered ? run.answered(scope, observation) : run.run();
  });
  const resultDigest = run.digestOf(result);
  if (isKnown && resultDigest !== undefined) {
    const digest = hashKey(call.tool.name, [call.tool.fingerprint, write.digest, state, resultDigest]);
    if (!run.hasRun)
      await run.orForget(world.materialization?.answered({ ...nameOf(call, write), resultDigest }));
    history.append(write.writes, digest);
  } else {
    history.appendUnknown(write.writes);
  }
  if (resultDigest === undefined && isUnfinished(result)) {
    // It writes while its result is read: nobody waits for that, and nothing it may write is cached.
    turn.abandon();
    world.reports.ran(call.tool.name, result);
    return result;
  }
  const keeping =
    isReplayable && run.hasRun && resultDigest !== undefined ? run.keep(scope, result) : undefined;
  turn.leave();
  const key = await keeping;
  if (key !== undefined) observation?.isKept(key);
  if (run.isPastCache) world.reports.ran(call.tool.name, result, key);
  return result;
}

/** Whether writes are recorded with what has happened before them, or answered so. In `replay` the rest of the world is real. */
function recordsWrites(recorded: RecordedTools | undefined): boolean {
  return recorded?.mode === 'record' || recorded?.mode === 'strict';
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
  const writes = namesFor(effect.writes, input);
  const touched = touchedNames(effect, input);
  if (touched === undefined || writes === undefined) {
    return { input, touched: [everything], writes: [history.resource(everything)], digest: undefined };
  }
  return { input, touched, writes: writes.map((name) => history.resource(name)), digest };
}

/** A write that is answered must not be run for a renewal. */
const neverBehindItsBack = {
  staleWhileRevalidate: false,
  staleIfError: false,
  refreshAhead: false,
  softTimeout: false,
} as const;

/** One write whose turn it is. */
class WriteRun<Result> {
  readonly #world: World;
  readonly #call: RolloutCall<Result>;
  readonly #write: Write;
  readonly #turn: Turn;
  readonly #isUndisturbed: () => boolean;
  readonly #controller = new AbortController();
  /** The tool's run. */
  #running: Promise<Result> | undefined;
  #isSettled = true;
  /** Whether it has run without a load of the cache. */
  isPastCache = false;

  constructor(
    world: World,
    call: RolloutCall<Result>,
    {
      write,
      turn,
      isUndisturbed,
    }: { readonly write: Write; readonly turn: Turn; readonly isUndisturbed: () => boolean },
  ) {
    this.#isUndisturbed = isUndisturbed;
    this.#world = world;
    this.#call = call;
    this.#write = write;
    this.#turn = turn;
  }

  get hasRun(): boolean {
    return this.#running !== undefined;
  }

  /** Runs the tool for its own rollout. */
  run(): Promise<Result> {
    this.isPastCache = true;
    return this.#run();
  }

  #run(): Promise<Result> {
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
    // The tool may change what it is given, which is the key of what is kept.
    const input = this.#write.digest === undefined ? this.#write.input : plainCopy(this.#write.input);
    return this.#turn.run(() => this.#call.run(input, { signal }));
  }

  /** The result that the same write had in another rollout, or the tool's. */
  answered(scope: string, observation: Observation | undefined): Promise<Result> {
    const { method, options: own } = this.#call.tool;
    const { input } = this.#write;
    const options = { ...own, ...neverBehindItsBack, [asker]: { ...own?.[asker], isExact: true } };
    const load = async (context: LoaderContext) => {
      try {
        // A write is never run to see what it says.
        if (isRepeat(context)) throw new Error(`${this.#call.tool.name} writes`);
        const result = await this.#world.joining.run(context.key, () => this.#run());
        if (this.digestOf(result) === undefined) context.withhold();
        context.withholdUnless?.(() => this.#isShareable);
        return result;
      } catch (error) {
        // Others have worlds of their own, in which nothing has failed.
        context.withhold();
        throw error;
      }
    };
    const join = (signal: AbortSignal | undefined) =>
      observation?.find({ method, options }, input, load, { scope, signal, how: 'getOrSet' }) ??
      method.getOrSet<Result>(input, load, { ...options, scope, ...(signal && { signal }) });
    const { signal } = this.#controller;
    const alone = () => this.run();
    return this.#world.joining.ask({
      ...{ signal, join, renew: alone, alone },
      key: () => method.key(input, { scope }),
    });
  }

  /** Whether its world is what others think it is: its caller has waited, and it was alone with what it touches. */
  get #isShareable(): boolean {
    return !this.#controller.signal.aborted && this.#isUndisturbed();
  }

  /** The digest of a result; `undefined` for one that has none, and for an error. */
  digestOf(result: Result): string | undefined {
    if (this.#call.interruptible?.isPrivate() || isErrorOf(this.#call.tool, result)) return undefined;
    return digestOf(result);
  }

  /** Waits for a result as long as its caller does. */
  async bounded(begin: () => Promise<Result>): Promise<Result> {
    const { timeoutMs: ms } = this.#world;
    const { signal, tool } = this.#call;
    const expire = () => {
      this.#controller.abort(
        new LoaderTimeoutError(`The write \`${tool.name}\` took longer than \`timeout\`, ${ms} ms`),
      );
    };
    let deadline: Deadline | undefined;
    let release: (() => void) | undefined;
    let result: Promise<Result> | undefined;
    try {
      release = signal && onAbort(signal, () => this.#controller.abort(signal.reason));
      if (ms !== undefined) deadline = startDeadline({ ms, clock: systemClock, expire, holdsProcess: true });
      result = begin();
      return await orAbort(result, this.#controller.signal);
    } catch (error) {
      result?.catch(() => undefined);
      this.#failed();
      throw error;
    } finally {
      deadline?.cancel();
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

  /** Stores a result, as it is now, for rollouts that do the same and have no world yet. Its key; `undefined`: it is not new. */
  async keep(scope: string, result: Result): Promise<string | undefined> {
    const { method, options } = this.#call.tool;
    if (!this.#isShareable) return undefined;
    try {
      // The next write may change what the tool has returned.
      const copy = plainCopy(result);
      // A recording is of what happened last.
      const isNew =
        this.#world.recorded?.mode === 'record' || !(await method.has(this.#write.input, { scope }));
      const kept = {
        ...(options?.ttl !== undefined && { ttl: options.ttl }),
        ...{ scope, [asker]: options?.[asker] },
      };
      if (isNew && (await method.set(this.#write.input, copy, kept)))
        return method.key(this.#write.input, { scope });
    } catch {
      // Refused, which the cache has counted: the others run it.
    }
    return undefined;
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
