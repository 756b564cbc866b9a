/** Tools as agent frameworks define them, run through a rollout. */

import { types } from 'node:util';
import { InvalidArgumentError, InvalidOptionError } from '../index.js';
import { isPlain } from '../key/tagged-form.js';
import { shown } from '../option-checks.js';
import { hintIn } from '../tools/hints.js';
import { langChainFunction } from '../tools/langchain.js';
import { mastraFunction, mastraInput, type ToolRun } from '../tools/mastra.js';
import { contextSchemaIn, type ToolShape, toolShape } from '../tools/tool-shape.js';
import { copyFields, setField } from '../wrap/plain-copy.js';
import type { Callable } from '../wrap/wrapped-types.js';
import type { Interruptible, RunTool, ToolCallOptions } from './rollout-call.js';

/** Calls tools in a rollout. */
export interface ToolCaller {
  call<Result>(
    tool: string,
    input: unknown,
    run: RunTool<unknown, Result>,
    options: ToolCallOptions,
  ): Promise<Result>;
}

/** What runs tools, and knows what was declared of them. */
interface ToolRunner extends ToolCaller {
  changesNothing(tool: string): boolean;
  /** Whether a call of it may be answered by what another rollout was told. */
  isShared(tool: string): boolean;
}

/** @throws InvalidArgumentError, InvalidOptionError */
export function rolloutTools<T extends object>(rollout: ToolRunner, tools: T): T {
  if (Array.isArray(tools))
    return tools.map((tool: unknown) => rolloutTool(rollout, tool, undefined)) as unknown as T;
  if (typeof tools !== 'object' || tools === null)
    throw new InvalidArgumentError(`Expected a list or a record of tools, got ${shown(tools)}`);
  const record = copyFields(tools, (value) => value);
  for (const [key, tool] of Object.entries(tools)) setField(record, key, rolloutTool(rollout, tool, key));
  return record as T;
}

function rolloutTool(rollout: ToolRunner, tool: unknown, key: string | undefined): unknown {
  const isTool = (typeof tool === 'object' && tool !== null) || typeof tool === 'function';
  // Tools that are there under some condition only.
  if (!isTool) return tool;
  const shape = toolShape(tool, key);
  if (shape.kind === 'elsewhere') return tool;
  const { name } = shape;
  if (shape.kind === 'refused') throw refusal(name, shape.fix);
  if (name === undefined)
    throw new InvalidArgumentError(
      'Expected each tool of a list to have a `name`, got one without: give a record',
    );
  const hint = hintIn(tool);
  if (hint !== undefined && rollout.changesNothing(name)) {
    throw refusal(
      name,
      `its \`annotations\` say \`${hint}\`, and its effect that it changes nothing: declare what it writes`,
    );
  }
  const context = contextSchemaIn(tool as object);
  if (context !== undefined && rollout.isShared(name)) {
    throw refusal(
      name,
      `it reads a context (\`${context}\`) that is no part of its input: declare it 'opaque', or call \`rollout.call\` with an ` +
        'input that holds what of the context makes a difference',
    );
  }
  if (types.isGeneratorFunction(shape.fn)) {
    throw refusal(name, 'it yields its result bit by bit: make its function one that returns it whole');
  }
  return shape.with(throughRollout(rollout, name, shape));
}

/** The function of a tool, called through a rollout as its framework calls it. */
function throughRollout(
  rollout: ToolCaller,
  name: string,
  { fn, mastra, isOfLangChain }: ToolShape & { readonly kind: 'runs' },
): Callable {
  const through = (run: Pick<ToolRun, 'fn' | 'isPrivate'>) => runThrough(rollout, name, run);
  if (mastra === undefined && !isOfLangChain) return through({ fn });
  if (isOfLangChain) {
    const resume = runThrough(rollout, name, { fn }, true);
    return langChainFunction({ fn, resume, key: firstOf }, through);
  }
  const resume = function (this: unknown, ...args: readonly unknown[]): unknown {
    const run = () => Reflect.apply(fn, this, args);
    return rollout.call(name, mastraInput(args), run, { interruptible: resumed });
  };
  return mastraFunction({ fn, resume, key: firstOf, ...mastra! }, ({ fn: runCall, isPrivate, key }) => {
    return function (this: unknown, call: unknown, signal: unknown): unknown {
      const run = (_: unknown, given: { readonly signal: AbortSignal }) =>
        Reflect.apply(runCall, this, [call, given.signal]);
      const interruptible = { isResumed: false, isPrivate: () => isPrivate?.([call]) === true };
      const options = signal instanceof AbortSignal ? { signal, interruptible } : { interruptible };
      return rollout.call(name, key(call), run, options);
    };
  });
}

const firstOf = (input: unknown) => input;

/** Of a call that goes on by what somebody has answered. */
const resumed: Interruptible = { isResumed: true, isPrivate: () => true };

function runThrough(
  rollout: ToolCaller,
  name: string,
  { fn, isPrivate }: Pick<ToolRun, 'fn' | 'isPrivate'>,
  isResumed = false,
): Callable {
  return function (this: unknown, ...args: readonly unknown[]): unknown {
    const [input, ...context] = args;
    const signal = signalIn(context);
    let given: readonly unknown[] = args;
    // A single caller's abort must end the call for that caller alone, so the tool is given the signal of all.
    const run = (copy: unknown, { signal: own }: { readonly signal: AbortSignal }) => {
      given = [copy, ...context.map((each) => withSignal(each, own))].slice(0, args.length);
      return Reflect.apply(fn, this, given);
    };
    const interruptible = isResumed
      ? resumed
      : isPrivate && { isResumed: false, isPrivate: () => isPrivate(given) };
    const options = { ...(signal && { signal }), ...(interruptible && { interruptible }) };
    return rollout.call(name, input, run, options);
  };
}

/** The fields under which frameworks hand a signal on. */
const signalFields = ['abortSignal', 'signal'] as const;

function signalIn(context: readonly unknown[]): AbortSignal | undefined {
  for (const each of context) {
    if (each instanceof AbortSignal) return each;
    for (const field of signalFields) {
      const value = (each as Readonly<Record<string, unknown>> | null | undefined)?.[field];
      if (value instanceof AbortSignal) return value;
    }
  }
  return undefined;
}

function withSignal(context: unknown, signal: AbortSignal): unknown {
  if (context instanceof AbortSignal) return signal;
  if (typeof context !== 'object' || context === null) return context;
  const field = signalFields.find((each) => Reflect.get(context, each) instanceof AbortSignal);
  if (field === undefined) return context;
  const copy = isPlain(context)
    ? copyFields(context, (value) => value)
    : (Object.create(context, Object.getOwnPropertyDescriptors(context)) as object);
  setField(copy, field, signal);
  return copy;
}

function refusal(name: string | undefined, fix: string): InvalidOptionError {
  return new InvalidOptionError(`The tool \`${name}\` can't be run through a rollout, because ${fix}`);
}
