/** Clearing a method, or everything, or what carries a tag. */

import { inspect } from 'node:util';
import { CacheClosedError, InvalidArgumentError } from '../errors.js';
import type { CacheCore } from './core.js';

/** Deletes a method's entries, or all; loads under way are not stored. @throws CacheClosedError */
export function clearCache(core: CacheCore, method?: string): void {
  if (core.isClosed) throw new CacheClosedError('The cache is closed: make a new CacheManager');
  core.loads.supersedeAll(method);
  for (const state of core.states()) if (method === undefined || method === state.name) state.errors.clear();
  core.tiers.clear(method);
  if (core.events.isHeard('clear')) core.events.emit('clear', { method });
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
