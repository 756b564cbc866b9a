/** A call whose arguments are plain data and are all in its key, as most calls are. */

import type { KnownArguments } from '../key/argument-index.js';
import type { KnownCall, SyncToolCall, SyncToolContext, ToolCall, ToolContext, WrapTarget } from './host.js';
import { plainCopy } from './plain-copy.js';
import type { CalledTool } from './tool-call.js';

/**
 * The tool gets a private copy of the arguments, which is compared with those that made the key: whatever the caller does
 * to its own after the call, the answer is that of the copy.
 */
export class PlainCall implements KnownCall, ToolCall<unknown>, SyncToolCall<unknown> {
  readonly key: string;
  readonly params: unknown;
  declare readonly scope?: never;
  readonly #known: KnownArguments;
  readonly #tool: CalledTool;
  readonly #target: WrapTarget;
  readonly #self: unknown;
  #given: readonly unknown[];
  #isUnsteady = false;

  // Positional, as this is made for every hit.
  constructor(
    known: KnownArguments,
    params: unknown,
    tool: CalledTool,
    target: WrapTarget,
    self: unknown,
    given: readonly unknown[],
  ) {
    this.key = known.key;
    this.params = params;
    this.#known = known;
    this.#tool = tool;
    this.#target = target;
    this.#self = self;
    this.#given = given;
  }

  /** Plain data holds no signals: there may be one at the end alone. */
  get signal(): AbortSignal | undefined {
    const last = this.#given.length > 1 ? this.#given.at(-1) : undefined;
    return last instanceof AbortSignal ? last : undefined;
  }

  toolCall(): this {
    return this;
  }

  prepare(): void {
    const { watch, paramsOf } = this.#tool;
    const hasSignal = this.signal !== undefined;
    const dataOf = (given: readonly unknown[]) => (hasSignal ? given.slice(0, -1) : given);
    watch.missed({
      data: dataOf(this.#given),
      hasSignal,
      wasAnswered: () => this.#target.wasAnswered,
      keyOf: (data) => this.#target.key(paramsOf({ given: data, data }), undefined),
    });
    try {
      const copy = this.#given.map(plainCopy);
      // Getters and proxies may say one thing to the key and another to the copy.
      this.#isUnsteady = !this.#known.areSameAs(paramsOf({ given: copy, data: dataOf(copy) }));
      this.#given = copy;
    } catch {
      // Gone since the key was made: the tool finds out by itself.
      this.#isUnsteady = true;
    }
  }

  run(context: ToolContext): unknown {
    if (this.#isUnsteady) this.#withhold(context);
    const hasSignal = this.signal !== undefined;
    return this.#result(hasSignal ? this.#given.with(-1, context.signal) : this.#given);
  }

  runAtOnce(context: SyncToolContext): unknown {
    if (this.#isUnsteady) this.#withhold(context);
    return this.#result(this.#given);
  }

  #result(given: readonly unknown[]): unknown {
    return Reflect.apply(this.#tool.fn, this.#self, given);
  }

  #withhold(context: SyncToolContext): void {
    context.withhold();
    this.#target.uncached('a call that changes');
  }
}
