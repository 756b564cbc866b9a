/** The types of wrapped functions and of the decorators. */

/** Any function. */
export type AnyFunction = (this: never, ...args: never) => unknown;

/**
 * Any function, by what all functions carry. As the constraint of an argument it says nothing of parameters: those of a
 * function written in place come from the function itself, with their defaults, type parameters and `this`.
 */
export interface FunctionObject {
  /** As all functions have it. */
  readonly apply: unknown;
  /** As all functions have it. */
  readonly bind: unknown;
  /** As all functions have it. */
  readonly call: unknown;
}

/** Any function, as it is called here. */
export type Callable = (this: unknown, ...args: readonly unknown[]) => unknown;

/** Any function that returns a promise. */
export type AsyncFunction = (this: never, ...args: never) => Promise<unknown>;

/** The parameters and the result of each overload: of up to eight, beyond that of the last eight. */
type Overloads<F> = F extends {
  (this: never, ...args: infer A1): infer R1;
  (this: never, ...args: infer A2): infer R2;
  (this: never, ...args: infer A3): infer R3;
  (this: never, ...args: infer A4): infer R4;
  (this: never, ...args: infer A5): infer R5;
  (this: never, ...args: infer A6): infer R6;
  (this: never, ...args: infer A7): infer R7;
  (this: never, ...args: infer A8): infer R8;
}
  ?
      | [args: A1, result: R1]
      | [args: A2, result: R2]
      | [args: A3, result: R3]
      | [args: A4, result: R4]
      | [args: A5, result: R5]
      | [args: A6, result: R6]
      | [args: A7, result: R7]
      | [args: A8, result: R8]
  : never;

/** The arguments that a function takes, by any of its overloads. */
export type ArgumentsOf<F> = Overloads<F>[0];

type ResultOf<F> = F extends (this: never, ...args: never) => infer R ? R : never;

/** A generator of either kind, described by its members: libraries before ES2018 have no type `AsyncGenerator`. */
interface AnyGenerator {
  next(...args: never): unknown;
  return(value: never): unknown;
  throw(error: unknown): unknown;
}

/** An async one. */
interface AnyAsyncGenerator extends AnyGenerator {
  next(...args: never): PromiseLike<unknown>;
}

/** `unknown`, but for a function that returns a promise or a generator what its caller is to be told. */
export type SyncOnly<F extends FunctionObject> = [ResultOf<F>] extends [never]
  ? unknown
  : ResultOf<F> extends PromiseLike<unknown> | AnyGenerator
    ? 'Use `wrap` or `cached`: this is for functions that return their result at once'
    : unknown;

/** What every wrapped function carries. `this` matters to them only where a `scope` function reads it. */
export interface WrappedMembers<F extends FunctionObject, Invalidated, Refresh> {
  /** The key of a call: 32 hex digits. @throws UnhashableParamsError */
  readonly key: (this: unknown, ...args: ArgumentsOf<F>) => string;
  /** Deletes a call's result; returns whether memory had it. Loads under way are not stored. */
  readonly invalidate: (this: unknown, ...args: ArgumentsOf<F>) => Invalidated;
  /** Calls the tool, whatever the cache holds, and stores the result. */
  readonly refresh: Refresh;
  /** The function that was wrapped. */
  readonly original: F;
}

/**
 * A function whose results are cached: the same parameters, and a promise of the same result. `never` for a generator,
 * which `wrap` refuses; with `collect: true` an async one stays what it is.
 */
export type Wrapped<F extends FunctionObject, Collect extends boolean = false> = [
  Collect,
  ResultOf<F>,
] extends [true, AnyAsyncGenerator]
  ? F & WrappedMembers<F, Promise<boolean>, Calls<Overloads<F>>>
  : PromisingCall<F> & WrappedMembers<F, Promise<boolean>, Calls<Promised<Overloads<F>>>>;

/** A function whose results are cached in memory, and which returns at once. */
export type WrappedSync<F extends FunctionObject> = F & WrappedMembers<F, boolean, Calls<Overloads<F>>>;

/** `unknown` for a function that returns plain promises, `never` for one whose promises can do more. */
export type PlainPromiseOnly<F extends FunctionObject> = [BeyondPromise<ResultOf<F>>] extends [never]
  ? unknown
  : never;

/** `F` as it is where it returns plain promises, with overloads and type parameters; what it carries stays in any case. */
type PromisingCall<F extends FunctionObject> = [ResultOf<F>] extends [never]
  ? Promising<F>
  : ResultOf<F> extends AnyGenerator
    ? never
    : [BeyondPromise<ResultOf<F>>] extends [never]
      ? F
      : Promising<F>;

type Promising<F extends FunctionObject> = Calls<Promised<Overloads<F>>, ThisParameterType<F>> &
  Pick<F, keyof F>;

type Promised<O> = O extends [args: infer A, result: infer R]
  ? [args: A, result: Promise<Awaited<R>>]
  : never;

/** A function with these overloads. */
type Calls<O, This = unknown> = Together<
  O extends [args: infer A extends readonly unknown[], result: infer R] ? Of<Call<This, A, R>> : never
>;

/** One overload. */
type Call<This, Args extends readonly unknown[], Result> = (this: This, ...args: Args) => Result;

/** Holds a type where a union of it becomes an intersection. */
type Of<T> = (held: T) => void;

type Together<U> = [U] extends [(held: infer I) => void] ? I : never;

/** What of `R` is more than a plain promise, such as the promises of API clients, or none: a cache has nothing but those. */
type BeyondPromise<R> = 0 extends 1 & R
  ? never
  : R extends Promise<infer V>
    ? Promise<V> extends R
      ? never
      : R
    : R;
