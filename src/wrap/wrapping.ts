/** Wraps functions, so that a cache answers for them. */

import { types } from 'node:util';
import { InvalidArgumentError } from '../errors.js';
import { type Definer, evaluationCalling, type ModuleEvaluation } from '../module-evaluation.js';
import { shown } from '../option-checks.js';
import { CachedTool, type TargetSource, type ToolDefinition } from './cached-tool.js';
import { gathering, isAsyncGeneratorFunction } from './collected.js';
import type { WrapHost } from './host.js';
import { functionName, MethodNames } from './method-name.js';
import {
  anyReceiver,
  FirstReceiver,
  ignoresReceiver,
  type ReceiverRule,
  scopedReceivers,
} from './receiver.js';
import { type ResolvedWrapOptions, resolveWrapOptions } from './wrap-options.js';
import {
  collectingFunction,
  promisingFunction,
  soonFunction,
  synchronousFunction,
  type WrappedFunction,
} from './wrapped-function.js';
import type { Callable } from './wrapped-types.js';

/** A function to wrap, or a method to decorate, and what is known of it. */
export interface Wrappable {
  readonly fn: Callable;
  /** The function as its user knows it, where `fn` is one that calls it. */
  readonly original?: Callable;
  readonly options: ResolvedWrapOptions;
  /** Whether the function returns at once. */
  readonly isSync: boolean;
  /** Whether it is a method of instances, which may depend on its instance even if its own source says nothing of it. */
  readonly isInstanceMethod: boolean;
  /** Where the tool is found in the cache. It may be told later than the function is made. */
  readonly target: TargetSource;
  readonly isPrivate?: ToolDefinition['isPrivate'];
  /** Whether its caller takes values that are there at once as they are, and not as promises. @default false */
  readonly takesSoon?: boolean;
}

/** A tool of a set. */
export interface WrappableTool extends Required<Pick<Wrappable, 'fn' | 'original' | 'options'>> {
  /** It has one, whether its options have or not: those name what may be shared with other functions of the name. */
  readonly name: string;
  readonly from: ModuleEvaluation | undefined;
  /** What the name belongs to: the function, or the tool that it may find its state on. */
  readonly owner: object;
  readonly isPrivate?: ToolDefinition['isPrivate'];
  readonly takesSoon?: boolean;
  /** Whether a result is an error, besides what the options say. */
  readonly isError: (value: unknown) => boolean;
  /** What to do when another function has the name. */
  readonly advice: string;
}

/** The wrapped functions of one cache. */
export class Wrapping {
  readonly #host: WrapHost;
  readonly #names: MethodNames;

  constructor(host: WrapHost) {
    this.#host = host;
    this.#names = new MethodNames((name) => host.clear(name));
  }

  /**
   * @param definer the function that its user called to wrap `fn`
   * @throws InvalidArgumentError, InvalidOptionError
   */
  wrap(fn: unknown, options: object, definer: Definer): WrappedFunction {
    return this.#wrap(fn, options, { isSync: false, from: evaluationCalling(definer) });
  }

  /** `wrap` for functions that return at once. */
  wrapSync(fn: unknown, options: object, definer: Definer): WrappedFunction {
    return this.#wrap(fn, options, { isSync: true, from: evaluationCalling(definer) });
  }

