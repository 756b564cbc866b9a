/** The rules for a server's tools: which are cached, and what they read and change. */

import { InvalidOptionError, messageOf } from '../errors.js';
import type { ToolRules } from '../index.js';
import { integer, objectOf } from '../option-checks.js';
import {
  checkedScope,
  type EffectDeclarations,
  type SharingScope,
  undeclaredTool,
} from '../rollout/tool-effects.js';
import { adapterRules } from '../tools/adapted-tool.js';
import { resolveEffect } from '../tools/effect.js';
import type { ToolOptions } from '../tools/tool-rules.js';
import { ServerLostError } from './message.js';

/** How a tool is cached. */
export interface ProxyToolOptions extends Omit<ToolOptions, 'scope' | 'key' | 'shared' | 'collect'> {
  /**
   * Who shares its answers, of those with the same `identity` and principal.
   * @default 'global' for pure tools, else 'task'
   */
  readonly scope?: SharingScope | undefined;
  /** For tools whose equal calls may differ: how many results are kept of each. @default 1 */
  readonly samples?: number | undefined;
}

/** Under options; `"write"`: it may change anything; `"opaque"`: nobody knows. */
export type ProxyToolRules = Readonly<Record<string, ProxyToolOptions | 'write' | 'opaque'>>;

/** Rules that were taken apart. */
export interface ToolDeclarations {
  /** What is cached, and under which options. */
  readonly rules: ToolRules;
  readonly effects: EffectDeclarations;
  /** Whether answers depend on what was done before, or on whose they are. */
  readonly isTracked: boolean;
}

interface ResolvedRule {
  readonly rule: ToolRules[string];
  readonly effect: EffectDeclarations[string];
  readonly isTracked: boolean;
}

/** What would run a tool behind its rollout's back. */
export const inBackground = { staleWhileRevalidate: 0, refreshAhead: false, softTimeout: false } as const;

/** Each session has a process of its own: that one has died tells nothing of the tool in all others. */
const isFailure = (error: unknown) => !(error instanceof ServerLostError);

/** Options of the tools of programs. */
export function ofProgram<O extends Pick<ToolOptions, 'circuitBreaker'>>(options: O): O {
  const { circuitBreaker } = options;
  if (circuitBreaker === true) return { ...options, circuitBreaker: { isFailure } };
  const isRule = typeof circuitBreaker === 'object' && circuitBreaker !== null;
  return isRule ? { ...options, circuitBreaker: { ...circuitBreaker, isFailure } } : options;
}

/** @throws InvalidOptionError */
export function resolveTools(path: string, tools: ProxyToolRules, isProgram = false): ToolDeclarations {
  try {
    const resolved = Object.entries(objectOf(tools, 'tools')).map(([tool, given]) => {
      const isCached = typeof given === 'object' && given !== null;
      return [tool, resolveRule(tool, isProgram && isCached ? ofProgram(given) : given)] as const;
    });
    const rules = Object.fromEntries(resolved.map(([tool, { rule }]) => [tool, rule]));
    const effects = Object.fromEntries(resolved.map(([tool, { effect }]) => [tool, effect]));
    adapterRules(rules);
    // Who runs the proxy lists what is cached, and is not asked about the rest.
    const withRest: ToolRules = { '*': 'opaque', ...rules };
    return { rules: withRest, effects, isTracked: resolved.some(([, { isTracked }]) => isTracked) };
  } catch (cause) {
    throw new InvalidOptionError(`\`${path}.tools\`: ${messageOf(cause)}`, { cause });
  }
}

function resolveRule(tool: string, rule: ProxyToolRules[string]): ResolvedRule {
  if (typeof rule !== 'object' || rule === null) {
    const effect = rule === 'write' ? rule : undeclaredTool;
    return { rule: rule as ToolRules[string], effect, isTracked: false };
  }
  if (Object.hasOwn(rule, 'cacheErrors'))
    throw new InvalidOptionError(
      `\`cacheErrors\` of the rule \`${tool}\` can't be set: a proxy stores no errors`,
    );
  const { effect = 'pure', scope, samples, ...own } = rule;
  const resolved = resolveEffect(effect, `${tool}.effect`);
  const declared = {
    effect,
    ...(scope !== undefined && { scope: checkedScope(scope, `${tool}.scope`) }),
    ...(samples !== undefined && { samples: integer(samples, `${tool}.samples`, { to: 1_000_000 }) }),
  };
  if (resolved.kind === 'pure') {
    const isTracked = (scope !== undefined && scope !== 'global') || samples !== undefined;
    return { rule: own, effect: declared, isTracked };
  }
  if (resolved.kind === 'tracked' && resolved.writes.length === 0) {
    const idle = Object.keys(inBackground).find((option) => Object.hasOwn(own, option));
    if (idle !== undefined)
      throw new InvalidOptionError(
        `\`${idle}\` of the rule \`${tool}\` does nothing: a tool whose answer depends on what was done before never runs in the ` +
          'background. Leave it out',
      );
    return { rule: { ...own, ...inBackground }, effect: declared, isTracked: true };
  }
  const [idle] = Object.keys({ ...own, ...(scope && { scope }), ...(samples && { samples }) });
  if (idle === undefined) return { rule: 'write' as const, effect: declared, isTracked: false };
  throw new InvalidOptionError(
    `\`${idle}\` of the rule \`${tool}\` does nothing: by its effect the tool is never answered from the cache. Leave it out`,
  );
}
