/** Deleting and expiring entries: one key, those that meet criteria, a method, everything, or what carries a tag. */

import { inspect } from 'node:util';
import { notPromised } from '../at-once.js';
import { CacheClosedError, InvalidArgumentError } from '../errors.js';
import type { KeyOrigin } from '../key/key-origin.js';
import { refuseUnknown, shown } from '../option-checks.js';
import { entryBytes } from '../store/memory-entry.js';
import type { CacheCore } from './cache-context.js';
import { checkMethodName } from './call-checks.js';
import { originOf } from './create-entry.js';
import type { MethodState } from './method-context.js';
import type { Search } from './tiers/slow-reads.js';

/** Which entries to delete: those that meet all that is given. At least one is. */
export interface DeleteCriteria {
  /** Entries of this scope. */
  readonly scope?: string;
  /** Entries of this version: `2` and `'2'` differ. */
  readonly version?: string | number;
  /** Entries whose params this returns `true` for. Params that were redacted or ignored are missing in them. */
  readonly params?: (params: unknown) => boolean;
}

/** What became of a deletion by criteria. */
export interface DeletionReport {
  /** Entries that were deleted. */
  readonly deleted: number;
  /** Entries that were left because it is not known what their keys were made from: stored without `keepParams`. */
  readonly unknown: number;
}

const fields = ['scope', 'version', 'params'];

/**
 * Deletes a method's entries in memory and on disk by what their keys were made from. Loads of the method that are under
 * way are neither stored nor joined any more. What others write meanwhile may stay.
 *
 * @throws InvalidArgumentError for malformed criteria or where the method keeps no params, CacheClosedError, and what the
 *   predicate throws; what was found before it is deleted then
 */
export async function deleteWhere(
  core: CacheCore,
  state: MethodState,
  criteria: DeleteCriteria,
): Promise<DeletionReport> {
  if (core.isClosed) throw new CacheClosedError('The cache is closed: make a new CacheManager');
  checkCriteria(criteria);
  if (state.unkept === undefined && !state.hasOtherParams) {
    throw new InvalidArgumentError(
      `Expected \`${state.name}\` to keep what its keys are made from: make the cache, the method or the wrapped ` +
        'function with `keepParams: true` or `{ redact: [paths] }`',
    );
  }
  core.loads.supersedeAll(state.name);
  state.errors.clear();
  let [deleted, unknown] = [0, 0];
  for await (const held of core.tiers.entries(state.name)) {
    if (core.isClosed)
      throw new CacheClosedError('The cache was closed before all its entries were gone through');
    const { key } = 'entry' in held ? held.entry : held.record;
    const origin = 'entry' in held ? held.entry.origin : originOf(held.record);
    const verdict = origin === undefined ? 'unknown' : meets(origin, criteria, core);
    if (verdict === 'unknown') unknown += 1;
    else if (verdict) {
      deleteEntry(core, state, key);
      deleted += 1;
    }
  }
  return { deleted, unknown };
}

function meets(origin: KeyOrigin, { scope, version, params }: DeleteCriteria, core: CacheCore) {
  if (scope !== undefined && origin.scope !== scope) return false;
  if (version !== undefined && origin.version !== version) return false;
  if (params === undefined) return true;
  if (origin.encodedParams === undefined) return 'unknown';
  const answer: unknown = notPromised(params(core.codec.decode(origin.encodedParams)), 'params(params)');
  if (typeof answer !== 'boolean') throw expected('`params(params)` to return true or false', answer);
  return answer;
}

function checkCriteria(criteria: DeleteCriteria): void {
  if (typeof criteria !== 'object' || criteria === null || Array.isArray(criteria))
    throw expected('what `deleteWhere` is given to be an object', criteria);
  refuseUnknown(criteria, fields, { of: '`deleteWhere`', noun: 'field', Refusal: InvalidArgumentError });
  const { scope, version, params } = criteria;
  // A criterion that went missing must not widen what is deleted.
  for (const [name, value] of Object.entries(criteria)) {
    if (value === undefined) throw expected(`\`${name}\` of \`deleteWhere\` to be given or left out`, value);
  }
  if (Object.keys(criteria).length === 0) {
    throw new InvalidArgumentError(
      'Expected `scope`, `version` or `params` of `deleteWhere`, got none: `clear(method)` deletes all',
    );
  }
  if (scope !== undefined && typeof scope !== 'string')
    throw expected('`scope` of `deleteWhere` to be a string', scope);
  if (version !== undefined && typeof version !== 'string' && !Number.isFinite(version))
    throw expected('`version` of `deleteWhere` to be a string or finite number', version);
  if (params !== undefined && typeof params !== 'function')
    throw expected('`params` of `deleteWhere` to be a function of the params', params);
}