  #wrap(
    fn: unknown,
    options: object,
    { isSync, from }: { isSync: boolean; from: ModuleEvaluation | undefined },
  ): WrappedFunction {
    if (typeof fn !== 'function')
      throw new InvalidArgumentError(
        `Expected a function to wrap, as in \`wrap(fn, { name, ttl })\`, got ${shown(fn)}`,
      );
    const callable = fn as Callable;
    const resolved = resolveWrapOptions(options, isSync);
    refuseUncallable(callable, resolved);
    const name = resolved.name ?? functionName(callable, this.#host.outlivesProcess);
    const target = this.target(name, callable, { options: resolved, from });
    return wrappedFunction({ fn: callable, options: resolved, isSync, isInstanceMethod: false, target });
  }

  /** A tool of a set, whose function its framework calls. @throws InvalidArgumentError, InvalidOptionError */
  wrapTool(tool: WrappableTool): WrappedFunction {
    const { fn, original, options, name, owner, isPrivate, takesSoon = false, ...target } = tool;
    refuseUncallable(original, options);
    return wrappedFunction({
      ...{ fn, original, options, takesSoon, isSync: false, isInstanceMethod: false },
      target: this.target(name, owner, { options, ...target }),
      ...(isPrivate && { isPrivate }),
    });
  }

  /** The method of a function or a tool under a name, which is its own from now on. @throws InvalidOptionError */
  target(
    name: string,
    owner: object,
    {
      options,
      from,
      isError,
      advice,
    }: { options: ResolvedWrapOptions } & Pick<WrappableTool, 'from'> &
      Partial<Pick<WrappableTool, 'isError' | 'advice'>>,
  ): TargetSource {
    const target = this.#host.method(name, options.method, isError);
    const claim =
      options.name === undefined
        ? this.#names.claim(name, owner, { from, advice })
        : this.#names.give(name, owner, { from, isTold: saysWhoShares(options) });
    return { name, fixed: target, for: () => target, claim };
  }

  get host(): WrapHost {
    return this.#host;
  }
}

function saysWhoShares({ shared, scopeOf, key, method }: ResolvedWrapOptions): boolean {
  return [scopeOf, key, method.scope, method.version].some((each) => each !== undefined) || shared;
}

/** The function that callers get. @throws InvalidArgumentError for a generator, or a class */
export function wrappedFunction(wrappable: Wrappable): WrappedFunction {
  const { fn, options, isSync, isInstanceMethod, target, isPrivate, takesSoon } = wrappable;
  const { original = fn } = wrappable;
  refuseUncallable(original, options);
  const tool = new CachedTool({
    fn: options.collect ? gathering(fn, original) : fn,
    original,
    isPrivate,
    options,
    receivers: receiverRule(wrappable),
    needsReceiver: isInstanceMethod,
    target,
  });
  if (options.collect) return collectingFunction(tool);
  if (isSync) return synchronousFunction(tool);
  return takesSoon === true ? soonFunction(tool) : promisingFunction(tool);
}

/** Whose calls would all fail. @throws InvalidArgumentError */
function refuseUncallable(fn: Callable, { collect }: ResolvedWrapOptions): void {
  if (/^class\b/.test(Function.prototype.toString.call(fn))) {
    throw new InvalidArgumentError(
      `Expected a function to wrap, got the class \`${fn.name}\`: decorate its methods with \`@cache.cached\`, or wrap ` +
        'a function that calls them',
    );
  }
  // What a generator yields is gone once it was read, and a promise of a generator can't be iterated.
  if (types.isGeneratorFunction(fn) && !(collect && isAsyncGeneratorFunction(fn))) {
    throw new InvalidArgumentError(
      `Expected a function that returns its result, got the generator \`${fn.name}\`, which yields it bit by bit: ` +
        `${isAsyncGeneratorFunction(fn) ? 'gather and play it back with `collect: true`, or ' : ''}wrap ` +
        'one that collects it, `async (...args) => { const all = []; for await (const each of ' +
        `${fn.name || 'generator'}(...args)) all.push(each); return all; }\``,
    );
  }
}

function receiverRule({ fn, options, isInstanceMethod, target }: Wrappable): ReceiverRule {
  const { scopeOf, shared } = options;
  if (scopeOf !== undefined) return scopedReceivers(scopeOf);
  if (shared || (!isInstanceMethod && ignoresReceiver(fn))) return anyReceiver;
  let isWarned = false;
  return new FirstReceiver({
    needsObject: isInstanceMethod,
    onFurther() {
      if (isWarned) return;
      isWarned = true;
      process.emitWarning(
        `\`${target.name}\` is called on more than one object, and its results may depend on which one: only calls ` +
          'on the first are cached, the others run uncached. Say who shares results: `scope: (self) => string`, or ' +
          '`shared: true` when they do not depend on the object.',
        { type: 'ToolstashWarning', code: 'TOOLSTASH_FURTHER_INSTANCE' },
      );
    },
  });
}
