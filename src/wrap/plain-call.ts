/** A call whose arguments are plain data and are all in its key, as most calls are. */

import type { CopyingCall, KnownArguments } from '../key/argument-index.js';
import type { KnownCall, SyncToolCall, SyncToolContext, ToolCall, ToolContext, WrapTarget } from './host.js';
import { plainCopy } from './plain-copy.js';
import type { CalledTool } from './tool-call.js';

/**
 * The tool gets a private copy of the arguments, which has made the key or is compared with what has: whatever the caller
 * does to its own after the call, the answer is that of the copy.
 */
export class PlainCall implements KnownCall, ToolCall<unknown>, SyncToolCall<unknown>, CopyingCall {
  key = '';
  known: KnownArguments | undefined;
  readonly params: unknown;
  declare readonly scope?: never;
  /** Plain data holds no signals: there may be one behind it. */
  readonly signal: AbortSignal | undefined;
  readonly #tool: CalledTool;
  readonly #target: WrapTarget;
  readonly #self: unknown;
  readonly #data: readonly unknown[];
  #copy: readonly unknown[] | undefined;
  #isUnsteady = false;

  // Positional, as this is made for every hit.
  constructor(
    params: unknown,
    tool: CalledTool,
    target: WrapTarget,
    self: unknown,
    given: readonly unknown[],
    data: readonly unknown[],
  ) {
    this.params = params;
    this.signal = data === given ? undefined : (given[data.length] as AbortSignal);
    this.#tool = tool;
    this.#target = target;
    this.#self = self;
    this.#data = data;
  }

  /** The call, once its arguments are known to be plain. */
  knownAs(known: KnownArguments): this {
    this.key = known.key;
    this.known = known;
    return this;
  }

  toolCall(): this {
    return this;
  }

  ownParams(): unknown {
    const copy = this.#data.map(plainCopy);
    this.#copy = copy;
    // Mostly the list itself, or its only argument.
    if (this.params === this.#data) return copy;
    return this.params === this.#data[0] ? copy[0] : this.#tool.paramsOf({ given: copy, data: copy });
  }

  prepare(key: string): void {
    const { watch, paramsOf } = this.#tool;
    watch.missed({
      data: this.#data,
      hasSignal: this.signal !== undefined,
      wasAnswered: () => this.#target.wasAnswered,
      keyOf: (data) => this.#target.key(paramsOf({ given: data, data }), undefined),
    });
    if (this.#copy !== undefined && key === this.key) return;
    try {
      // Getters and proxies may say one thing to the key and another to the copy.
      this.#isUnsteady = key !== this.key || this.known?.areSameAs(this.ownParams()) !== true;
    } catch {
      // Gone since the key was made.
      this.#isUnsteady = true;
    }
    // The tool finds out by itself.
    if (this.#isUnsteady) this.#copy = undefined;
  }

  run(context: ToolContext): unknown {
    if (this.#isUnsteady) this.#withhold(context);
    const data = this.#copy ?? this.#data;
    const given = this.signal === undefined ? data : [...data, context.signal];
    return Reflect.apply(this.#tool.fn, this.#self, given);
  }

  runAtOnce(context: SyncToolContext): unknown {
    if (this.#isUnsteady) this.#withhold(context);
    const data = this.#copy ?? this.#data;
    return Reflect.apply(
      this.#tool.fn,
      this.#self,
      this.signal === undefined ? data : [...data, this.signal],
    );
  }

  #withhold(context: SyncToolContext): void {
    context.withhold();
    this.#target.uncached('a call that changes');
  }
}
