/** Clearing a method, or everything. */

import { CacheClosedError } from '../errors.js';
import type { CacheCore } from './core.js';

/** Deletes a method's entries, or all; loads under way are not stored. @throws CacheClosedError */
export function clearCache(core: CacheCore, method?: string): void {
  if (core.isClosed) throw new CacheClosedError('The cache is closed: make a new CacheManager');
  core.loads.supersedeAll(method);
  core.tiers.clear(method);
  if (core.events.isHeard('clear')) core.events.emit('clear', { method });
}
