/** Reads of the slower tiers under way, at most one a key that may be joined. */

import type { TierName } from '../../entry.js';
import { CacheError } from '../../errors.js';
import { type Flight, SingleFlight } from '../../guard/single-flight.js';
import type { MemoryEntry } from '../../store/memory-entry.js';
import type { DecodedValue } from '../../value/keeper.js';

/** An entry and the tier it was found in. */
export interface Found {
  readonly entry: MemoryEntry;
  readonly tier: TierName;
  /** The value, where it was decoded on its way into memory. */
  readonly decoded?: DecodedValue | undefined;
}

/** What memory holds, as what was found. */
export function inMemory(entry: MemoryEntry | undefined): Found | undefined {
  return entry && { entry, tier: 'memory' };
}

/** What a search of the slower tiers came to. */
export type Search = Found | { readonly error: CacheError } | undefined;

/** What a read came to: what it found, or that its key was written meanwhile. */
export type Read = Search | 'superseded';

/** One look into a tier. */
export interface TierLookup {
  readonly method: string;
  readonly tier: TierName;
  readonly ms: number;
}

/** All reads of one cache's slower tiers. */
export class SlowReads extends SingleFlight<Read> {
  /** Who hears how long each look into a tier took that did not fail. They never throw. */
  readonly listeners = new Set<(lookup: TierLookup) => void>();
  /** Reads for which a load has waited in vain. */
  readonly #stuck = new WeakSet<Flight<Read>>();

  /** The read of this key is not to be waited for by a load any more. */
  giveUp(key: string): void {
    const read = this.find(key);
    if (read !== undefined) this.#stuck.add(read);
  }

  /** Why a load should not wait for the read of this key that is under way; `undefined` if it may. */
  problemWith(key: string): CacheError | undefined {
    const read = this.find(key);
    if (read === undefined || !this.#stuck.has(read)) return undefined;
    const message = `A slower tier took too long to read ${key}: it is not asked again`;
    return new CacheError('ERR_STORAGE', message);
  }
}
