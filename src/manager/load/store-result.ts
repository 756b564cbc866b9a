/** Storing a tool's result, its error, and what its key was made from. A failure is counted and costs the caller nothing. */

import { notPromised } from '../../at-once.js';
import { CacheError, UnstorableValueError } from '../../errors.js';
import { errorTtl } from '../../guard/error-cache.js';
import type { Tagged } from '../../guard/tag-invalidation.js';
import { type KeyOrigin, keptParams } from '../../key/key-origin.js';
import { nodeCrypto } from '../../node-crypto.js';
import type { ResolvedMethodOptions } from '../../options.js';
import { type Asker, isNotRecorded } from '../../recorded-tools.js';
import type { Stamp } from '../../stamp.js';
import type { LoadTicket, LoadWatch } from '../../tier.js';
import { ownString } from '../../value/own-string.js';
import { asCacheError, type CacheCore } from '../cache-context.js';
import { lifetimeOf } from '../create-entry.js';
import type { MethodState } from '../method-context.js';
import type { DecidedTtl, Shared } from './loader.js';

/** Where an answer goes, and under which options. */
export interface AnswerPlace {
  readonly state: MethodState;
  readonly key: string;
  readonly options: ResolvedMethodOptions;
  /** What the key was made from, where that is kept. */
  readonly origin?: KeyOrigin | undefined;
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
  /** What other processes have changed during the load; none for one that returned at once. */
  readonly watch?: LoadWatch | undefined;
  /** The right to store it where other machines have it from. */
  readonly ticket?: LoadTicket | undefined;
}

/** Stores an answer where it may be stored; what others can have it from, or `undefined` where it can't be kept. */
export function storeResult(core: CacheCore, place: AnswerPlace, answer: Answer): Shared | undefined {
  const { state, key } = place;
  try {
    const { stored, bytes } = core.keeper.encode(answer.value);
    state.storability.isUnstorable = false;
    if (answer.isStored) store(core, place, answer, { stored, bytes });
    return { stored };
  } catch (error) {
    // What was there before is older than what the tool just said.
    if (answer.isStored) core.tiers.remove(state, key, 'refuse');
    if (error instanceof UnstorableValueError) {
      state.storability.refused(error);
      core.uncached(state, 'unstorable value', error);
    } else core.failed(asCacheError(error, `Encoding the result of \`${state.name}\` failed`), state, key);
    return undefined;
  }
}

function store(
  core: CacheCore,
  { state, key, options, origin }: AnswerPlace,
  { value, loadMs, ttl, began, watch, ticket }: Answer,
  { stored, bytes }: { readonly stored: unknown; readonly bytes: number },
): void {
  state.errors.forget(key);
  try {
    if (ttl instanceof CacheError) throw ttl;
    const lifetime = lifetimeOf(options, value, {
      decidedTtl: ttl,
      random: core.options.random,
      method: state.options,
    });
    // The tool may have answered before another process invalidated it.
    if (watch?.isInvalidated(lifetime.tags)) return void core.tiers.drop(state, key);
    core.tiers.put(state, key, { stored, bytes, loadMs, lifetime, began, origin, ticket });
    core.ages?.loaded({
      method: state.name,
      key,
      stored,
      ttl: lifetime.ttl,
      isTagged: lifetime.tags !== undefined,
    });
  } catch (error) {
    // What was there before is older than what the tool just said.
    core.tiers.remove(state, key, 'refuse');
    core.failed(asCacheError(error, `Storing the result of \`${state.name}\` failed`), state, key);
    return;
  }
  if (options.knownKeys !== undefined) addKnownKey(core, { state, key, options }, value);
}

/** Notes that a key exists, unless its value says "nothing found". A failure is counted: the value stays. */
export function addKnownKey(core: CacheCore, { state, key, options }: AnswerPlace, value: unknown): void {
  if (options.knownKeys === undefined) return;
  try {
    if (!options.isNegative(value)) notPromised<unknown>(options.knownKeys.add(key), 'knownKeys.add');
  } catch (error) {
    core.failed(asCacheError(error, `\`knownKeys\` of \`${state.name}\` failed`), state, key);
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
  thrown: {
    readonly error: unknown;
    readonly tagged: Tagged;
    readonly knownAt: number;
    readonly isWanted: () => boolean;
  },
): void {
  const { error, tagged, knownAt, isWanted } = thrown;
  // Whether there is a recording says nothing of the tool.
  if (options.cacheErrors === undefined || isNotRecorded(error)) return;
  try {
    const ttlMs = errorTtl(error, options.cacheErrors);
    if (ttlMs > 0 && isWanted()) state.errors.remember(key, error, { ttlMs, tagged, knownAt });
  } catch (cause) {
    core.failed(asCacheError(cause, `\`cacheErrors\` of \`${state.name}\` failed`), state, key);
  }
}

/** A call that has a key. */
export interface KeyedCall {
  readonly params: unknown;
  /** The call's own; the method's where it has none. */
  readonly scope: string | undefined;
  readonly key: string;
  readonly asker?: Asker | undefined;
}

/**
 * What is kept of a call's origin, in memory of its own; `undefined` without `keepParams`. Params that can't be encoded
 * are counted and not kept: the entry is stored all the same.
 */
export function storedOrigin(
  core: CacheCore,
  state: MethodState,
  { params, scope, key, asker }: KeyedCall,
): KeyOrigin | undefined {
  if (state.unkept === undefined) return undefined;
  const { version } = state.options;
  const kept = keptScope(scope ?? state.options.scope, asker !== undefined && scope !== undefined);
  const origin = {
    ...(kept !== undefined && { scope: kept }),
    ...(version !== undefined && { version }),
    ...(asker?.task !== undefined && { task: asker.task }),
    ...(asker?.rollout !== undefined && { rollout: asker.rollout }),
  };
  try {
    const stored = keptParams(params, state.unkept);
    if (stored === undefined && params !== undefined) return origin;
    return { ...origin, encodedParams: core.codec.encode(stored) };
  } catch (error) {
    core.failed(asCacheError(error, `The params of \`${state.name}\` can't be kept`), state, key);
    return origin;
  }
}

/** A scope as it is kept. A rollout's own names what its calls depend on by their arguments, which may be redacted. */
function keptScope(scope: string | undefined, isOfRollout: boolean): string | undefined {
  if (scope === undefined) return undefined;
  return isOfRollout ? `rollout:${nodeCrypto().hash('md5', scope)}` : ownString(scope);
}
