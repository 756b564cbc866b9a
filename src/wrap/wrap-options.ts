/** The options of wrapped functions and decorated methods, and how they are checked. */

import { atOnce } from '../at-once.js';
import { InvalidArgumentError, InvalidOptionError } from '../errors.js';
import { expected, functionOf, objectOf, refuseUnknown, trueOrFalse } from '../option-checks.js';
import { type MethodOptions, methodOptionNames, ofTheCache } from '../options.js';

/**
 * The options of a wrapped function. Those it shares with `methods` (`ttl`, `version`, `ignore` …) lie over the
 * cache's options for the method, for this function alone.
 */
export interface WrapOptions<
  Self = unknown,
  Args extends readonly unknown[] = never,
  Collect extends boolean = boolean,
> extends Omit<MethodOptions, 'scope'> {
  /**
   * The method's name: it distinguishes this tool's entries from those of others. Without one, a second function of
   * the same name is refused, unless its module was evaluated again (hot reloading) and wraps it in its top level.
   * With one, results outlast every reload, also those of the code before an edit, and functions share them: give those
   * that close over something of their own a `scope`.
   * @default the function's own name; `Class.method` for a decorated method
   */
  readonly name?: string | undefined;
  /**
   * Names of the positional arguments. The params are then an object, as in a Python call with keywords:
   * `search('mvcc', 10)` with `['query', 'limit']` has the params `{ query: 'mvcc', limit: 10 }`. Arguments that
   * are `undefined` are left out.
   * @default undefined (a single plain object is the params, other arguments are a list)
   */
  readonly params?: readonly string[] | undefined;
  /**
   * Decides, from all arguments, what distinguishes one call from another. Calls for which it returns `undefined`,
   * though their first argument is not, run uncached.
   * @default undefined
   */
  readonly key?: ((...args: Args) => unknown) | undefined;
  /**
   * Who may share an entry: a task, a user, a tenant. A function takes it from the object that the method is
   * called on. It becomes part of the key.
   * @default undefined (see `shared`)
   */
  readonly scope?: string | ((self: Self) => string) | undefined;
  /**
   * Whether results do not depend on the object that the method is called on: all instances share their entries.
   * Without `shared` or a `scope` function only calls on the first instance are cached.
   * @default false
   */
  readonly shared?: boolean | undefined;
  /**
   * Whether what an async generator yields, or a stream that the function resolves to, is gathered to its end, stored, and
   * played back item by item. Functions of the value (`ttl`, `isError` …) are given `{ items, returned }`.
   * @default false (a generator is refused)
   */
  readonly collect?: Collect | undefined;
}

/** The options of synchronous functions: those that need time to pass during a call are left out. */
export type SyncWrapOptions<Self = unknown, Args extends readonly unknown[] = never> = Omit<
  WrapOptions<Self, Args>,
  'collect' | 'staleWhileRevalidate' | 'refreshAhead' | 'softTimeout' | 'hardTimeout' | 'concurrency'
>;

/** What can't be done for a function that returns at once, and why. */
const needsTime = {
  collect: 'what it gathers comes in time: take `wrap`',
  staleWhileRevalidate: 'its refresh would block the process as the call itself does: take `staleIfError`',
  refreshAhead: 'its refresh would block the process as the call itself does: take a longer `ttl`',
  softTimeout: 'nothing can answer while it runs: leave it out',
  hardTimeout: 'nothing can end the wait while it runs: leave it out',
  concurrency: 'it runs once at a time anyway: leave it out',
} as const satisfies Record<Exclude<keyof WrapOptions, keyof SyncWrapOptions>, string>;

/** Wrap options with the wrapper's own part sorted out and checked. */
export interface ResolvedWrapOptions {
  readonly name: string | undefined;
  readonly params: readonly string[] | undefined;
  readonly key: ((...args: readonly unknown[]) => unknown) | undefined;
  readonly scopeOf: ((self: unknown) => unknown) | undefined;
  readonly shared: boolean;
  readonly collect: boolean;
  /** What the cache itself looks after. */
  readonly method: MethodOptions;
}

const ownNames = ['name', 'params', 'key', 'scope', 'shared', 'collect'] as const;

/** @throws InvalidOptionError naming the option, its value and the fix */
export function resolveWrapOptions(options: object, isSync: boolean): ResolvedWrapOptions {
  const { name, params, key, scope, shared, collect, ...method } = checked(options);
  if (isSync) refuseWhatNeedsTime({ ...method, ...(collect !== undefined && { collect }) });
  if (name !== undefined && (typeof name !== 'string' || name === ''))
    throw expected('name', 'a non-empty string', name);
  if (params !== undefined && !isListOfNames(params))
    throw expected('params', 'a list of different names', params);
  if (scope !== undefined && typeof scope !== 'string' && typeof scope !== 'function')
    throw expected('scope', 'a string or a function of the object that the method is called on', scope);
  if (params !== undefined && key !== undefined)
    throw new InvalidOptionError(
      'Expected `params` or `key`, got both: `key` decides alone, so leave `params` out',
    );
  if (shared === true && typeof scope === 'function') {
    throw new InvalidOptionError(
      'Expected `shared: true` or a `scope` function, got both: entries belong to all instances, or to a scope',
    );
  }
  return {
    name,
    params,
    key: key === undefined ? undefined : keyFunction(functionOf(key, 'key')),
    scopeOf: typeof scope === 'function' ? atOnce(scope as (self: unknown) => unknown, 'scope') : undefined,
    shared: shared === undefined ? false : trueOrFalse(shared, 'shared'),
    collect: collect === undefined ? false : trueOrFalse(collect, 'collect'),
    method: typeof scope === 'string' ? { ...method, scope } : method,
  };
}

/** What a field that is not there, or a forgotten `return`, makes is no key: all calls would share one answer. */
function keyFunction(fn: (...args: never[]) => unknown): ResolvedWrapOptions['key'] {
  const keyOf = atOnce(fn as (...args: unknown[]) => unknown, 'key');
  let isWarned = false;
  return (...args) => {
    const made = keyOf(...args);
    // A tool that is called without an input has this for its key.
    if (made !== undefined || args[0] === undefined) return made;
    const message =
      'Expected the `key` function to return what distinguishes one call from another, got `undefined`, which all ' +
      'calls would share: is a `return` missing, or the field called otherwise? Where it is meant, return `null`';
    if (!isWarned) {
      isWarned = true;
      const warning = `${message}. Such calls run uncached`;
      process.emitWarning(warning, { type: 'ToolstashWarning', code: 'TOOLSTASH_NO_KEY' });
    }
    throw new InvalidArgumentError(message);
  };
}

function checked(options: object): WrapOptions<never, never> {
  const known = [...ownNames, ...methodOptionNames.filter((each) => each !== 'scope')];
  refuseUnknown(objectOf(options, 'options', 'an object, as `wrap(fn, { name, ttl })`'), known, {
    of: 'a wrapped function',
    elsewhere: ofTheCache,
  });
  return options as WrapOptions<never, never>;
}

/** Switched off they do no harm: `false` and 0 are how a function is freed of what its method has. */
function refuseWhatNeedsTime(method: WrapOptions): void {
  for (const [name, reason] of Object.entries(needsTime)) {
    const value = method[name as keyof typeof needsTime];
    if (value === undefined || value === false || value === 0) continue;
    throw new InvalidOptionError(
      `\`${name}\` can't work for a function that returns at once, because ${reason}, or wrap an async function`,
    );
  }
}

function isListOfNames(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.every((each) => typeof each === 'string' && each !== '') &&
    new Set(value).size === value.length
  );
}
