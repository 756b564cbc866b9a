/** What the tools of an agent read and change, by their names. */

import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { hashKey, InvalidOptionError, type LoadOptions, type ToolRules } from '../index.js';
import { expected, integer, objectOf, refuseUnknown, shown } from '../option-checks.js';
import { type Effect, type ResolvedEffect, resolveEffect, undeclared } from '../tools/effect.js';
import { hintIn } from '../tools/hints.js';
import { CheckedRules, type ToolRule } from '../tools/tool-rules.js';
import { warnOfSlips } from './resource-slips.js';

/**
 * Who shares results: everybody, the rollouts of a task, a rollout with itself, or those of a tenant (a user, a group …).
 * Whoever shares begins in the same state of the world.
 */
export type SharingScope =
  | 'global'
  | 'task'
  | 'rollout'
  | {
      /** The tenant's name. */
      readonly tenant: string;
    };

/** An effect with more about its tool. */
export interface EffectDeclaration {
  /** What the tool reads and changes. */
  readonly effect: Effect;
  /** Who shares its results. @default the rollout's own `scope` */
  readonly scope?: SharingScope;
  /**
   * For tools whose equal calls may differ: how many results are kept of each. The rollout's id decides which one it gets:
   * the same one each time. 1 to 1,000,000.
   * @default 1
   */
  readonly samples?: number;
}

/** A tool as an MCP server lists it, as far as its hints go. */
export interface HintedTool {
  /** Its name. */
  readonly name: string;
  /** What the server says of it. */
  readonly annotations?: {
    /** Whether it changes nothing. */
    readonly readOnlyHint?: boolean;
    /** Whether it may destroy something. */
    readonly destructiveHint?: boolean;
    /** Whether a second equal call changes nothing more. */
    readonly idempotentHint?: boolean;
  };
}

/** Effects by a tool's name, in which `*` stands for any text; the longest name that fits goes before others. */
export type EffectDeclarations = Readonly<Record<string, Effect | EffectDeclaration>>;

/** What was declared of one tool, checked. */
export interface ResolvedDeclaration {
  readonly effect: ResolvedEffect;
  readonly scope: SharingScope | undefined;
  readonly samples: number;
  /** What else its rule says of calls. */
  readonly options: RuleOptions;
}

/** The options of a rule of `cache.tools` that a rollout heeds: others would be the tool's key, or are the method's. */
export type RuleOptions = Pick<LoadOptions, 'ttl' | 'isError'>;

const noOptions: RuleOptions = Object.freeze({});

interface Pattern extends ResolvedDeclaration {
  readonly text: string;
  readonly given: unknown;
  /** How many characters it fixes. */
  readonly length: number;
  readonly matches: RegExp;
}

/**
 * The effects of an agent's tools, checked: from code, or from a JSON file that `effects.schema.json` describes,
 * `{ "tools": { "search": "pure", "cancel": { "reads": [], "writes": ["reservation:{id}"] } } }`. A tool of which nothing
 * is said may do anything: it is never answered from the cache, and nothing known before holds after it.
 */
export class ToolEffects {
  /** Differs where what was declared differs: results found out under other declarations are not shared. */
  readonly digest: string;
  readonly #declared: Map<string, ResolvedDeclaration> = new Map();
  readonly #patterns: readonly Pattern[];

