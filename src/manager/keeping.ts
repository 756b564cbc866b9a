/** The way of a tool's answer into the cache. A failure on it is counted and costs the caller nothing. */

import { CacheError, UnstorableValueError } from '../errors.js';
import { errorTtl } from '../guard/error-cache.js';
import type { ResolvedMethodOptions } from '../options.js';
import type { Stamp } from '../stamp.js';
import { asCacheError, type CacheCore } from './core.js';
import type { DecidedTtl } from './loader.js';
import type { MethodState } from './method-state.js';
import type { Tagged } from './tag-invalidations.js';
import { termsOf } from './terms.js';

/** Where an answer goes, and under which options. */
export interface AnswerPlace {
  readonly state: MethodState;
  readonly key: string;
  readonly options: ResolvedMethodOptions;
}

/** What a tool's answer goes into the cache with. */
export interface Answer {
  readonly value: unknown;
  readonly loadMs: number;
  /** What the loader decided on how long it is fresh; `undefined` leaves that to the options. */
  readonly ttl: DecidedTtl;
  readonly isStored: boolean;
  /** Of the moment the load began. */
  readonly began: Stamp;
}

/** Stores an answer where it may be stored; gives it out again, or is `undefined` where it can't be kept. */
export function keepAnswer(core: CacheCore, place: AnswerPlace, answer: Answer): (() => unknown) | undefined {
  const { state, key } = place;
  try {
    const { kept, bytes } = core.keeper.keep(answer.value);
    if (answer.isStored) store(core, place, answer, { kept, bytes });
    return () => core.keeper.give(kept);
  } catch (error) {
    // What was there before is older than what the tool just said.
    if (answer.isStored) core.tiers.remove(state, key, 'refuse');
    if (error instanceof UnstorableValueError) core.uncached(state, 'unstorable value', error);
    else core.failed(asCacheError(error, `Keeping the result of \`${state.name}\` failed`), state, key);
    return undefined;
  }
}

function store(
  core: CacheCore,
  { state, key, options }: AnswerPlace,
  { value, loadMs, ttl, began }: Answer,
  { kept, bytes }: { readonly kept: unknown; readonly bytes: number },
): void {
  state.errors.forget(key);
  try {
    if (ttl instanceof CacheError) throw ttl;
    const terms = termsOf(options, value, { decidedTtl: ttl, random: core.options.random });
    core.tiers.put(state, key, { kept, bytes, loadMs, terms, began });
    if (!options.isNegative(value)) options.knownKeys?.add(key);
  } catch (error) {
    // What was there before is older than what the tool just said.
    core.tiers.remove(state, key, 'refuse');
    core.failed(asCacheError(error, `Storing the result of \`${state.name}\` failed`), state, key);
  }
}

/** Whether a result is an error by the user's own test. One that fails is counted, and the result not stored. */
export function isErrorResult(
  core: CacheCore,
  { state, key, options }: AnswerPlace,
  value: unknown,
): boolean | 'unknown' {
  try {
    return options.isError?.(value) === true;
  } catch (error) {
    core.failed(asCacheError(error, `\`isError\` of \`${state.name}\` failed`), state, key);
    return 'unknown';
  }
}

/** Keeps a loader's error to throw it again, for as long as the policy says. If that fails it is counted, and not kept. */
export function rememberError(
  core: CacheCore,
  { state, key, options }: AnswerPlace,
  thrown: { readonly error: unknown; readonly tagged: Tagged; readonly isWanted: () => boolean },
): void {
  const { error, tagged, isWanted } = thrown;
  if (options.cacheErrors === undefined) return;
  try {
    const ttlMs = errorTtl(error, options.cacheErrors);
    if (ttlMs > 0 && isWanted()) state.errors.remember(key, error, { ttlMs, tagged });
  } catch (cause) {
    core.failed(asCacheError(cause, `\`cacheErrors\` of \`${state.name}\` failed`), state, key);
  }
}
