/** What the cache knows of a call of a rollout, without running its tool. */

import type { Lookup, LookupOptions } from '../index.js';
import { asker, type CallOptions } from '../recorded-tools.js';
import type { ResolvedEffect } from '../tools/effect.js';
import { plainCopy } from '../wrap/plain-copy.js';
import type { Answer } from './answer.js';
import { namesFor, touchedNames } from './resource-names.js';
import type { RolloutTool } from './rollout-call.js';
import type { World } from './write.js';

/** A call that always runs its tool, now and as things stand. */
export interface UncachedCall {
  /**
   * Nothing is looked up: its tool is 'opaque' or not declared, it writes and no `environment` makes its world, an argument
   * names no resource, or a write that was given up may still be running.
   */
  readonly outcome: 'uncached';
}

/** What the cache knows of a call of a rollout, and what that depends on. */
export type RolloutLookup<T = unknown> = (Lookup<T> | UncachedCall) & {
  /**
   * What the call depends on, each resource with its chain: the hash of all that has happened to it in this rollout, `''`
   * for nothing. A value that is found comes from a rollout that had the same chain of each.
   */
  readonly chains: Answer['chains'];
};

interface LookedUp {
  readonly tool: RolloutTool;
  readonly effect: ResolvedEffect;
  readonly input: unknown;
  readonly signal: AbortSignal | undefined;
}

const uncached = { outcome: 'uncached', chains: {} } as const;

/** Looks a call up once the writes that touch it have ended. Rejects as `cache.lookup` does, and with an abort. */
export async function lookUp<T>(
  { history, turns, materialization, recorded, reports }: World,
  { tool, effect, input: given, signal }: LookedUp,
): Promise<RolloutLookup<T>> {
  if (materialization?.failure !== undefined) throw materialization.failure;
  const { method, reads } = tool;
  if (effect.kind === 'pure')
    return { ...(await method.lookup<T>(given, askedBy(tool, reads?.text, false))), chains: {} };
  if (effect.kind === 'opaque' || !effect.isDeclared || turns.isWithin()) return uncached;
  const isWrite = effect.writes.length > 0;
  if (isWrite && !materialization?.isVirtual && recorded?.mode !== 'strict') return uncached;
  // Its caller may change it meanwhile.
  const input = plainCopy(given);
  const names = isWrite ? touchedNames(effect, input) : namesFor(effect.reads, input);
  if (names === undefined) return uncached;
  const resources = names.map((name) => history.resource(name));
  for (let write = turns.writeOn(resources); write !== undefined; write = turns.writeOn(resources))
    if (!(await write.hasEnded(signal))) return uncached;
  if (turns.isUnsettled(resources)) return uncached;
  const prefix = isWrite ? tool.writePrefix : reads?.text;
  const scope = names.reduce((text, name) => text + history.partFor(name), prefix ?? '');
  const chains = history.chainsOf(names);
  if (reports.isHeard) reports.asked(method, input, { scope, chains });
  return { ...(await method.lookup<T>(input, askedBy(tool, scope, isWrite))), chains };
}

/** The options of a lookup, with who asks: a recording has the scopes of rollouts as digests. */
function askedBy(
  { options }: RolloutTool,
  scope: string | undefined,
  isExact: boolean,
): LookupOptions & CallOptions {
  return { ...(scope !== undefined && { scope }), [asker]: { ...options?.[asker], isExact } };
}
