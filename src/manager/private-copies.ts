/** Copies of large values, decoded in slices before their callers take them. */

import type { AbortSource } from '../guard/shared-abort.js';
import type { MemoryEntry } from '../store/memory-entry.js';
import { LargeValue } from '../value/large-value.js';
import type { CacheCore } from './cache-context.js';
import type { Found } from './tiers/slow-reads.js';

/**
 * Decodes a copy for a caller who has found this entry, and takes the copy in the turn in which this resolves. Tells whether
 * the entry is an answer still: not where its key was written or deleted meanwhile, or its time is over.
 * @throws the reason of a caller who has aborted
 */
export async function prepareCopy(
  { tiers, options }: CacheCore,
  { entry, stored, caller }: { entry: MemoryEntry; stored: LargeValue; caller?: AbortSource | undefined },
): Promise<boolean> {
  const watch = tiers.reads.watch(entry.key, entry.method);
  try {
    await stored.prepare(caller);
  } finally {
    watch.end();
  }
  if (watch.superseded || tiers.tags.isInvalid(entry) || tiers.isReplaced(entry)) return false;
  return !entry.isExpired(entry.now(options.clock));
}

/**
 * `prepareCopy` for what was found; `undefined` where that needs none, or has one for this caller already.
 * @param asked its signal is asked for only where it is needed: that of a load is made then
 */
export function prepareFound(
  core: CacheCore,
  { entry, decoded }: Found,
  asked?: { readonly signal: AbortSource | undefined },
): Promise<boolean> | undefined {
  const { stored } = entry;
  if (!(stored instanceof LargeValue) || decoded?.claim()) return undefined;
  return prepareCopy(core, { entry, stored, caller: asked?.signal });
}
