/** Going through all live entries of a cache. */

import type { EntryMetadata, TierName } from '../entry.js';
import { CacheClosedError } from '../errors.js';
import { freshness } from '../guard/stale.js';
import type { MemoryEntry } from '../store/memory-entry.js';
import type { TierRecord } from '../tier.js';
import { asCacheError, type CacheCore } from './cache-context.js';
import { checkMethodName } from './call-checks.js';
import { type ReadEntry, readableEntry, staleAtFor } from './create-entry.js';
import { metadataOf } from './lookup.js';
import { prepareFound } from './private-copies.js';

/** One entry, as iteration hands it out. */
export interface CacheEntry<T = unknown> {
  /** The tool it is a result of. */
  readonly method: string;
  /** Its key, 32 hex digits. */
  readonly key: string;
  /** The value, a copy unless the option `values` says otherwise. */
  readonly value: T;
  /** The fastest tier that has it. */
  readonly tier: TierName;
  /** When it came, ages and leaves. */
  readonly metadata: EntryMetadata;
}

/**
 * All live entries, those in memory first. One that can't be read is left out, counted and emitted as an error.
 * @throws CacheClosedError when the cache is closed, before or meanwhile: what is left would be missing unnoticed
 */
export async function* listEntries(core: CacheCore, method?: string): AsyncGenerator<CacheEntry> {
  checkMethodName('entries', method);
  refuseClosed(core);
  for await (const held of core.tiers.entries(method)) {
    refuseClosed(core);
    const read =
      'entry' in held ? { entry: held.entry, decoded: undefined } : await readEntry(held.record, core);
    refuseClosed(core);
    if (read === undefined || !isLive(read.entry, core)) continue;
    const preparing = prepareFound(core, { ...read, tier: held.tier });
    // It may be gone by the time it is decoded.
    if (preparing !== undefined && !(await preparing)) continue;
    refuseClosed(core);
    const { entry, decoded } = read;
    let value: unknown;
    try {
      value = core.keeper.decode(entry.stored, decoded);
    } catch (cause) {
      const error = asCacheError(cause, `The value of ${entry.key} can't be read`);
      core.failed(error, core.countersOf(entry.method), entry.key);
      continue;
    }
    yield { method: entry.method, key: entry.key, value, tier: held.tier, metadata: metadataOf(entry) };
  }
  refuseClosed(core);
}

/** The entry of a record, unless that can't be read, or was written or deleted meanwhile. */
async function readEntry(record: TierRecord, core: CacheCore): Promise<ReadEntry | undefined> {
  const { key, method } = record;
  const watch = core.tiers.reads.watch(key, method);
  try {
    const read = await readableEntry(record, { keeper: core.keeper, clock: core.options.clock }, (error) =>
      core.failed(error, core.countersOf(method), key),
    );
    return watch.superseded || core.tiers.tags.isInvalid(record) ? undefined : read;
  } finally {
    watch.end();
  }
}

function refuseClosed(core: CacheCore): void {
  if (core.isClosed) {
    throw new CacheClosedError(
      'The cache was closed before all its entries were listed: make a new CacheManager',
    );
  }
}

/** Whether an entry may answer anybody still, under its method's options. */
function isLive(entry: MemoryEntry, core: CacheCore): boolean {
  const { validUntil: expiresAt } = entry;
  const now = entry.now(core.options.clock);
  const state = core.knownState(entry.method);
  const options = state?.options ?? core.methodOptions(entry.method);
  const staleAt = state === undefined ? staleAtFor(entry, options) : state.staleAt(entry);
  return freshness({ ...options, now, staleAt, expiresAt }) !== 'expired';
}
