/** Wraps functions, so that a cache answers for them. */

import { inspect } from 'node:util';
import { InvalidArgumentError } from '../errors.js';
import { CachedTool } from './cached-tool.js';
import type { WrapHost, WrapTarget } from './host.js';
import { functionName, MethodNames } from './method-name.js';
import {
  anyReceiver,
  FirstReceiver,
  ignoresReceiver,
  type ReceiverRule,
  scopedReceivers,
} from './receiver.js';
import { type ResolvedWrapOptions, resolveWrapOptions } from './wrap-options.js';
import { promisingFunction, synchronousFunction, type WrappedFunction } from './wrapped-function.js';
import type { Callable } from './wrapped-types.js';

/** A function to wrap, or a method to decorate, and what is known of it. */
export interface Wrappable {
  readonly fn: Callable;
  readonly options: ResolvedWrapOptions;
  /** Whether the function returns at once. */
  readonly isSync: boolean;
  /** Whether it is a method of instances, which may depend on its instance even if its own source says nothing of it. */
  readonly isInstanceMethod: boolean;
  /** Where the tool is found in the cache. It may be told later than the function is made. */
  readonly target: TargetSource;
}

/** Where a wrapped function finds its method. */
export interface TargetSource {
  for(self: unknown): WrapTarget | undefined;
  /** The method's name as far as it is known, for warnings. */
  readonly name: string;
}

/** The wrapped functions of one cache. */
export class Wrapping {
  readonly #host: WrapHost;
  readonly #names = new MethodNames();

  constructor(host: WrapHost) {
    this.#host = host;
  }

  /** @throws InvalidArgumentError, InvalidOptionError */
  wrap(fn: unknown, options: object, isSync: boolean): WrappedFunction {
    if (typeof fn !== 'function')
      throw new InvalidArgumentError(`Expected a function to wrap, got \`${inspect(fn, { depth: 0 })}\``);
    const callable = fn as Callable;
    const resolved = resolveWrapOptions(options, isSync);
    const name = resolved.name ?? functionName(callable, this.#host.outlivesProcess);
    const target = this.target(name, callable, resolved);
    const source = { name, for: () => target };
    return wrappedFunction({
      fn: callable,
      options: resolved,
      isSync,
      isInstanceMethod: false,
      target: source,
    });
  }

  /** The method of a function under a name, which is its own from now on. @throws InvalidOptionError */
  target(name: string, fn: Callable, options: ResolvedWrapOptions): WrapTarget {
    const target = this.#host.method(name, options.method);
    if (options.name === undefined) this.#names.claim(name, fn);
    else this.#names.give(name, fn);
    return target;
  }

  get host(): WrapHost {
    return this.#host;
  }
}

/** The function that callers get. */
export function wrappedFunction(wrappable: Wrappable): WrappedFunction {
  const { fn, options, isSync, isInstanceMethod, target } = wrappable;
  const tool = new CachedTool({
    fn,
    options,
    receivers: receiverRule(wrappable),
    needsReceiver: isInstanceMethod,
    targetFor: (self) => target.for(self),
  });
  return isSync ? synchronousFunction(tool) : promisingFunction(tool);
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
