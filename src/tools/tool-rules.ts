/** The rules of `cache.tools`: which tools are cached, and how. */

import { isDeepStrictEqual } from 'node:util';
import { InvalidOptionError, messageOf } from '../errors.js';
import { resolvedGuardDefaults } from '../guard/resolved-guard-options.js';
import { nearestName } from '../near-name.js';
import { objectOf, refuseUnknown, shown } from '../option-checks.js';
import { methodOptionNames, ofTheCache, resolveMethodOptions } from '../options.js';
import { type ResolvedWrapOptions, resolveWrapOptions, type WrapOptions } from '../wrap/wrap-options.js';
import { type Effect, resolveEffect } from './effect.js';

/** How a tool is cached. */
export interface ToolOptions extends Omit<WrapOptions, 'name' | 'params' | 'key' | 'scope' | 'shared'> {
  /**
   * Decides alone what tells one call from another, from the input and what the framework passes besides: for a tool
   * that reads a tenant, say, from its context.
   * @default undefined (the input)
   */
  key?(input: unknown, ...context: unknown[]): unknown;
  /**
   * Who may share an entry: a task, a user, a tenant. Tools that are made anew for each need it.
   * @default undefined (everybody)
   */
  readonly scope?: string | undefined;
  /**
   * Whether tools of this name answer alike in all sets: they may be made anew for each rollout, and close over nothing
   * that makes a difference. Without `shared` or `scope` another tool of the name is refused.
   * @default false
   */
  readonly shared?: boolean | undefined;
  /**
   * What the tool reads and changes: see `toolstash/rollout`, whose `ToolEffects.fromRules` takes it from here. Without a
   * rollout only `'pure'` tools are cached.
   * @default 'pure'
   */
  readonly effect?: Effect | undefined;
}

/** A tool is cached under options, or never: it writes, or what it does is not known. */
export type ToolRule = ToolOptions | 'write' | 'opaque';

/**
 * Rules by a tool's name, in which `*` stands for any text: `{ search: { ttl: '1h' }, 'book_*': 'write', '*': 'opaque' }`.
 * The name itself goes before patterns, of those the longest, stars left aside. Two as long must not disagree.
 */
export type ToolRules = Readonly<Record<string, ToolRule>>;

/** What is done with the calls of a tool. */
export type ResolvedToolRule =
  | { readonly kind: 'uncached' }
  | { readonly kind: 'cached'; readonly isNamed: boolean; readonly options: ResolvedWrapOptions };

/** A rule for many tools. */
interface Pattern {
  readonly text: string;
  readonly given: ToolRule;
  /** How many characters it fixes. */
  readonly length: number;
  readonly matches: RegExp;
  readonly rule: ResolvedToolRule;
}

/** Rules that were checked. */
export class CheckedRules {
  readonly #named = new Map<string, ResolvedToolRule>();
  /** The longest first; of those that are as long, those that forbid. */
  readonly #patterns: readonly Pattern[];

  /** @throws InvalidOptionError naming the rule, what is wrong with it, and the fix */
  constructor(rules: ToolRules) {
    objectOf(
      rules,
      'rules',
      "an object of rules by tool name, as `{ search: { ttl: '1h' }, '*': 'opaque' }`",
    );
    const patterns: Pattern[] = [];
    for (const [name, given] of Object.entries(rules)) {
      const isPattern = name.includes('*');
      const rule = resolveRule(name, given, !isPattern);
      const length = name.replaceAll('*', '').length;
      if (isPattern) patterns.push({ text: name, given, length, matches: patternOf(name), rule });
      else this.#named.set(name, rule);
    }
    const isCached = ({ rule }: Pattern) => Number(rule.kind === 'cached');
    this.#patterns = patterns.sort((a, b) => b.length - a.length || isCached(a) - isCached(b));
  }

  /** `undefined`: nothing was said of the tool. */
  for(name: string): ResolvedToolRule | undefined {
    return this.#named.get(name) ?? this.#patterns.find(({ matches }) => matches.test(name))?.rule;
  }

  /** What is wrong where two patterns say different things of a tool, and neither is the longer one. */
  ambiguityOf(name: string): string | undefined {
    if (this.#named.has(name)) return undefined;
    const [first, ...others] = this.#patterns.filter(({ matches }) => matches.test(name));
    const another = others.find(
      ({ length, given }) => length === first?.length && !isDeepStrictEqual(given, first.given),
    );
    if (first === undefined || another === undefined) return undefined;
    return (
      `The rules \`${first.text}\` and \`${another.text}\` say different things of the tool \`${name}\`, and neither goes ` +
      'before the other: give it a rule under its own name'
    );
  }

  /**
   * Rules may be for more tools than there are in this set.
   * @param aliases what tools call themselves that have another key in their record
   * @throws InvalidOptionError for a rule that is likely meant for one of these tools, and isn't its own
   */
  refuseMisspelt(names: ReadonlySet<string>, aliases: ReadonlyMap<string, string>): void {
    const unruled = [...names].filter((name) => !this.#named.has(name));
    for (const name of this.#named.keys()) {
      if (names.has(name)) continue;
      const alias = aliases.get(name);
      const meant = nearestName(name, unruled);
      if (alias === undefined && meant === undefined) continue;
      const hint =
        alias === undefined
          ? `did you mean \`${meant}\`?`
          : `the tool under that key calls itself \`${alias}\`, and rules go by that.`;
      throw new InvalidOptionError(
        `No tool is called \`${name}\`, as a rule is: ${hint} Tools: ${[...names].join(', ')}`,
      );
    }
  }
}

const uncached: ResolvedToolRule = { kind: 'uncached' };

function resolveRule(name: string, rule: ToolRule, isNamed: boolean): ResolvedToolRule {
  if (rule === 'write' || rule === 'opaque') return uncached;
  if (typeof rule !== 'object' || rule === null || Array.isArray(rule)) {
    throw new InvalidOptionError(
      `Expected the rule \`${name}\` to be 'write', 'opaque', or options as \`{ ttl: '1h' }\`, got ${shown(rule)}`,
    );
  }
  refuseUnknown(rule, [...ownNames, ...methodOptionNames], {
    of: `the rule \`${name}\``,
    elsewhere: (option) =>
      option === 'name' || option === 'params'
        ? `\`${option}\` is no option of the rule \`${name}\`: a tool has its name and the params of its input`
        : ofTheCache(option),
  });
  if (rule.scope !== undefined && typeof rule.scope !== 'string') {
    throw new InvalidOptionError(
      `Expected \`scope\` of the rule \`${name}\` to be a string, got ${shown(rule.scope)}: where the context of a ` +
        'call tells it, make it part of the `key`',
    );
  }
  const { effect = 'pure', ...own } = rule;
  const isPure = resolveEffect(effect, `${name}.effect`).kind === 'pure';
  try {
    const options = resolveWrapOptions(own, false);
    // Also where no tool is found for it. Which options do nothing without others depends on the cache.
    resolveMethodOptions(options.method, '', ofAnyCache);
    return isPure ? { kind: 'cached', isNamed, options } : uncached;
  } catch (cause) {
    throw new InvalidOptionError(`Wrong rule \`${name}\`: ${messageOf(cause)}`, { cause });
  }
}

const ofAnyCache = {
  ...resolvedGuardDefaults,
  ...{ ttl: 1, scope: undefined, version: undefined, ignore: [], keepParams: undefined },
};

const ownNames = ['key', 'shared', 'collect', 'effect'] as const;

function patternOf(text: string): RegExp {
  const parts = text.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's');
}
