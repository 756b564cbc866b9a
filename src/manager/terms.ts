/** On which terms a value goes into the cache: how long for whom, under which tags, and what it is worth. */

import { type Duration, parseDuration } from '../duration.js';
import { InvalidOptionError } from '../errors.js';
import { jitteredTtl } from '../guard/jitter.js';
import { ttlOfResult } from '../guard/negative.js';
import type { ResolvedMethodOptions } from '../options.js';

/** What the options come to for one value. Times in ms. */
export interface Terms {
  /** How long it is fresh; `null` is for ever, 0 is not to be stored. */
  readonly ttl: number | null;
  /** How long after that it may be answered as stale, to whoever may have stale values. */
  readonly staleFor: number;
  /** How long it may go unread; 0 is no limit. */
  readonly idleMs: number;
  /** How long it stays in memory. */
  readonly memoryTtl: number | undefined;
  readonly tags: readonly string[] | undefined;
  readonly cost: number | undefined;
  readonly isNegative: boolean;
}

/**
 * The terms of one value. What the loader decided on its ttl comes before `negativeTtl`, and that before `ttl`.
 * @throws InvalidOptionError when a function of the user gives what it should not, and what it throws itself
 */
export function termsOf(
  options: ResolvedMethodOptions,
  value: unknown,
  { decidedTtl, random }: { readonly decidedTtl: number | null | undefined; readonly random: () => number },
): Terms {
  const { negativeTtl, isNegative, sliding, maxAge, jitter } = options;
  // Without a ttl of its own, "nothing found" is a value like any other.
  const isNothing = negativeTtl !== undefined && isNegative(value);
  const plain =
    decidedTtl !== undefined
      ? decidedTtl
      : ttlOfResult(value, { ttl: options.ttl, negativeTtl, isNegative: () => isNothing });
  const ttl = typeof plain === 'function' ? ttlFrom(plain(value)) : plain;
  const slides = sliding && decidedTtl === undefined && !isNothing && ttl !== null && ttl > 0;
  const freshFor = slides && maxAge !== undefined ? maxAge : ttl;
  return {
    ttl: freshFor === null ? null : jitteredTtl({ ttlMs: freshFor, jitter, random }),
    staleFor: Math.max(options.staleWhileRevalidate, options.staleIfError),
    idleMs: slides ? ttl : 0,
    memoryTtl: options.memoryTtl,
    tags: tagsFrom(options.tags, value),
    cost: options.cost === undefined ? undefined : costFrom(options.cost(value)),
    isNegative: isNothing,
  };
}

function ttlFrom(own: Duration | null): number | null {
  return own === null ? null : parseDuration(own, 'ttl(value)');
}

/** Readers of partition files refuse more: see `FORMAT.md`. */
const maxTags = 100_000;

function tagsFrom(tags: ResolvedMethodOptions['tags'], value: unknown): readonly string[] | undefined {
  if (typeof tags !== 'function') return tags.length === 0 ? undefined : counted(tags);
  const own: unknown = tags(value);
  if (!Array.isArray(own) || !own.every((tag) => typeof tag === 'string' && tag !== '')) {
    throw new InvalidOptionError('Expected `tags(value)` to return a list of non-empty strings');
  }
  return own.length === 0 ? undefined : [...counted(own)];
}

function counted(tags: readonly string[]): readonly string[] {
  if (tags.length <= maxTags) return tags;
  throw new InvalidOptionError(`Expected \`tags\` to hold at most ${maxTags} tags, got ${tags.length}`);
}

function costFrom(cost: number): number {
  if (typeof cost === 'number' && cost >= 0 && cost < Infinity) return cost;
  throw new InvalidOptionError(`Expected \`cost(value)\` to return a number of at least 0, got \`${cost}\``);
}
