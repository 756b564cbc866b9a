/** A tool and its cache: decides for each call whether it may use the cache, and under which params. */

import { CacheError, InvalidArgumentError } from '../errors.js';
import {
  argumentsAsParams,
  CallArguments,
  listAsParams,
  namedParams,
  type ParamsOf,
  paramsByKey,
} from './call-arguments.js';
import { ContextWatch } from './context-watch.js';
import type { KnownCall, WhyUncached, WrapTarget } from './host.js';
import { IndexedCall } from './indexed-call.js';
import type { NameClaim } from './method-name.js';
import { PlainCall } from './plain-call.js';
import type { ReceiverRule } from './receiver.js';
import { isSeenAborted, withoutLastSignal, withoutSignals } from './signal-places.js';
import { blindCall, type CalledTool, CallUnderWay } from './tool-call.js';
import type { ResolvedWrapOptions } from './wrap-options.js';
import type { Callable } from './wrapped-types.js';

/** Where a wrapped function finds its method. */
export interface TargetSource {
  /**
   * The method in the cache; its name may have to be found on the object that the function is called on.
   * `undefined`: it has none that could be found, which was reported.
   */
  for(self: unknown): WrapTarget | undefined;
  /** The same, where it doesn't depend on the object. */
  readonly fixed?: WrapTarget;
  /** A call whose method can't be found is about to run its tool. @throws CacheError `ERR_NOT_RECORDED` where it must not */
  past?(): void;
  /** The method's name as far as it is known, for warnings. */
  readonly name: string;
  /** The function's hold on the name. */
  readonly claim: NameClaim | undefined;
}

/** What a cached tool is made from. */
export interface ToolDefinition {
  readonly fn: Callable;
  /** The function as its user knows it. */
  readonly original: Callable;
  /** Whether a result is its caller's alone, neither stored nor shared: asked of the call's arguments once it is done. */
  readonly isPrivate: ((given: readonly unknown[]) => boolean) | undefined;
  readonly options: ResolvedWrapOptions;
  readonly receivers: ReceiverRule;
  readonly target: TargetSource;
  /** Whether the function can only be called on an object. */
  readonly needsReceiver: boolean;
}

/** One function under a cache. */
export class CachedTool implements CalledTool {
  readonly fn: Callable;
  readonly original: Callable;
  readonly isPrivate: ToolDefinition['isPrivate'];
  readonly paramsOf: ParamsOf;
  readonly hasOwnKey: boolean;
  readonly isScoped: boolean;
  readonly watch: ContextWatch;
  /** Whether its arguments are all that decides on the key. */
  readonly #isPlain: boolean;
  readonly #receivers: ReceiverRule;
  readonly #source: TargetSource;
  readonly #needsReceiver: boolean;
  /** The user's own function that makes the params. */
  readonly #key: ResolvedWrapOptions['key'];
  /** The arguments' names. */
  readonly #names: ResolvedWrapOptions['params'];

  constructor(definition: ToolDefinition) {
    const { fn, original, isPrivate, options, receivers, target, needsReceiver } = definition;
    this.fn = fn;
    this.original = original;
    this.isPrivate = isPrivate;
    this.#receivers = receivers;
    this.#source = target;
    this.#needsReceiver = needsReceiver;
    const { key, params } = options;
    this.watch = new ContextWatch(() => target.name, params);
    if (key !== undefined) this.paramsOf = paramsByKey(key);
    else this.paramsOf = params === undefined ? argumentsAsParams : namedParams(params);
    this.#key = key;
    this.#names = params;
    this.hasOwnKey = key !== undefined;
    this.isScoped = options.scopeOf !== undefined;
    this.#isPlain = !this.hasOwnKey && !this.isScoped;
  }

  scopeOf(self: unknown): string | undefined {
    return this.#receivers.scopeOf(self);
  }

