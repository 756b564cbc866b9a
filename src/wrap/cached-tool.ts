/** A tool and its cache: decides for each call whether it may use the cache, and under which params. */

import { CacheError, InvalidArgumentError } from '../errors.js';
import { argumentsAsParams, CallArguments, namedParams, type ParamsOf } from './call-arguments.js';
import type { WhyUncached, WrapTarget } from './host.js';
import type { ReceiverRule } from './receiver.js';
import { blindCall, type CalledTool, CallUnderWay } from './tool-call.js';
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
  readonly isScoped: boolean;
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
    this.isScoped = options.scopeOf !== undefined;
  }

  scopeOf(self: unknown): string | undefined {
    return this.#receivers.scopeOf(self);
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
    return this.#namedTarget(self).key(this.paramsOf(args), this.scopeOf(self));
  }

  /** Tells whether memory had it. @throws UnhashableParamsError, or what the `scope` or `key` function throws */
  invalidate(self: unknown, given: readonly unknown[]): boolean {
    const args = new CallArguments(given);
    return this.#namedTarget(self).delete(this.paramsOf(args), this.scopeOf(self));
  }

  #ask(how: 'getOrSet' | 'refresh', self: unknown, given: readonly unknown[]): Promise<unknown> {
    const target = this.#targetFor(self);
    if (target === undefined) return promised(() => Reflect.apply(this.fn, self, given));
    if (!this.#receivers.admits(self))
      return target.alone(this.#loneCall(target, self, given), furtherInstance);
    let call: CallUnderWay;
    let params: unknown;
    try {
      const scope = this.scopeOf(self);
      const args = new CallArguments(given);
      params = this.paramsOf(args);
      call = new CallUnderWay(this, target, self, args, scope);
    } catch (error) {
      return target.alone(this.#loneCall(target, self, given), untold(target, error));
    }
    const result = target[how](params, call);
    call.isLate = true;
    return result;
  }

  #askSync(how: 'getOrSetSync' | 'refreshSync', self: unknown, given: readonly unknown[]): unknown {
    const target = this.#targetFor(self);
    if (target === undefined) return Reflect.apply(this.fn, self, given);
    if (!this.#receivers.admits(self))
      return target.aloneSync(this.#loneCall(target, self, given), furtherInstance);
    let call: CallUnderWay;
    let params: unknown;
    try {
      const scope = this.scopeOf(self);
      const args = new CallArguments(given);
      params = this.paramsOf(args);
      call = new CallUnderWay(this, target, self, args, scope);
    } catch (error) {
      return target.aloneSync(this.#loneCall(target, self, given), untold(target, error));
    }
    return target[how](params, call);
  }

  #loneCall(target: WrapTarget, self: unknown, given: readonly unknown[]) {
    try {
      return new CallUnderWay(this, target, self, new CallArguments(given), undefined);
    } catch {
      // What threw when it was read was reported, and is for the tool to find out.
      return blindCall(() => Reflect.apply(this.fn, self, given));
    }
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

const furtherInstance: WhyUncached = { reason: 'further instance' };

/** The call is not to fail for what only the cache wanted to know. */
function untold(target: WrapTarget, cause: unknown): WhyUncached {
  target.failed(
    cause instanceof CacheError
      ? cause
      : new CacheError('ERR_INVALID_ARGUMENT', 'What tells this call from others threw', { cause }),
  );
  return { reason: 'params or scope unknown', cause };
}

/** What it throws at once is a rejection too. */
function promised(call: () => unknown): Promise<unknown> {
  return new Promise((resolve) => resolve(call()));
}
