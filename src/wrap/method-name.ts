/** Names of methods that nobody gave: taken from functions and classes, where that is sure to tell tools apart. */

import { InvalidOptionError } from '../errors.js';
import { isEvaluatedAgain, isSameCode, type ModuleEvaluation } from '../module-evaluation.js';

type AnyFunction = (...args: never[]) => unknown;

/** Shorter names may come from a minifier, which gives the same one to another function in the next build. */
const shortestLasting = 3;

const fix = "give it a name of its own: `{ name: '…' }`";

/** What to do where two functions have one name. */
const ofFunctions =
  `${fix}. A function that is made anew each time is better wrapped once. One that closes over something of its own, ` +
  'such as a tenant or a session, needs a `scope` too. Where a module is evaluated again (hot reloading), make the cache ' +
  "in that module, wrap in the module's top level, or give the function a `name`";

/** A function's hold on a name. */
export interface NameClaim {
  /** Whether a module that was evaluated again has other code under the name: results of this one must not mix with its. */
  readonly isDisplaced: boolean;
}

interface Owner {
  /** A function, or a tool. */
  readonly of: object;
  /** Where it was wrapped. */
  readonly from: ModuleEvaluation | undefined;
  /** The same where the name was given to it: a reload takes no such name over. */
  readonly givenFrom?: ModuleEvaluation | undefined;
  readonly claim: { isDisplaced: boolean };
}

/** Who goes by which name in one cache. */
export class MethodNames {
  readonly #owners = new Map<string, Owner>();
  readonly #warned = new Set<string>();
  readonly #onDisplaced: (name: string) => void;

  /** @param onDisplaced told of a name whose results are those of code that was replaced */
  constructor(onDisplaced: (name: string) => void) {
    this.#onDisplaced = onDisplaced;
  }

  /**
   * Notes that the user gave a function this name. Several functions may share one on purpose; where nothing says so,
   * one that closes over something of its own would get the other's answers, so a warning names the fix.
   * @param isTold whether the options say who shares results
   */
  give(
    name: string,
    of: object,
    { from, isTold }: { from: ModuleEvaluation | undefined; isTold: boolean },
  ): NameClaim {
    const claim = { isDisplaced: false };
    const owner = this.#owners.get(name);
    if (owner === undefined) this.#owners.set(name, { of, from: undefined, givenFrom: from, claim });
    else if (!isTold && owner.of !== of && !isEvaluatedAgain(owner.from ?? owner.givenFrom, from))
      this.#warn(name);
    return claim;
  }

  /**
   * Notes that a function or a tool goes by a name that nobody gave it. That of a module which is evaluated again takes the name over;
   * where the module's code has changed, results of the old code go, and the old function runs uncached.
   * @param advice what to do when another function has the name
   * @throws InvalidOptionError when it has: one would get the other's answers
   */
  claim(
    name: string,
    of: object,
    { from, advice = ofFunctions }: { from: ModuleEvaluation | undefined; advice?: string | undefined },
  ): NameClaim {
    const owner = this.#owners.get(name);
    if (owner?.of === of) return owner.claim;
    if (owner !== undefined && !isEvaluatedAgain(owner.from, from)) {
      throw new InvalidOptionError(
        `Another function is cached as \`${name}\` already, and one would get the other's results: ${advice}.`,
      );
    }
    const isSame = isSameCode(owner?.from, from);
    // A class of the old code may get its first instance after one of the new code.
    if (owner !== undefined && (from?.order ?? 0) < (owner.from?.order ?? 0))
      return isSame ? owner.claim : { isDisplaced: true };
    const claim = owner !== undefined && isSame ? owner.claim : { isDisplaced: false };
    this.#owners.set(name, { of, from, claim });
    if (owner !== undefined && !isSame) {
      owner.claim.isDisplaced = true;
      this.#onDisplaced(name);
    }
    return claim;
  }

  #warn(name: string): void {
    if (this.#warned.has(name)) return;
    this.#warned.add(name);
    process.emitWarning(
      `A second function was given the name \`${name}\`: each gets the other's results. If it closes over something of ` +
        'its own (an instance, a tenant, a session), give it a `scope` too; if they answer alike, say `shared: true`, ' +
        'or wrap the function once.',
      { type: 'ToolstashWarning', code: 'TOOLSTASH_SHARED_NAME' },
    );
  }
}

/** The name of a plain function. @throws InvalidOptionError when it has none that tells it from others */
export function functionName(fn: AnyFunction, outlivesProcess: boolean): string {
  const name: unknown = fn.name;
  const isBound = typeof name === 'string' && name.startsWith('bound ');
  if (!isDescriptive(name) || isBound) {
    const scope = ', and a `scope` where its results depend on the object that it is bound to';
    throw new InvalidOptionError(
      `Expected a function with a name of its own, got ${described(name)}: the method's name distinguishes its ` +
        `results from those of other tools, so ${fix}${isBound ? scope : ''}`,
    );
  }
  if (outlivesProcess) checkLasting(name, name);
  return name;
}

/**
 * The name of a class's method: `Class.method`, without underscores before the class.
 * @throws InvalidOptionError when the class or the method has no name that tells it from others
 */
export function classMethodName(owner: unknown, method: string, outlivesProcess: boolean): string {
  const given: unknown = typeof owner === 'function' ? owner.name : undefined;
  // esbuild names a class with decorated static methods `_Tools`, tsc `Tools`: keys on disk must not tell compilers apart.
  const className = typeof given === 'string' ? given.replace(/^_+/, '') : given;
  if (!isDescriptive(className)) {
    throw new InvalidOptionError(
      `Expected the class of the cached method \`${method}\` to have a name of its own, got ${described(given)}: ` +
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
    `The ${what} has no name of its own: give it one, \`@cache.cached({ name: '…' })\``,
  );
}

function isDescriptive(name: unknown): name is string {
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