function expected(what: string, got: unknown): InvalidArgumentError {
  return new InvalidArgumentError(`Expected ${what}, got ${shown(got)}`);
}

/** A thousand years: how long after its expiry a value stays that would have lived for ever. */
const longestStaleMs = 1000 * 365 * 86_400_000;

/** Deletes a key in every tier; tells whether memory had it. */
export function deleteEntry(core: CacheCore, state: MethodState, key: string): boolean {
  core.loads.supersede(key);
  state.errors.forget(key);
  const existed = core.tiers.remove(state, key, 'delete');
  if (core.events.isHeard('delete')) core.events.emit('delete', { method: state.name, key });
  return existed;
}

/** Makes a key's value stale as of now in every tier, so that it only stands in for a load; tells whether there was one. */
export async function expireEntry(core: CacheCore, state: MethodState, key: string): Promise<boolean> {
  const { tiers, loads } = core;
  loads.supersede(key);
  state.errors.forget(key);
  const watch = tiers.reads.watch(key, state.name);
  let found: Search;
  try {
    [found] = tiers.hasSlow ? await tiers.search([key], state) : [];
  } finally {
    watch.end();
  }
  if (found !== undefined && 'error' in found) throw found.error;
  // What was written, deleted or invalidated meanwhile, to the last turn, is not to come back.
  const isOver = watch.superseded || (found !== undefined && tiers.tags.isInvalid(found.entry));
  const entry = tiers.peek(key) ?? (isOver ? undefined : found?.entry);
  if (entry === undefined || core.isClosed) return false;
  // What a load has begun meanwhile was asked for before it was expired here.
  loads.supersede(key);
  const { stored, loadMs, tags, origin, cost, isNegative, createdAt } = entry;
  const now = core.options.clock.now();
  const staleFor = entry.validUntil === null ? longestStaleMs : Math.max(0, entry.validUntil - now);
  tiers.put(state, key, {
    ...{ stored, loadMs, origin, createdAt, began: undefined },
    // Processes of a folder alone compare stamps: a load under way in another has to be older.
    ...(tiers.remote !== undefined && { replaces: entry.stamp }),
    bytes: entry.bytes - entryBytes(0, tags, origin),
    lifetime: {
      ...{ tags, cost, isNegative, idleMs: 0, hasOwnTtl: true, memoryTtl: state.options.memoryTtl },
      // Stale since a moment ago: a ttl of 0 would not be stored.
      ttl: -1,
      staleFor: staleFor + 1,
    },
  });
  return true;
}

/** @throws InvalidArgumentError for what is no key, CacheClosedError */
export function checkKey(core: CacheCore, key: string): void {
  if (core.isClosed) throw new CacheClosedError('The cache is closed: make a new CacheManager');
  if (typeof key === 'string' && /^[0-9a-f]{32}$/.test(key)) return;
  throw new InvalidArgumentError(
    `Expected a key of 32 hex digits, as \`cache.key(method, params)\` gives it, got ${shown(key)}`,
  );
}

/**
 * Deletes a method's entries, or all, at once for every reader; loads under way are not stored. The promise tells when
 * memory has let go of them. @throws CacheClosedError
 */
export function clearCache(core: CacheCore, method?: string): Promise<void> {
  checkMethodName('clear', method);
  if (core.isClosed) throw new CacheClosedError('The cache is closed: make a new CacheManager');
  core.loads.supersedeAll(method);
  for (const state of core.states()) if (method === undefined || method === state.name) state.errors.clear();
  const release = core.tiers.clear(method);
  if (core.events.isHeard('clear')) core.events.emit('clear', { method });
  return release;
}

/**
 * Makes void whatever carries one of the tags, in every tier and in loads under way.
 * @throws InvalidArgumentError, CacheClosedError
 */
export function invalidateTags(core: CacheCore, tags: readonly string[]): void {
  if (core.isClosed) throw new CacheClosedError('The cache is closed: make a new CacheManager');
  if (!Array.isArray(tags) || !tags.every((tag) => typeof tag === 'string' && tag !== '')) {
    throw new InvalidArgumentError(
      `Expected tags to be a list of non-empty strings, got \`${inspect(tags)}\``,
    );
  }
  core.tiers.invalidateTags(tags);
  if (core.events.isHeard('invalidateTags')) core.events.emit('invalidateTags', { tags: [...tags] });
}