  /** The value itself where memory has it, else a promise. */
  call(self: unknown, given: readonly unknown[]): unknown {
    const target = this.#source.fixed ?? this.#source.for(self);
    if (target === undefined) return promised(() => this.#untargeted(self, given));
    const request = this.#request(target, self, given);
    if (request instanceof PlainCall) return target.answer(request);
    if (!(request instanceof IndexedCall)) return this.#ask('getOrSet', target, self, given, request);
    const answer = target.answer(request);
    request.returned();
    return answer;
  }

  async refresh(self: unknown, given: readonly unknown[]): Promise<unknown> {
    const receiver = this.#receiverFor(self);
    const target = this.#source.fixed ?? this.#source.for(receiver);
    if (target === undefined) return this.#untargeted(receiver, given);
    return this.#ask('refresh', target, receiver, given, this.#request(target, receiver, given));
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

  #untargeted(self: unknown, given: readonly unknown[]): unknown {
    this.#source.past?.();
    return Reflect.apply(this.fn, self, given);
  }

  #ask(
    how: 'getOrSet' | 'refresh',
    target: WrapTarget,
    self: unknown,
    given: readonly unknown[],
    request: Request,
  ): Promise<unknown> {
    if ('reason' in request) return target.bypass(this.#bypassCall(target, self, given), request);
    const call = request.toolCall();
    const result = target[how](request.params, call);
    if (call instanceof CallUnderWay) call.isLate = true;
    return result;
  }

  #askSync(how: 'getOrSetSync' | 'refreshSync', self: unknown, given: readonly unknown[]): unknown {
    const target = this.#source.fixed ?? this.#source.for(self);
    if (target === undefined) return this.#untargeted(self, given);
    const request = this.#request(target, self, given);
    if ('reason' in request) return target.bypassSync(this.#bypassCall(target, self, given), request);
    return 'key' in request && how === 'getOrSetSync'
      ? target.answerSync(request)
      : target[how](request.params, request.toolCall());
  }

  /** What the cache is asked with, or why it can't be asked. */
  #request(target: WrapTarget, self: unknown, given: readonly unknown[]): Request {
    if (this.#source.claim?.isDisplaced) return replaced;
    if (!this.#receivers.admits(self)) return furtherInstance;
    try {
      const scope = this.isScoped ? this.scopeOf(self) : undefined;
      const data = this.hasOwnKey || given.length === 1 ? given : withoutLastSignal(given);
      const params = this.#paramsInSight(given, data);
      const plain = this.#isPlain ? new PlainCall(params, this, target, self, given, data) : undefined;
      const known = target.known(params, scope, plain);
      if (known !== undefined) {
        if (plain !== undefined) return plain.knownAs(known);
        if (!this.hasOwnKey || !isSeenAborted(given))
          return new IndexedCall(known, params, scope, this, target, self, given);
      }
      const args = new CallArguments(given);
      const call = new CallUnderWay(this, target, self, args, scope);
      return {
        params: this.hasOwnKey ? withoutSignals(params) : this.paramsOf(args),
        toolCall: () => call,
      };
    } catch (error) {
      return this.#unreported(target, error);
    }
  }

  /** The params, if no signals are among the arguments but one at their end. */
  #paramsInSight(given: readonly unknown[], data: readonly unknown[]): unknown {
    if (this.#key !== undefined) return this.#key(...given);
    if (this.#names === undefined) return listAsParams(data);
    return data.length > this.#names.length ? notInSight : this.paramsOf({ given, data });
  }

  /** The call is not to fail for what only the cache wanted to know. */
  #unreported(target: WrapTarget, cause: unknown): WhyUncached {
    target.failed(
      cause instanceof CacheError
        ? cause
        : new CacheError('ERR_INVALID_ARGUMENT', 'The `key` or `scope` function, or an argument, threw', {
            cause,
          }),
    );
    // Too many arguments for `params`; what a function of the user's throws is another matter.
    if (!this.hasOwnKey && !this.isScoped) this.watch.unkeyed(cause);
    return { reason: 'params or scope unknown', cause };
  }

  #bypassCall(target: WrapTarget, self: unknown, given: readonly unknown[]) {
    try {
      return new CallUnderWay(this, target, self, new CallArguments(given), undefined);
    } catch {
      // What threw when it was read was reported, and is for the tool to find out.
      return blindCall(() => Reflect.apply(this.fn, self, given));
    }
  }

  #namedTarget(self: unknown): WrapTarget {
    const target = this.#source.for(self);
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

/** A call of known key, one to find the key of, or why it is neither. */
type Request = KnownCall | NewCall | WhyUncached;

interface NewCall {
  readonly params: unknown;
  toolCall(): CallUnderWay;
}

/** Stands for params that only a closer look can tell; it has no key. */
const notInSight = Symbol('not in sight');

const replaced: WhyUncached = { reason: 'replaced by a module evaluated again' };
const furtherInstance: WhyUncached = { reason: 'further instance' };

/** What it throws at once is a rejection too. */
function promised(call: () => unknown): Promise<unknown> {
  return new Promise((resolve) => resolve(call()));
}
