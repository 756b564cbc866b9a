/** A call whose key was found without a closer look at it, as for most that the cache has an answer to. */

import type { AbortSource } from '../guard/shared-abort.js';
import type { KnownArguments } from '../key/argument-index.js';
import { CallArguments } from './call-arguments.js';
import type { KnownCall, WrapTarget } from './host.js';
import { type CalledTool, CallUnderWay, type UnstartedCall, withheldCall } from './tool-call.js';

/** Everything else about it is found out once memory has no answer: one object is all that a hit makes of its call. */
export class IndexedCall implements KnownCall {
  readonly key: string;
  readonly known: KnownArguments;
  readonly params: unknown;
  readonly scope: string | undefined;
  readonly #tool: CalledTool;
  readonly #target: WrapTarget;
  readonly #self: unknown;
  readonly #given: readonly unknown[];
  #call: UnstartedCall | undefined;

  // Positional, as this is made for every hit.
  constructor(
    known: KnownArguments,
    params: unknown,
    scope: string | undefined,
    tool: CalledTool,
    target: WrapTarget,
    self: unknown,
    given: readonly unknown[],
  ) {
    this.key = known.key;
    this.known = known;
    this.params = params;
    this.scope = scope;
    this.#tool = tool;
    this.#target = target;
    this.#self = self;
    this.#given = given;
  }

  get signal(): AbortSource | undefined {
    if (!this.#tool.hasOwnKey) {
      // Plain data holds no signals: there may be one at the end alone.
      const last = this.#given.length > 1 ? this.#given.at(-1) : undefined;
      return last instanceof AbortSignal ? last : undefined;
    }
    // Beside what a function of the user's makes the key of there may be any: contexts of agents hold whole transcripts.
    try {
      return new CallArguments(this.#given).signal;
    } catch {
      // What threw when it was read is for the tool to find out.
      return undefined;
    }
  }

  toolCall(): UnstartedCall {
    this.#call ??= this.#made();
    return this.#call;
  }

  /** Its caller has been answered, or waits: a tool that was not called yet will be called late. */
  returned(): void {
    if (this.#call !== undefined) this.#call.isLate = true;
  }

  #made(): UnstartedCall {
    const given = this.#given;
    try {
      return new CallUnderWay(this.#tool, this.#target, this.#self, new CallArguments(given), this.scope);
    } catch {
      // They threw when they were read again: whatever comes of them, its key may be another.
      return withheldCall(() => Reflect.apply(this.#tool.fn, this.#self, given));
    }
  }
}
