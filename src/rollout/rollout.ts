/** One trajectory of an agent whose tools have state: what was done in it decides which results it shares with others. */

import type { CacheManager, LoaderContext, LoadOptions, MethodCache } from '../index.js';
import { hashKey, InvalidArgumentError, InvalidOptionError } from '../index.js';
import { callListener } from '../listener.js';
import { nodeCrypto } from '../node-crypto.js';
import { shown } from '../option-checks.js';
import { asker, type CallOptions, recordedTools } from '../recorded-tools.js';
import type { ResolvedEffect } from '../tools/effect.js';
import { AnswerReports } from '../trust/observed.js';
import { plainCopy } from '../wrap/plain-copy.js';
import { type Answer, Repeats } from './answer.js';
import { Materialization } from './environment.js';
import { History } from './history.js';
import { Joining } from './joining.js';
import { lookUp, type RolloutLookup } from './lookup.js';
import { type Found, Observation } from './observation.js';
import { type ReadPlace, ReadPlaces, ReadScope } from './read-scope.js';
import type {
  RolloutCall,
  RolloutCallOptions,
  RolloutTool,
  RunTool,
  ToolCallOptions,
} from './rollout-call.js';
import {
  type ResolvedRolloutOptions,
  type RolloutOptions,
  resolveRolloutOptions,
} from './rollout-options.js';
import { rolloutTools, type ToolCaller } from './rollout-tools.js';
import { changesNothing, isKnown, type SharingScope } from './tool-effects.js';
import { optionsFor, runFor, runRead } from './tool-run.js';
import { Turns } from './turns.js';
import { runWrite, type World } from './write.js';

type AnyCall<Result> = RolloutCall<Result, ResolvedEffect>;

const noOptions: RolloutCallOptions = Object.freeze({});
/** Of tools that are given no signal by their callers. */
const neverAborted = new AbortController().signal;

/**
 * One trajectory. Call its tools through it: a tool that only reads is answered from the cache where the same things have
 * happened to what it reads; a tool that writes always runs, unless there is an `environment`; one of which nothing was
 * declared runs and makes void all that was known. Make one for each trajectory. It needs no closing.
 *
 * @example
 * const rollout = new Rollout(cache, { effects, task: 'airline-3', id: 0 });
 * const booking = await rollout.call('get_reservation', { id: 'X4' }, (input) => airline.reservation(input));
 */
export class Rollout {
  readonly #cache: CacheManager;
  readonly #options: ResolvedRolloutOptions;
  readonly #tools = new Map<string, RolloutTool>();
  readonly #nonce = nodeCrypto().randomUUID();
  readonly #history = new History();
  readonly #turns = new Turns();
  readonly #world: World;
  readonly #repeats: Repeats | undefined;
  readonly #reports: AnswerReports;

