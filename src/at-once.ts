/** Functions of the user's that have to answer at once. One that turns out async gives no answer, only a promise. */

import { InvalidOptionError, messageOf } from './errors.js';
import { shown } from './option-checks.js';

/** One for each function, so that options made from one function stay equal. */
const checked = new WeakMap<object, object>();

/**
 * The same function, which throws when it returns a promise. What that promise rejects with goes nowhere: a rejection
 * that nobody handles would end the process.
 *
 * @param path the option, for the error
 */
export function atOnce<A extends readonly unknown[], R>(
  fn: (...args: A) => R,
  path: string,
): (...args: A) => R {
  const known = checked.get(fn) as ((...args: A) => R) | undefined;
  if (known !== undefined) return known;
  const own = function (this: unknown, ...args: A): R {
    return notPromised(Reflect.apply(fn, this, args), path);
  };
  checked.set(fn, own);
  // Checked once is enough.
  checked.set(own, own);
  return own;
}

/** What a function returned, if it is no promise. @throws InvalidOptionError */
export function notPromised<R>(result: R, path: string): R {
  if (!isThenable(result)) return result;
  result.then(undefined, () => undefined);
  throw new InvalidOptionError(
    `Expected \`${path}\` to return at once, got a promise: it is asked in the midst of a call, so it can't be async`,
  );
}

/** A source of random numbers that always gives a number in [0, 1). Warns once where the given one does not. */
export function soundRandom(source: () => number): () => number {
  if (source === Math.random) return source;
  let isWarned = false;
  const instead = (reason: string): number => {
    if (!isWarned) {
      isWarned = true;
      process.emitWarning(
        `Expected \`random\` to return a number from 0 up to, but not including, 1, but ${reason}: Math.random takes its place`,
        { type: 'ToolstashWarning', code: 'TOOLSTASH_RANDOM' },
      );
    }
    return Math.random();
  };
  return () => {
    try {
      const number: unknown = notPromised(source(), 'random()');
      return typeof number === 'number' && number >= 0 && number < 1
        ? number
        : instead(`got ${shown(number)}`);
    } catch (error) {
      return instead(`it failed (${messageOf(error)})`);
    }
  };
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
