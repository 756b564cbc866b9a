/** Names of methods that nobody gave: taken from functions and classes, where that is sure to tell tools apart. */

import { InvalidOptionError } from '../errors.js';

type AnyFunction = (...args: never[]) => unknown;

/** Shorter names may come from a minifier, which gives the same one to another function in the next build. */
const shortestLasting = 3;

const fix = "give it one: `{ name: '…' }`";

/** Who goes by which name in one cache. */
export class MethodNames {
  readonly #owners = new Map<string, AnyFunction>();

  /** Notes that the user gave `fn` this name. Several functions may share one on purpose. */
  give(name: string, fn: AnyFunction): void {
    if (!this.#owners.has(name)) this.#owners.set(name, fn);
  }

  /**
   * Notes that `fn` goes by a name that nobody gave it.
   * @throws InvalidOptionError when another function does already: one would get the other's answers
   */
  claim(name: string, fn: AnyFunction): void {
    const owner = this.#owners.get(name);
    if (owner === undefined) this.#owners.set(name, fn);
    else if (owner !== fn) {
      throw new InvalidOptionError(
        `Another function is cached as \`${name}\` already, and one would get the other's results: ${fix}. ` +
          'A function that is made anew each time is better wrapped once. One that closes over something of its own, ' +
          'such as a tenant or a session, needs a `scope` too.',
      );
    }
  }
}

/** The name of a plain function. @throws InvalidOptionError when it has none that tells it from others */
export function functionName(fn: AnyFunction, outlivesProcess: boolean): string {
  const name: unknown = fn.name;
  if (!isTelling(name) || name.startsWith('bound ')) {
    throw new InvalidOptionError(
      `Expected a function with a name of its own, got ${described(name)}: the method's name tells its results from ` +
        `those of other tools, so ${fix}`,
    );
  }
  if (outlivesProcess) checkLasting(name, name);
  return name;
}

/**
 * The name of a class's method: `Class.method`.
 * @throws InvalidOptionError when the class or the method has no name that tells it from others
 */
export function classMethodName(owner: unknown, method: string, outlivesProcess: boolean): string {
  const className: unknown = typeof owner === 'function' ? owner.name : undefined;
  if (!isTelling(className)) {
    throw new InvalidOptionError(
      `Expected the class of the cached method \`${method}\` to have a name of its own, got ${described(className)}: ` +
        `name the class, or the method: \`@cache.cached({ name: '…' })\``,
    );
  }
  const name = `${className}.${method}`;
  if (outlivesProcess) checkLasting(className, name);
  return name;
}

/** The key of a decorated method as text. @throws InvalidOptionError for a private one, or a symbol */
export function namedKey(key: string | symbol, isPrivate: boolean): string {
  if (typeof key === 'string' && !isPrivate) return key;
  const what = isPrivate ? `private method \`${String(key)}\`` : `method \`${String(key)}\``;
  throw new InvalidOptionError(
    `The ${what} has no name that tells it from others: give it one, \`@cache.cached({ name: '…' })\``,
  );
}

function isTelling(name: unknown): name is string {
  return (
    typeof name === 'string' &&
    name !== '' &&
    name !== 'anonymous' &&
    name !== 'default' &&
    !name.startsWith('#') &&
    !name.startsWith('[')
  );
}

function checkLasting(part: string, name: string): void {
  if (part.length >= shortestLasting) return;
  throw new InvalidOptionError(
    `The name \`${name}\` is too short for entries that outlive the process: minifiers make such names, and give ` +
      `them to another function in the next build. The fix: ${fix}`,
  );
}

function described(name: unknown): string {
  if (typeof name !== 'string') return 'one whose name is no text';
  return name === '' ? 'one without a name' : `\`${name}\``;
}
