/** One call of a tool that returns a promise: what it runs with once the cache has no answer. */

import type { CallArguments, ParamsOf } from './call-arguments.js';
import type { ToolCall, ToolContext, WrapTarget } from './host.js';
import type { Callable } from './wrapped-types.js';

/** What all calls of a tool have in common. */
export interface CalledTool {
  readonly fn: Callable;
  readonly paramsOf: ParamsOf;
  /** Whether a function of the user's makes the params: they need not hold all of the arguments. */
  readonly hasOwnKey: boolean;
}

/**
 * A call under way. A caller may change its arguments after the call, while the tool waits its turn or reads them
 * late, and an answer to changed arguments must not be kept under the key of the old ones. So the tool gets a private
 * copy of arguments that are all in the key. Where they are not (`key`, `ignore`) it gets its caller's own, and an
 * answer is not kept when they made another key by the time it started.
 */
export class PromisedCall implements ToolCall<unknown> {
  // Declared only, so that an absent option is no property at all.
  declare readonly scope?: string;
  declare readonly signal?: AbortSignal;
  /** Whether the tool, if it was not called yet, will be called later than its caller called. */
  isLate = false;
  readonly #tool: CalledTool;
  readonly #target: WrapTarget;
  readonly #self: unknown;
  readonly #args: CallArguments;
  #key: string | undefined;
  #copy: CallArguments | undefined;
  #isUnsteady = false;

  // Positional, as this is built for every hit.
  constructor(
    tool: CalledTool,
    target: WrapTarget,
    self: unknown,
    args: CallArguments,
    scope: string | undefined,
  ) {
    this.#tool = tool;
    this.#target = target;
    this.#self = self;
    this.#args = args;
    if (scope !== undefined) this.scope = scope;
    if (args.signal !== undefined) this.signal = args.signal;
  }

  prepare(key: string): void {
    this.#key = key;
    if (this.#tool.hasOwnKey || this.#target.ignoresParams) return;
    try {
      const copy = this.#args.copy();
      // Getters and proxies may say one thing to the key and another to the copy.
      if (this.#keyOf(copy) === key) this.#copy = copy;
      else this.#isUnsteady = true;
    } catch {
      // Nested too deeply to be copied, or gone since the key was made: the tool finds out by itself.
      this.#isUnsteady = true;
    }
  }

  run(context: ToolContext): unknown {
    const { fn } = this.#tool;
    // Nothing was prepared: the tool runs for this caller alone.
    if (this.#key === undefined) return Reflect.apply(fn, this.#self, this.#args.given);
    if (this.#copy !== undefined) return Reflect.apply(fn, this.#self, this.#copy.givenUnder(context));
    if (this.#isUnsteady || (this.isLate && !this.#hasSameKey())) {
      context.skip();
      this.#target.uncached('arguments that change');
    }
    return Reflect.apply(fn, this.#self, this.#args.givenUnder(context));
  }

  #hasSameKey(): boolean {
    try {
      return this.#keyOf(this.#args) === this.#key;
    } catch {
      return false;
    }
  }

  #keyOf(args: CallArguments): string {
    return this.#target.key(this.#tool.paramsOf(args), this.scope);
  }
}

/** Calls a tool without a cache. What it throws at once is a rejection too. */
export function runDirectly(fn: Callable, self: unknown, given: readonly unknown[]): Promise<unknown> {
  return new Promise((resolve) => resolve(Reflect.apply(fn, self, given)));
}
