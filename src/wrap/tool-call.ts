/** One call of a tool: what it runs with once the cache has no answer, and whether its answer is one for others too. */

import { UnhashableParamsError } from '../errors.js';
import type { AbortSource } from '../guard/shared-abort.js';
import { CallArguments, type ParamsOf } from './call-arguments.js';
import type { ContextWatch } from './context-watch.js';
import { holdsAbortedSignal } from './hidden-signals.js';
import type { SyncToolCall, SyncToolContext, ToolCall, ToolContext, WrapTarget } from './host.js';
import type { Callable } from './wrapped-types.js';

/** What all calls of a tool have in common. */
export interface CalledTool {
  readonly fn: Callable;
  readonly paramsOf: ParamsOf;
  /** Whether a function of the user's makes the params: they need not hold all of the arguments. */
  readonly hasOwnKey: boolean;
  /** Whether a function of the user's tells the scope from the receiver. */
  readonly isScoped: boolean;
  /** Whether the result of a call with these arguments is its caller's alone, asked once it is done. */
  readonly isPrivate: ((given: readonly unknown[]) => boolean) | undefined;
  /** Notices calls that are never answered from the cache. */
  readonly watch: ContextWatch;
  scopeOf(self: unknown): string | undefined;
}

/** A call whose tool may not be called yet. */
export interface UnstartedCall extends ToolCall<unknown>, SyncToolCall<unknown> {
  /** Whether the tool, if it was not called yet, will be called later than its caller called. */
  isLate: boolean;
}

/**
 * A call under way. A caller may change its arguments, or its object's scope, after the call, while the tool waits its
 * turn or reads them late, and an answer to the changed call must not be kept under the key of the old one, nor given to
 * others who asked for that. So the tool gets a private copy of arguments that are all in the key. Where they are not
 * (`key`, `ignore`) it gets its caller's own, and its answer is the caller's alone when they make another key by the time
 * it starts or ends. The same holds for a `scope` function.
 */
export class CallUnderWay implements UnstartedCall {
  // Declared only, so that an absent option is no property at all.
  declare readonly scope?: string;
  declare readonly signal?: AbortSource;
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
    this.#watch();
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
    const result = (given: readonly unknown[]) => Reflect.apply(this.#tool.fn, this.#self, given);
    // Nothing was prepared: the tool runs for this caller alone.
    if (this.#key === undefined) {
      this.#watchUnkeyed();
      return result(this.#args.givenUnder(context));
    }
    const given = (this.#copy ?? this.#args).givenUnder(context);
    if (this.#isUnsteady || (this.isLate && !this.#isStillTheSame())) {
      this.#withhold(context);
      return result(given);
    }
    if (this.#copy !== undefined && !this.#tool.isScoped) return result(given);
    return this.#watched(context, given, result);
  }

  async #watched(
    context: ToolContext,
    given: readonly unknown[],
    result: (given: readonly unknown[]) => unknown,
  ): Promise<unknown> {
    try {
      return await result(given);
    } catch (error) {
      // Its caller's own signal has ended it: one that could not be replaced. The others who wait have not aborted.
      if (holdsAbortedSignal(given)) context.withhold();
      throw error;
    } finally {
      if (this.#tool.isPrivate?.(given) || !this.#isStillTheSame()) this.#withhold(context);
    }
  }

  runAtOnce(context: SyncToolContext): unknown {
    if (this.#key === undefined) this.#watchUnkeyed();
    if (this.#isUnsteady) this.#withhold(context);
    return Reflect.apply(this.#tool.fn, this.#self, (this.#copy ?? this.#args).given);
  }

  #watch(): void {
    const { watch, hasOwnKey } = this.#tool;
    // Who makes the key has decided what is in it.
    watch.missed({
      data: hasOwnKey ? [] : this.#args.data,
      hasSignal: this.signal !== undefined,
      wasAnswered: () => this.#target.wasAnswered,
      keyOf: (data) => this.#keyOf(new CallArguments(data)),
    });
  }

  /** Calls may be without a key for passing reasons: closed, in another's load. */
  #watchUnkeyed(): void {
    if (!this.#tool.watch.awaitsKey) return;
    try {
      this.#keyOf(this.#args);
    } catch (error) {
      if (error instanceof UnhashableParamsError) this.#tool.watch.unkeyed(error);
    }
  }

  #withhold(context: SyncToolContext): void {
    context.withhold();
    this.#target.uncached('a call that changes');
  }

  #isStillTheSame(): boolean {
    try {
      if (this.#tool.isScoped && this.#tool.scopeOf(this.#self) !== this.scope) return false;
      return this.#copy !== undefined || this.#keyOf(this.#args.readAgain()) === this.#key;
    } catch {
      return false;
    }
  }

  #keyOf(args: CallArguments): string {
    return this.#target.key(this.#tool.paramsOf(args), this.scope);
  }
}

/** A call of which nothing is known but how to make it, and that its result is its caller's alone. */
export function withheldCall(run: () => unknown): UnstartedCall {
  const withheld = (context: SyncToolContext) => {
    context.withhold();
    return run();
  };
  return { isLate: false, prepare: () => undefined, run: withheld, runAtOnce: withheld };
}

/** A call of which nothing is known but how to make it. */
export function blindCall(run: () => unknown): ToolCall<unknown> & SyncToolCall<unknown> {
  return { prepare: () => undefined, run, runAtOnce: run };
}
