/** The types of wrapped functions and of the decorators. */

/** Any function. */
export type AnyFunction = (this: never, ...args: never[]) => unknown;

/** Any function, as it is called here. */
export type Callable = (this: unknown, ...args: readonly unknown[]) => unknown;

/** Any function that returns a promise. */
export type AsyncFunction = (this: never, ...args: never[]) => Promise<unknown>;

/** `never` for a function that returns a promise. */
export type SyncOnly<F extends AnyFunction> = [ReturnType<F>] extends [never]
  ? unknown
  : ReturnType<F> extends PromiseLike<unknown>
    ? never
    : unknown;

/** What every wrapped function carries. `this` matters to them only where a `scope` function reads it. */
export interface WrappedMembers<F extends AnyFunction, Invalidated, Refreshed> {
  /** The key of a call: 32 hex digits. @throws UnhashableParamsError */
  readonly key: (this: unknown, ...args: Parameters<F>) => string;
  /** Deletes a call's result; tells whether memory had it. Loads under way are not stored. */
  readonly invalidate: (this: unknown, ...args: Parameters<F>) => Invalidated;
  /** Calls the tool, whatever the cache holds, and stores the result. */
  readonly refresh: (this: unknown, ...args: Parameters<F>) => Refreshed;
  /** The function that was wrapped. */
  readonly original: F;
}

/** A function whose results are cached: the same parameters, and a promise of the same result. */
export type Wrapped<F extends AnyFunction> = PromisingCall<F> &
  WrappedMembers<F, Promise<boolean>, Promise<Awaited<ReturnType<F>>>>;

/** A function whose results are cached in memory, and which returns at once. */
export type WrappedSync<F extends AnyFunction> = F & WrappedMembers<F, boolean, ReturnType<F>>;

/** `unknown` for a function that returns plain promises, `never` for one whose promises can do more. */
export type PlainPromiseOnly<F extends AnyFunction> = [BeyondPromise<ReturnType<F>>] extends [never]
  ? unknown
  : never;

/** `F` as it is where it returns plain promises, with overloads and type parameters; what it carries stays in any case. */
type PromisingCall<F extends AnyFunction> = [ReturnType<F>] extends [never]
  ? Promising<F>
  : [BeyondPromise<ReturnType<F>>] extends [never]
    ? F
    : Promising<F>;

type Promising<F extends AnyFunction> = ((
  this: ThisParameterType<F>,
  ...args: Parameters<F>
) => Promise<Awaited<ReturnType<F>>>) &
  Pick<F, keyof F>;

/** What of `R` is more than a plain promise, such as the promises of API clients, or none: a cache has nothing but those. */
type BeyondPromise<R> = 0 extends 1 & R
  ? never
  : R extends Promise<infer V>
    ? Promise<V> extends R
      ? never
      : R
    : R;