  /**
   * Checks what is declared of each tool, by name or pattern.
   * @throws InvalidOptionError naming the tool, what is wrong, and the fix
   */
  constructor(declarations: EffectDeclarations);
  /** @internal */
  constructor(declarations: EffectDeclarations, base: { readonly of: ToolEffects; readonly digest: string });
  constructor(
    declarations: EffectDeclarations,
    base?: { readonly of: ToolEffects; readonly digest: string },
  ) {
    if (base !== undefined) {
      this.digest = base.digest;
      this.#declared = new Map(base.of.#declared);
      this.#patterns = base.of.#patterns;
      return;
    }
    objectOf(declarations, 'effects', "an object of effects by tool name, as `{ search: 'pure' }`");
    const patterns: Pattern[] = [];
    for (const [name, given] of Object.entries(declarations)) {
      const declaration = resolveDeclaration(given, `effects.${name}`);
      if (!name.includes('*')) {
        this.#declared.set(name, declaration);
        continue;
      }
      if (/^\*+$/.test(name) && declaration.effect.kind !== 'tracked') {
        throw new InvalidOptionError(
          `Expected \`effects['${name}']\` to say nothing of tools that nobody has looked at, got ${shown(given)}: leave it ` +
            "out, and they may do anything, or name the tools that are 'pure' or 'opaque'",
        );
      }
      const length = name.replaceAll('*', '').length;
      patterns.push({ ...declaration, text: name, given, length, matches: matcherOf(name) });
    }
    this.#patterns = patterns.sort((a, b) => b.length - a.length);
    const entries = Object.entries(declarations).map(([name, given]) => [name, effectOf(given)]);
    this.digest = hashKey('toolstash.effects', Object.fromEntries(entries)).slice(0, 16);
    warnOfSlips([...this.#declared.values(), ...patterns].map(({ effect }) => effect));
  }

  /** Reads declarations from a JSON file. @throws InvalidOptionError naming the file and what is wrong in it */
  static fromFile(path: string): ToolEffects {
    let content: unknown;
    try {
      content = JSON.parse(readFileSync(path, 'utf8'));
    } catch (cause) {
      throw new InvalidOptionError(`Can't read effects from ${path}: ${(cause as Error).message}`, { cause });
    }
    try {
      const file = objectOf(content, 'the file', 'an object `{ "tools": { … } }`');
      refuseUnknown(file, ['$schema', 'tools'], { of: 'a file of effects', noun: 'field' });
      return new ToolEffects((file as { tools: EffectDeclarations }).tools);
    } catch (cause) {
      throw new InvalidOptionError(`Wrong effects in ${path}: ${(cause as Error).message}`, { cause });
    }
  }

  /**
   * The effects in rules of `cache.tools`: of a rule with options its `effect`, or 'pure', its `scope` as a tenant, its `ttl`
   * and its `isError`. What a rule calls 'opaque' may do anything, as what has no rule.
   * @throws InvalidOptionError for a wrong rule, and for one with other options, which a rollout can't heed
   */
  static fromRules(rules: ToolRules): ToolEffects {
    // Throws for rules that `cache.tools` refuses.
    new CheckedRules(rules);
    const entries = Object.entries(rules).map(([name, rule]) => [name, new RuledEffect(name, rule)]);
    return new ToolEffects(Object.fromEntries(entries) as EffectDeclarations);
  }

  /**
   * The same, with the hints of an MCP server as a veto, from its list of tools: one of which it says `readOnlyHint: false`,
   * `destructiveHint: true` or `idempotentHint: false`, and which was declared to change nothing, may do anything. Hints never
   * allow anything. A process warning names those.
   * @throws InvalidOptionError for what is no list of tools
   */
  withHints(tools: readonly HintedTool[]): ToolEffects {
    if (!Array.isArray(tools))
      throw expected('tools', 'a list of tools, as `(await client.listTools()).tools`', tools);
    const vetoed = (tools as readonly HintedTool[]).flatMap((tool) => {
      const hint = hintIn(tool);
      return hint !== undefined && changesNothing(this.for(tool.name)) ? [{ name: tool.name, hint }] : [];
    });
    if (vetoed.length === 0) return this;
    const named = vetoed.map(({ name, hint }) => `\`${name}\` (${hint})`);
    process.emitWarning(
      `Tools were declared to change nothing, and their MCP server says otherwise, so they may do anything: ${named.join(', ')}. ` +
        'Declare what they write.',
      { type: 'ToolstashWarning', code: 'TOOLSTASH_VETOED_EFFECT' },
    );
    const names = vetoed.map(({ name }) => name).sort();
    const heeding = new ToolEffects({}, { of: this, digest: hashKey(this.digest, names).slice(0, 16) });
    for (const name of names) heeding.#declared.set(name, nothingDeclared);
    return heeding;
  }

  /** @internal What was declared of a tool. @throws InvalidOptionError where two patterns disagree, as long as each other */
  for(tool: string): ResolvedDeclaration {
    const known = this.#declared.get(tool);
    if (known !== undefined) return known;
    const [first, ...others] = this.#patterns.filter(({ matches }) => matches.test(tool));
    const another = others.find(
      ({ length, given }) => length === first?.length && !isDeepStrictEqual(given, first.given),
    );
    if (first !== undefined && another !== undefined) {
      throw new InvalidOptionError(
        `The effects \`${first.text}\` and \`${another.text}\` disagree on the tool \`${tool}\`: declare it under its own name`,
      );
    }
    const found = first ?? nothingDeclared;
    this.#declared.set(tool, found);
    return found;
  }
}

/** What is known of a tool of which nothing is said. */
export const nothingDeclared: ResolvedDeclaration = {
  ...{ effect: undeclared, scope: undefined, samples: 1, options: noOptions },
};

/** Whether a tool was declared to change nothing. */
export function changesNothing({ effect }: ResolvedDeclaration): boolean {
  return effect.kind !== 'tracked' || effect.writes.length === 0;
}

/** Whether it was said what a tool's answer depends on. */
export function isKnown({ effect }: ResolvedDeclaration): boolean {
  return effect.kind === 'pure' || (effect.kind === 'tracked' && effect.isDeclared);
}

/** What a rule of `cache.tools` says of its tool, among declarations. */
class RuledEffect {
  readonly effect: Effect | 'undeclared';
  readonly scope: SharingScope | undefined;
  readonly options: RuleOptions;

  /** @throws InvalidOptionError */
  constructor(name: string, rule: ToolRule) {
    if (typeof rule === 'string') {
      this.effect = rule === 'opaque' ? 'undeclared' : rule;
      this.options = noOptions;
      return;
    }
    // Whoever shares tools shares them by their name, as rollouts do anyway.
    const { effect = 'pure', scope, shared: _, ttl, isError, ...others } = rule;
    const unheeded = Object.entries(others).find(([, value]) => value !== undefined)?.[0];
    if (unheeded !== undefined) {
      const fix =
        unheeded === 'key' || unheeded === 'collect'
          ? 'leave it out, and declare the tool where its input alone tells its calls apart'
          : `give it to the cache, \`methods: { <name>: { ${unheeded}: … } }\``;
      throw new InvalidOptionError(
        `\`${unheeded}\` of the rule \`${name}\` does nothing in a rollout: ${fix}`,
      );
    }
    this.effect = effect;
    this.scope = scope === undefined ? undefined : { tenant: scope };
    this.options = { ...(ttl !== undefined && { ttl }), ...(isError !== undefined && { isError }) };
  }

  resolved(path: string): ResolvedDeclaration {
    const { effect, scope, options } = this;
    return {
      effect: effect === 'undeclared' ? undeclared : resolveEffect(effect, path),
      ...{ scope, samples: 1, options },
    };
  }
}

/** In the place of a declaration: a tool of which nothing is said, though a pattern would fit it. */
export const undeclaredTool = Object.freeze({ effect: 'undeclared' as Effect });

function resolveDeclaration(given: unknown, path: string): ResolvedDeclaration {
  if (given === undeclaredTool) return nothingDeclared;
  if (given instanceof RuledEffect) return given.resolved(path);
  if (typeof given !== 'object' || given === null || !('effect' in given)) {
    return { effect: resolveEffect(given, path), scope: undefined, samples: 1, options: noOptions };
  }
  refuseUnknown(given, ['effect', 'scope', 'samples'], { of: `\`${path}\``, noun: 'field' });
  const { effect, scope, samples = 1 } = given as EffectDeclaration;
  const resolved = resolveEffect(effect, `${path}.effect`);
  if (
    samples !== 1 &&
    (resolved.kind === 'opaque' || (resolved.kind === 'tracked' && resolved.writes.length > 0))
  ) {
    throw new InvalidOptionError(
      `\`${path}.samples\` does nothing for a tool whose results are not kept: leave it out, or say what it reads`,
    );
  }
  return {
    effect: resolved,
    scope: scope === undefined ? undefined : checkedScope(scope, `${path}.scope`),
    samples: integer(samples, `${path}.samples`, { to: 1_000_000 }),
    options: noOptions,
  };
}

/** @throws InvalidOptionError */
export function checkedScope(scope: unknown, path: string): SharingScope {
  if (scope === 'global' || scope === 'task' || scope === 'rollout') return scope;
  const tenant =
    typeof scope === 'object' && scope !== null ? (scope as { tenant?: unknown }).tenant : undefined;
  if (typeof tenant === 'string' && tenant !== '') return { tenant };
  throw expected(path, "'global', 'task', 'rollout' or `{ tenant: 'name' }`", scope);
}

function effectOf(given: Effect | EffectDeclaration): Effect {
  return typeof given === 'object' && 'effect' in given ? given.effect : given;
}

function matcherOf(text: string): RegExp {
  const parts = text.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's');
}
