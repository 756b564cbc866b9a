/** `@cache.cached`: decorates methods, under standard decorators and under `experimentalDecorators`. */

import { CacheError, InvalidArgumentError } from '../errors.js';
import { evaluationCalling, type ModuleEvaluation } from '../module-evaluation.js';
import type { TargetSource } from './cached-tool.js';
import type { WrapTarget } from './host.js';
import { classMethodName, type NameClaim, namedKey } from './method-name.js';
import { type ResolvedWrapOptions, resolveWrapOptions } from './wrap-options.js';
import type { WrappedFunction } from './wrapped-function.js';
import type { Callable } from './wrapped-types.js';
import { type Wrapping, wrappedFunction } from './wrapping.js';

/** What standard decorators are given of a method; the part that is used. */
type MethodContext = Pick<
  ClassMethodDecoratorContext,
  'kind' | 'name' | 'static' | 'private' | 'addInitializer'
>;

/**
 * A decorator, bare or made from options. It is called by the runtime in three ways, told apart by its arguments:
 * `(method, context)`, `(prototype, name, descriptor)`, and `(options)` to make a decorator.
 */
export function createDecorator(
  wrapping: Wrapping,
  isSync: boolean,
): (...args: readonly unknown[]) => unknown {
  const decorate = (
    options: ResolvedWrapOptions,
    args: readonly unknown[],
    from: ModuleEvaluation | undefined,
  ): unknown => {
    const [first, second, third] = args;
    const decoration = { wrapping, isSync, options, from };
    if (isMethodContext(second)) return decorateStandard(decoration, first, second);
    if (typeof second === 'string' || typeof second === 'symbol')
      return decorateLegacy(decoration, first as object, second, third);
    throw new InvalidArgumentError(
      'Expected `cached` to decorate a method, or to be given options: to cache a function use `cache.wrap(fn)`',
    );
  };
  return function cached(...args) {
    const [options = {}] = args;
    if (args.length > 1 || typeof options === 'function')
      return decorate(resolveWrapOptions({}, isSync), args, evaluationCalling(cached));
    const resolved = resolveWrapOptions(options as object, isSync);
    return function decorator(...rest: readonly unknown[]): unknown {
      return decorate(resolved, rest, evaluationCalling(decorator));
    };
  };
}

interface Decoration {
  readonly wrapping: Wrapping;
  readonly isSync: boolean;
  readonly options: ResolvedWrapOptions;
  /** Where the method is decorated. */
  readonly from: ModuleEvaluation | undefined;
}

/** The class is known, and so is the name. */
function decorateLegacy(
  { wrapping, isSync, options, from }: Decoration,
  owner: object,
  key: string | symbol,
  descriptor: unknown,
): unknown {
  if (!isMethodDescriptor(descriptor)) throw notAMethod(key);
  const fn = descriptor.value;
  const isStatic = typeof owner === 'function';
  const definer: unknown = isStatic ? owner : owner.constructor;
  const { outlivesProcess } = wrapping.host;
  const name = options.name ?? classMethodName(definer, namedKey(key, false), outlivesProcess);
  const target = wrapping.target(name, fn, { options, from });
  descriptor.value = wrappedFunction({
    fn,
    options,
    isSync,
    isInstanceMethod: !isStatic,
    target,
  });
  return undefined;
}

/** The class is not made yet: without a name from the options it shows at its definition, or on its instances. */
function decorateStandard(
  { wrapping, isSync, options, from }: Decoration,
  value: unknown,
  context: MethodContext,
): unknown {
  if (context.kind !== 'method' || typeof value !== 'function') throw notAMethod(context.name);
  const fn = value as Callable;
  const common = { fn, options, isSync, isInstanceMethod: !context.static };
  if (options.name !== undefined) {
    const target = wrapping.target(options.name, fn, { options, from });
    return wrappedFunction({ ...common, target });
  }
  const key = namedKey(context.name, context.private);
  const source = new FoundTarget({ wrapping, options, from, fn, key, isStatic: context.static });
  const wrapped = wrappedFunction({ ...common, target: source });
  source.wrapped = wrapped;
  context.addInitializer(function () {
    source.find(this);
  });
  return wrapped;
}

interface FoundTargetInit {
  readonly wrapping: Wrapping;
  readonly options: ResolvedWrapOptions;
  readonly from: ModuleEvaluation | undefined;
  readonly fn: Callable;
  readonly key: string;
  readonly isStatic: boolean;
}

/** A target whose name is that of the class which defines the method, found along the prototypes of an instance. */
class FoundTarget implements TargetSource {
  readonly #init: FoundTargetInit;
  wrapped: WrappedFunction | undefined;
  name: string;
  #target: TargetSource | undefined;

  constructor(init: FoundTargetInit) {
    this.#init = init;
    this.name = init.key;
  }

  get claim(): NameClaim | undefined {
    return this.#target?.claim;
  }

  for(self: unknown): WrapTarget | undefined {
    if (this.#target !== undefined) return this.#target.for(self);
    // An object that no constructor of the class has made: this call is the first chance, and must not fail for it.
    try {
      return this.find(self).for(self);
    } catch (error) {
      const message = `The cached method \`${this.#init.key}\` has no name`;
      this.#init.wrapping.host.failed(
        error instanceof CacheError
          ? error
          : new CacheError('ERR_INVALID_ARGUMENT', message, { cause: error }),
      );
      return undefined;
    }
  }

  past(): void {
    this.#init.wrapping.host.past(this.name, 'its name can not be found');
  }

  /** @throws InvalidOptionError when the class has no name that tells it from others */
  find(self: unknown): TargetSource {
    if (this.#target !== undefined) return this.#target;
    const { wrapping, options, from, fn, key, isStatic } = this.#init;
    const holder = this.#holderOf(self);
    const definer = isStatic ? holder : holder?.constructor;
    this.name = classMethodName(definer, key, wrapping.host.outlivesProcess);
    this.#target = wrapping.target(this.name, fn, { options, from });
    return this.#target;
  }

  /** The object that has the decorated method as its own. */
  #holderOf(self: unknown): object | undefined {
    const holders: object[] = [];
    for (let each: unknown = self; isObject(each); each = Object.getPrototypeOf(each)) {
      const found = Object.getOwnPropertyDescriptor(each, this.#init.key);
      if (found === undefined) continue;
      if (found.value === this.wrapped) return each;
      if (each !== self || this.#init.isStatic) holders.push(each);
    }
    // Another decorator may have wrapped ours. Then the method is known by its name, if only one class has it.
    return holders.length === 1 ? holders[0] : undefined;
  }
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

function isMethodContext(value: unknown): value is MethodContext {
  return typeof value === 'object' && value !== null && 'kind' in value && 'addInitializer' in value;
}

function isMethodDescriptor(value: unknown): value is { value: Callable } {
  return typeof value === 'object' && value !== null && 'value' in value && typeof value.value === 'function';
}

function notAMethod(key: string | symbol): InvalidArgumentError {
  return new InvalidArgumentError(
    `Expected \`${String(key)}\` to be a method: \`cached\` decorates methods only, not fields, getters or classes`,
  );
}
