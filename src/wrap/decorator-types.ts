/** The types of the decorators: one call signature for each decorator mode, so that misuse doesn't compile. */

import type { SyncWrapOptions, WrapOptions } from './wrap-options.js';
import type { AnyFunction, ArgumentsOf, AsyncFunction, PlainPromiseOnly, SyncOnly } from './wrapped-types.js';

/** Decorates methods that return promises, of `Self` and its subclasses. */
export interface CachedMethod<Self, Args extends readonly unknown[]> {
  /** Standard decorators. */
  <F extends AsyncFunction>(
    value: F & PlainPromiseOnly<F> & TakenBy<F, Args>,
    context: MethodContext<Self>,
  ): F;
  /** `experimentalDecorators`. */
  <F extends AsyncFunction>(
    target: Self & object,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<F> & PlainPromiseOnly<F> & TakenBy<F, Args>,
  ): void;
}

/** `CachedMethod` for methods that return at once. */
export interface CachedSyncMethod<Self, Args extends readonly unknown[]> {
  /** Standard decorators. */
  <F extends AnyFunction>(value: F & SyncOnly<F> & TakenBy<F, Args>, context: MethodContext<Self>): F;
  /** `experimentalDecorators`. */
  <F extends AnyFunction>(
    target: Self & object,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<F> & SyncOnly<F> & TakenBy<F, Args>,
  ): void;
}

/** `@cache.cached`, bare or with options. */
export interface Cached extends CachedMethod<unknown, never> {
  <Self = unknown, Args extends readonly unknown[] = never>(
    options?: WrapOptions<Self, Args>,
  ): CachedMethod<Self, Args>;
}

/** `@cache.cachedSync`, bare or with options. */
export interface CachedSync extends CachedSyncMethod<unknown, never> {
  <Self = unknown, Args extends readonly unknown[] = never>(
    options?: SyncWrapOptions<Self, Args>,
  ): CachedSyncMethod<Self, Args>;
}

/**
 * What standard decorators are given of a method of `Self`. Without `access.get`, which would refuse methods that
 * declare their `this`.
 */
interface MethodContext<Self>
  extends Pick<ClassMethodDecoratorContext<Self>, 'kind' | 'name' | 'static' | 'private' | 'addInitializer'> {
  readonly access: Pick<ClassMethodDecoratorContext<Self>['access'], 'has'>;
}

/** Whether a `key` function that takes `Args` can be given the arguments of `F`. */
type TakenBy<F extends AnyFunction, Args extends readonly unknown[]> = [Args] extends [never]
  ? unknown
  : ((...args: Args) => void) extends (...args: ArgumentsOf<F>) => void
    ? unknown
    : never;