  /**
   * The calls of one trajectory, answered from a cache.
   * @throws InvalidOptionError naming the option, its value and the fix
   */
  constructor(cache: CacheManager, options: RolloutOptions) {
    if (typeof cache?.method !== 'function') {
      throw new InvalidArgumentError(
        `Expected \`new Rollout(cache, options)\` with a \`CacheManager\`, got ${shown(cache)}`,
      );
    }
    this.#cache = cache;
    this.#reports = new AnswerReports(cache);
    this.#options = resolveRolloutOptions(options);
    const { environment, onAnswer, onRepeat, timeoutMs } = this.#options;
    this.#repeats = onAnswer === undefined && onRepeat === undefined ? undefined : new Repeats();
    const recorded = cache[recordedTools];
    // In `strict` no tool runs but for stand-ins, which need no world.
    const isVirtual = recorded?.mode === 'strict';
    const materialization = environment && !isVirtual ? new Materialization(environment) : undefined;
    this.#world = {
      history: this.#history,
      turns: this.#turns,
      timeoutMs,
      materialization,
      joining: new Joining(cache, materialization),
      recorded,
      reports: this.#reports,
    };
  }

  /** The task, if it was named. */
  get task(): string | undefined {
    return this.#options.task;
  }

  /** Its name among the rollouts of the task. */
  get id(): string {
    return this.#options.id;
  }

  /**
   * What a tool answers: from the cache where that is sure to be the same, else by running it. Rejects with the tool's own
   * error, the caller's abort, a `LoaderTimeoutError` for a write that took too long, `ERR_ROLLOUT_DIVERGED` where the
   * `environment` came to something else, and as `getOrSet` does.
   */
  call<Input, Result>(
    tool: string,
    input: Input,
    run: RunTool<Input, Result>,
    options: RolloutCallOptions = noOptions,
  ): Promise<Result> {
    return this.#call(tool, input, run as RunTool<unknown, Result>, options);
  }

  #call<Result>(
    name: string,
    input: unknown,
    run: RunTool<unknown, Result>,
    { signal, interruptible }: ToolCallOptions,
  ): Promise<Result> {
    try {
      if (typeof run !== 'function') {
        throw new InvalidArgumentError(`Expected a function that runs \`${name}\`, got ${shown(run)}`);
      }
      const tool = this.#tools.get(name) ?? this.#meet(name);
      const call = { tool, effect: tool.effect, input, run, signal, interruptible };
      return this.#repeats === undefined ? this.#answer(call) : this.#observed(call, this.#repeats);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * What the cache knows of a call, a miss, or that it always runs, and the chains of what it depends on. Its tool is not
   * run. It waits for the writes that touch it, and rejects as `cache.lookup` does. Counts as a use.
   */
  async lookup<Result = unknown>(
    tool: string,
    input: unknown,
    { signal }: RolloutCallOptions = noOptions,
  ): Promise<RolloutLookup<Result>> {
    const known = this.#tools.get(tool) ?? this.#meet(tool);
    return lookUp<Result>(this.#world, { tool: known, effect: known.effect, input, signal });
  }

  /**
   * The same tools, a list or a record as an agent framework defines them, run through this rollout: those of the AI SDK,
   * Mastra and LangChain, of Claude's and OpenAI's before `tool()`, and functions of an input and a context. What somebody
   * else runs stays. What a tool says once a person was asked is for that call alone.
   * @throws InvalidOptionError for a tool that can't be run so, with the fix
   */
  tools<T extends object>(tools: T): T {
    const { effects } = this.#options;
    const call: ToolCaller['call'] = (...given) => this.#call(...given);
    const isShared = (tool: string) => {
      const declaration = effects.for(tool);
      const isAnswered = changesNothing(declaration) || this.#world.materialization !== undefined;
      return isAnswered && isKnown(declaration);
    };
    const runner = { call, isShared, changesNothing: (tool: string) => changesNothing(effects.for(tool)) };
    return rolloutTools(runner, tools);
  }

  #meet(name: string): RolloutTool {
    const method = this.#cache.method(name);
    const { effects, id, scope: ownScope } = this.#options;
    const { effect, scope = ownScope, samples, options } = effects.for(name);
    const isPure = effect.kind === 'pure';
    const sample =
      samples === 1 ? undefined : Number.parseInt(hashKey('toolstash.sample', id).slice(0, 12), 16) % samples;
    const fingerprint = method.key('toolstash.rollout');
    const prefixOf = (kind: 'read' | 'write') =>
      JSON.stringify([kind, ...this.#sharers(scope), isPure || effects.digest, fingerprint, sample ?? null]);
    const own = this.#askedBy(method, optionsFor(effect, method, options));
    const isEverybodys = isPure && scope === 'global' && sample === undefined;
    const reads = isEverybodys ? undefined : new ReadScope(prefixOf('read'), own);
    const onlyReads = effect.kind === 'tracked' && effect.writes.length === 0;
    const places = reads && onlyReads ? new ReadPlaces(effect.reads, reads, this.#history) : undefined;
    const tool: RolloutTool = {
      ...{ name, effect, method, sample, fingerprint, options: own, reads, places },
      writePrefix: prefixOf('write'),
    };
    if (method.options.knownKeys !== undefined && effect.kind !== 'opaque' && tool.reads !== undefined) {
      throw new InvalidOptionError(
        `\`knownKeys\` of the method \`${name}\` knows no key of a rollout, which holds what has happened in it: leave it out`,
      );
    }
    this.#tools.set(name, tool);
    return tool;
  }

  /** The options of calls, which say who asks where that is kept. */
  #askedBy(method: MethodCache, options: LoadOptions | undefined): (LoadOptions & CallOptions) | undefined {
    if (method.options.keepParams === undefined) return options;
    const { task, id } = this.#options;
    return { ...options, [asker]: { rollout: id, ...(task !== undefined && { task }) } };
  }

  #sharers(scope: SharingScope): readonly unknown[] {
    const { task, id } = this.#options;
    if (typeof scope === 'object') return ['tenant', scope.tenant];
    if (scope === 'global') return ['global'];
    // Nobody has said which others begin as it does.
    if (task === undefined) return ['alone', this.#nonce];
    return scope === 'task' ? ['task', task] : ['rollout', task, id];
  }

  #answer<Result>(call: AnyCall<Result>, observation?: Observation): Promise<Result> {
    const { tool, effect, input } = call;
    const { materialization } = this.#world;
    if (materialization?.failure !== undefined) return Promise.reject(materialization.failure);
    if (effect.kind === 'pure' && call.interruptible?.isResumed) return this.#runUncached(call, false);
    if (effect.kind === 'pure') return this.#find(call, tool.reads, runFor(call), observation);
    materialization?.refuseWithin(tool.name);
    if (effect.kind === 'opaque') return this.#runUncached(call);
    if (effect.writes.length > 0) return runWrite(this.#world, { ...call, effect }, observation);
    const place = call.interruptible?.isResumed ? undefined : tool.places?.find(input);
    if (place === undefined) return this.#runUncached(call);
    if (this.#turns.isIdle) return this.#read(call, place, observation);
    return this.#readInTurn(call, place, observation);
  }

  /** Reads once no write of what it reads is waiting or running. */
  async #readInTurn<Result>(
    call: AnyCall<Result>,
    { names }: ReadPlace,
    observation: Observation | undefined,
  ): Promise<Result> {
    // A tool that is writing waits for nothing of its own rollout: that might wait for it.
    if (this.#turns.isWithin()) return this.#runUncached(call);
    const resources = names.map((name) => this.#history.resource(name));
    let write = this.#turns.writeOn(resources);
    // Its caller may change it meanwhile.
    const input = write === undefined ? call.input : plainCopy(call.input);
    for (; write !== undefined; write = this.#turns.writeOn(resources)) {
      // It is what waits for this call.
      if (!(await write.hasEnded(call.signal))) return this.#runUncached({ ...call, input });
    }
    if (this.#turns.isUnsettled(resources)) return this.#runUncached({ ...call, input });
    // Its chains may be others than they were.
    const place = call.tool.places?.find(input);
    if (place === undefined) return this.#runUncached({ ...call, input });
    return this.#read({ ...call, input }, place, observation);
  }

  #read<Result>(
    call: AnyCall<Result>,
    { names, scope }: ReadPlace,
    observation: Observation | undefined,
  ): Promise<Result> {
    if (observation !== undefined || this.#reports.isHeard)
      this.#dependsOn(call, { scope: scope.text, names }, observation);
    const since = this.#turns.begun;
    const load = (context: LoaderContext) => runRead(this.#world, context, { call, names, since });
    const { joining } = this.#world;
    if (!joining.isNeeded) return this.#find(call, scope, load, observation);
    const { tool, input, signal } = call;
    return joining.ask({
      key: () => tool.method.key(input, { scope: scope.text }),
      signal,
      join: (until) => this.#find({ ...call, signal: until }, scope, load, observation),
      renew: () => this.#find(call, scope, load, observation, 'refresh'),
      alone: () => this.#runUncached(call),
    });
  }

  /** Tells those who want to know what a call depends on. */
  #dependsOn(
    { tool, input }: AnyCall<unknown>,
    { scope, names }: { readonly scope: string; readonly names: readonly string[] },
    observation: Observation | undefined,
  ): void {
    const chains = this.#history.chainsOf(names);
    observation?.dependsOn(chains);
    this.#reports.asked(tool.method, input, { scope, chains });
  }

  #find<Result>(
    { tool, input, signal }: AnyCall<Result>,
    scope: ReadScope | undefined,
    load: (context: LoaderContext) => Result | PromiseLike<Result>,
    observation: Observation | undefined,
    how: 'getOrSet' | 'refresh' = 'getOrSet',
  ): Promise<Result> {
    if (observation !== undefined)
      return observation.find(tool, input, load, { scope: scope?.text, signal, how });
    const keyed = scope === undefined ? tool.options : scope.options;
    return tool.method[how]<Result>(input, load, signal === undefined ? keyed : { ...keyed, signal });
  }

  async #runUncached<Result>(
    { tool, input, run, signal }: AnyCall<Result>,
    needsWorld = true,
  ): Promise<Result> {
    this.#world.recorded?.past(tool.name, 'its answer is for this call alone');
    if (needsWorld) await this.#world.materialization?.materialize();
    const result = await run(input, { signal: signal ?? neverAborted });
    this.#reports.ran(tool.name, result);
    return result;
  }

  /** A call whose provenance somebody wants to know. */
  async #observed<Result>(call: AnyCall<Result>, repeats: Repeats): Promise<Result> {
    const { tool, effect, input } = call;
    const isWrite = effect.kind === 'tracked' && effect.writes.length > 0;
    const noted = repeats.note(tool.method, input, { isWrite, lateEnds: this.#turns.lateEnds });
    const { repeat } = noted;
    const observation = new Observation();
    let result: Result;
    const { onAnswer, onRepeat } = this.#options;
    const told = (found: Found) => ({ tool: tool.name, ...found, sample: tool.sample, repeat });
    const tellRepeat = (answer: Answer) => {
      if (repeat > 1) callListener('`onRepeat` of a rollout', onRepeat, answer);
    };
    try {
      result = await this.#answer(call, observation);
    } catch (error) {
      tellRepeat(told(observation.failed));
      throw error;
    } finally {
      if (isWrite) repeats.written(noted.call);
    }
    const answer = told(observation.found);
    callListener('`onAnswer` of a rollout', onAnswer, answer);
    tellRepeat(answer);
    return result;
  }
}
