/**
 * Calls of Mastra's tools. A tool may suspend its run, and is called again with what a person answered: that answer is
 * one caller's, and so is a result that comes with a suspension.
 */

import { copyFields } from '../wrap/plain-copy.js';
import type { Callable } from '../wrap/wrapped-types.js';
import type { WrappableTool } from '../wrap/wrapping.js';

type Fields = Record<string, unknown>;

/** How a tool is run, and what tells its calls apart. */
export interface ToolRun extends Pick<WrappableTool, 'fn' | 'isPrivate'> {
  readonly key: (...args: readonly unknown[]) => unknown;
}

/** A tool that is run like that, and whether a person is asked before. */
export interface MastraTool extends Pick<ToolRun, 'fn' | 'key'> {
  /** Runs it without the cache, with what a person answered. */
  readonly resume: Callable;
  readonly requiresApproval: boolean;
}

/** A tool of Mastra's as a function that a cache answers for. `wrap` puts one under the cache. */
export function mastraFunction(
  { fn, key, resume, requiresApproval }: MastraTool,
  wrap: (run: ToolRun) => Callable,
): Callable {
  const cached = wrap({
    fn(this: unknown, call: unknown, signal: unknown): unknown {
      return (call as MastraCall).run(fn, this, signal);
    },
    key: (call) => key((call as MastraCall).input, ...(call as MastraCall).args.slice(1)),
    isPrivate: ([call]) => (call as MastraCall).isSuspended,
  });
  return function (this: unknown, ...args: readonly unknown[]): unknown {
    const call = new MastraCall(args);
    // What a person answered is part of neither the input nor the key.
    const isFirst = !call.isResumed || (requiresApproval && call.isApproved);
    return isFirst ? cached.call(this, call, call.signal) : Reflect.apply(resume, this, args);
  };
}

/** What the model asked for, in the arguments of a call of a tool. */
export function mastraInput(args: readonly unknown[]): unknown {
  return new MastraCall(args).input;
}

/** The arguments of one call, in an instance of a class so that nothing looks into them for signals. */
class MastraCall {
  readonly args: readonly unknown[];
  /** Whether the tool suspended its run. */
  isSuspended = false;

  constructor(args: readonly unknown[]) {
    this.args = args;
  }

  /** What the model asked for: argument 0; of Mastra 0 a part of it, which has contexts in it too. */
  get input(): unknown {
    const [first] = this.args;
    return isOfMastra0(first) ? first['context'] : first;
  }

  /** Whether a suspended call goes on, with an answer to what it asked. */
  get isResumed(): boolean {
    return this.#contexts().some(({ resumeData }) => resumeData !== undefined && resumeData !== null);
  }

  /** Whether it goes on with nothing but an approval, which Mastra 0 hands on to the tool. */
  get isApproved(): boolean {
    if (!isOfMastra0(this.args[0])) return false;
    const data = this.#contexts().flatMap(({ resumeData }) => (isObject(resumeData) ? [resumeData] : []));
    return data.every((each) => each['approved'] === true && Object.keys(each).length === 1);
  }

  /** Aborts the call. */
  get signal(): unknown {
    return this.#contexts().find(({ abortSignal }) => abortSignal !== undefined)?.['abortSignal'];
  }

  /** Calls the tool under another signal, and notices whether it suspends its run. */
  run(fn: Callable, self: unknown, signal: unknown): unknown {
    const [first, second, ...rest] = this.args;
    const args = [
      isOfMastra0(first) ? this.#under(signal, first) : first,
      isObject(second) ? this.#under(signal, second) : second,
      ...rest,
    ];
    return Reflect.apply(fn, self, args.slice(0, this.args.length));
  }

  /**
   * The context with another signal. Mastra knows those that it made for this one call by their identity (that it has
   * validated the input): such a one is changed, any other copied.
   */
  #under(signal: unknown, context: Fields): Fields {
    const isOfThisCall = Object.hasOwn(context, 'writer');
    const own = isOfThisCall ? context : (copyFields(context, (value) => value) as Fields);
    for (const name of ['agent', 'workflow']) {
      if (isObject(own[name])) Reflect.set(own, name, this.#watched({ ...own[name] }, signal));
    }
    return this.#watched(own, signal);
  }

  #watched(context: Fields, signal: unknown): Fields {
    const { abortSignal, suspend } = context;
    if (abortSignal !== undefined) Reflect.set(context, 'abortSignal', signal);
    if (typeof suspend === 'function') {
      Reflect.set(context, 'suspend', (...args: unknown[]): unknown => {
        this.isSuspended = true;
        return Reflect.apply(suspend, context, args);
      });
    }
    return context;
  }

  /** The objects that may hold `suspend`, `resumeData` and a signal; never the input. */
  #contexts(): Fields[] {
    const [first, second] = this.args;
    return [...(isOfMastra0(first) ? [first] : []), ...(isObject(second) ? [second] : [])].flatMap(
      (context) => [context, ...[context['agent'], context['workflow']].filter(isObject)],
    );
  }
}

/** Mastra 0 calls `execute({ context: input, runtimeContext, … }, options)`. An input, being JSON, holds no methods. */
function isOfMastra0(first: unknown): first is Fields {
  if (!isObject(first) || !Object.hasOwn(first, 'context')) return false;
  const runtime = first['runtimeContext'];
  return isObject(runtime) && typeof runtime['get'] === 'function';
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}
