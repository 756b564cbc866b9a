/** A tool and its cache: decides for each call whether it may use the cache, and under which params. */

import { CacheError, InvalidArgumentError } from '../errors.js';
import { argumentsAsParams, CallArguments, namedParams, type ParamsOf } from './call-arguments.js';
import type { WrapTarget } from './host.js';
import type { ReceiverRule } from './receiver.js';
import { type CalledTool, PromisedCall, runDirectly } from './tool-call.js';
import type { ResolvedWrapOptions } from './wrap-options.js';
import type { Callable } from './wrapped-types.js';

/** What a cached tool is made from. */
export interface ToolDefinition {
  readonly fn: Callable;
  readonly options: ResolvedWrapOptions;
  readonly receivers: ReceiverRule;
  /**
   * The method in the cache; its name may have to be found on the object that the function is called on.
   * `undefined`: it has none that could be found, which was reported.
   */
  readonly targetFor: (self: unknown) => WrapTarget | undefined;
  /** Whether the function can only be called on an object. */
  readonly needsReceiver: boolean;
}

/** One function under a cache. */
export class CachedTool implements CalledTool {
  readonly fn: Callable;
  readonly paramsOf: ParamsOf;
  readonly hasOwnKey: boolean;
  readonly #receivers: ReceiverRule;
  readonly #targetFor: ToolDefinition['targetFor'];
  readonly #needsReceiver: boolean;

  constructor({ fn, options, receivers, targetFor, needsReceiver }: ToolDefinition) {
    this.fn = fn;
    this.#receivers = receivers;
    this.#targetFor = targetFor;
    this.#needsReceiver = needsReceiver;
    const { key, params } = options;
    if (key !== undefined) this.paramsOf = ({ given }) => key(...given);
    else this.paramsOf = params === undefined ? argumentsAsParams : namedParams(params);
    this.hasOwnKey = key !== undefined;
  }

  call(self: unknown, given: readonly unknown[]): Promise<unknown> {
    return this.#ask('getOrSet', self, given);
  }

  async refresh(self: unknown, given: readonly unknown[]): Promise<unknown> {
    return this.#ask('refresh', this.#receiverFor(self), given);
  }

  callSync(self: unknown, given: readonly unknown[]): unknown {
    return this.#askSync('getOrSetSync', self, given);
  }

  refreshSync(self: unknown, given: readonly unknown[]): unknown {
    return this.#askSync('refreshSync', this.#receiverFor(self), given);
  }

  /** @throws UnhashableParamsError, or what the `scope` or `key` function throws */
  key(self: unknown, given: readonly unknown[]): string {
    const args = new CallArguments(given);
    return this.#namedTarget(self).key(this.paramsOf(args), this.#receivers.scopeOf(self));
  }

  /** Tells whether memory had it. @throws UnhashableParamsError, or what the `scope` or `key` function throws */
  invalidate(self: unknown, given: readonly unknown[]): boolean {
    const args = new CallArguments(given);
    return this.#namedTarget(self).delete(this.paramsOf(args), this.#receivers.scopeOf(self));
  }

  #ask(how: 'getOrSet' | 'refresh', self: unknown, given: readonly unknown[]): Promise<unknown> {
    const target = this.#targetFor(self);
    if (target === undefined || !this.#admits(self, target)) return runDirectly(this.fn, self, given);
    let call: PromisedCall;
    let params: unknown;
    try {
      const scope = this.#receivers.scopeOf(self);
      const args = new CallArguments(given);
      params = this.paramsOf(args);
      call = new PromisedCall(this, target, self, args, scope);
    } catch (error) {
      reportUntold(target, error);
      return runDirectly(this.fn, self, given);
    }
    const result = target[how](params, call);
    call.isLate = true;
    return result;
  }

  #askSync(how: 'getOrSetSync' | 'refreshSync', self: unknown, given: readonly unknown[]): unknown {
    const run = () => Reflect.apply(this.fn, self, given);
    const target = this.#targetFor(self);
    if (target === undefined || !this.#admits(self, target)) return run();
    let scope: string | undefined;
    let signal: AbortSignal | undefined;
    let params: unknown;
    try {
      scope = this.#receivers.scopeOf(self);
      const args = new CallArguments(given);
      signal = args.signal;
      params = this.paramsOf(args);
    } catch (error) {
      reportUntold(target, error);
      return run();
    }
    signal?.throwIfAborted();
    return target[how](params, scope === undefined ? { run } : { run, scope });
  }

  #admits(self: unknown, target: WrapTarget): boolean {
    if (this.#receivers.admits(self)) return true;
    target.uncached('further instance');
    return false;
  }

  #namedTarget(self: unknown): WrapTarget {
    const target = this.#targetFor(self);
    if (target !== undefined) return target;
    throw new InvalidArgumentError(
      'The name of this method is known once an instance was made: make one, or give the method a `name`',
    );
  }

  #receiverFor(self: unknown): unknown {
    const receiver = self ?? this.#receivers.usual;
    if (receiver !== undefined || !this.#needsReceiver) return receiver;
    throw new InvalidArgumentError(
      'There is no object to call the tool on: `.refresh.call(instance, …)` names one',
    );
  }
}

/** The call is not to fail for what only the cache wanted to know. */
function reportUntold(target: WrapTarget, error: unknown): void {
  target.failed(
    error instanceof CacheError
      ? error
      : new CacheError('ERR_INVALID_ARGUMENT', 'What tells this call from others threw', { cause: error }),
  );
  target.uncached('params or scope unknown', error);
}
