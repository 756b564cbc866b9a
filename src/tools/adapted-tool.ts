/** Tools of adapters: one that hooks into a framework knows more of a call than its arguments say. */

import { InvalidOptionError } from '../errors.js';
import { CheckedRules, type ResolvedToolRule, type ToolRules } from './tool-rules.js';

/** Under this a tool says what tells its calls apart. All builds of the package in a process have the same. */
export const adaptation: unique symbol = Symbol.for('toolstash.adaptation') as never;

/** What an adapter knows of calls. */
export interface Adaptation<Call extends object = object> {
  /** What tells one call from another. */
  key(call: Call): unknown;
  /** Whether the result is its caller's alone, neither stored nor shared: asked once the call is done. */
  isPrivate(call: Call): boolean;
}

/** Says how a tool is cached. */
export type CachedRule = ResolvedToolRule & { readonly kind: 'cached' };

/** A tool as an adapter calls it. `Call` is a class, so that nothing looks into it for signals. */
export interface AdaptedTool<Call extends object> extends Adaptation<Call> {
  /** The method's name in the cache. */
  readonly name: string;
  readonly rule: CachedRule;
  /**
   * Whether tools of the name share results: what makes a difference is in the key. Otherwise `run` is the tool's own, and
   * another of the name is refused.
   */
  readonly shared: boolean;
  /** Runs a call. The signal, if the caller gave one, is aborted once nobody waits any more. */
  run(call: Call, signal: AbortSignal | undefined): Promise<unknown>;
}

/** A cache, as far as adapters need it. */
export interface AdaptableCache {
  tools<T extends object>(tools: T, rules: ToolRules): T;
}

/** The rules of an adapter, whose tools answer at once. @throws InvalidOptionError */
export function adapterRules(rules: ToolRules): CheckedRules {
  const checked = new CheckedRules(rules);
  for (const [name, rule] of Object.entries(rules)) {
    if (typeof rule !== 'object' || rule.collect === undefined) continue;
    throw new InvalidOptionError(
      `\`collect\` of the rule \`${name}\` does nothing here, where tools answer at once: leave it out`,
    );
  }
  return checked;
}

/** What an adapter calls: it returns what memory has as it is, and else a promise. */
export type AdaptedFunction<Call extends object> = (call: Call, signal: AbortSignal | undefined) => unknown;

/** A tool's function under a cache. @throws InvalidOptionError for a rule that the cache can't heed */
export function adaptedFunction<Call extends object>(
  cache: AdaptableCache,
  { name, rule, shared, run, key, isPrivate }: AdaptedTool<Call>,
): AdaptedFunction<Call> {
  const execute: AdaptedFunction<Call> = run;
  const tool = { name, execute, [adaptation]: { key, isPrivate } };
  const [cached] = cache.tools([tool] as const, { '*': { ...rule.options.method, shared } });
  return cached.execute;
}
