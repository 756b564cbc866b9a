/** The way from a `CacheManager`, as users have it, to who observes its answers. */

import type { AnswerObserver, CacheAnswer } from '../answers.js';
import { InvalidArgumentError } from '../errors.js';
import type { MethodCache } from '../index.js';
import { type CacheCore, coreOf } from '../manager/cache-context.js';
import { shown } from '../option-checks.js';

/** Tells the observers of a cache, where there are any. */
export class AnswerReports {
  readonly #core: CacheCore | undefined;

  constructor(cache: object) {
    this.#core = coreOf(cache);
  }

  get isHeard(): boolean {
    return this.#core?.observers !== undefined;
  }

  /** A call is about to be asked for whose key holds these chains. */
  asked(
    method: MethodCache,
    params: unknown,
    {
      scope,
      chains,
    }: { readonly scope: string | undefined; readonly chains: Readonly<Record<string, string>> },
  ): void {
    try {
      const key = method.key(params, scope === undefined ? {} : { scope });
      for (const observer of this.#core?.observers ?? []) observer.asked?.(key, chains);
    } catch {
      // It has no key, and will not be shared.
    }
  }

  /** A tool was run past the cache. `key`: its result is kept all the same, under this. */
  ran(method: string, value: unknown, key?: string): void {
    const source = key === undefined ? 'uncached' : 'tool';
    if (this.isHeard) this.#core?.answered({ method, key, source, ageMs: 0, isStale: false }, value);
  }
}

/** @throws InvalidArgumentError for what is no `CacheManager` of this build of the package */
export function observedCore(cache: unknown, call: string): CacheCore {
  const core = typeof cache === 'object' && cache !== null ? coreOf(cache) : undefined;
  if (core !== undefined) return core;
  throw new InvalidArgumentError(
    `Expected \`${call}\` with a \`CacheManager\`, got ${shown(cache)}: import both from ES modules, or both by \`require\``,
  );
}

/** Remembers of each object that a cache has handed out where it came from, until it is asked. */
class AnswersByValue implements AnswerObserver {
  readonly #answers = new WeakMap<object, CacheAnswer>();
  /** The last one, which mostly is asked for next: a weak map takes longer than all else here. */
  #value: object | undefined;
  #answer: CacheAnswer | undefined;

  answered(answer: CacheAnswer, value: unknown): void {
    if (typeof value !== 'object' || value === null) return;
    if (this.#value !== undefined) this.#answers.set(this.#value, this.#answer!);
    this.#value = value;
    this.#answer = answer;
  }

  take(value: object): CacheAnswer | undefined {
    if (value !== this.#value) return this.#answers.get(value);
    this.#value = undefined;
    return this.#answer;
  }
}

const answersByCache = new WeakMap<CacheCore, AnswersByValue>();

/** Where the objects come from that a cache hands out from now on. @throws InvalidArgumentError */
export function answersOf(cache: unknown, call: string): AnswersByValue {
  const core = observedCore(cache, call);
  const known = answersByCache.get(core);
  if (known !== undefined) return known;
  const answers = new AnswersByValue();
  answersByCache.set(core, answers);
  core.observe(answers);
  return answers;
}
