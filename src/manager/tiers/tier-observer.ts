/** What the tiers tell, and what they are told by. */

import type { TierName } from '../../entry.js';
import type { CacheError } from '../../errors.js';
import type { SlowTier } from '../../tier.js';
import type { FailureCounters, MethodState } from '../method-context.js';

/** Where the tiers tell what happened in them. */
export interface TierObserver {
  /** The state of the method that an entry belongs to. */
  state(method: string): MethodState;
  /** Counts and emits a failure of the cache. */
  failed(error: CacheError, state?: FailureCounters, key?: string): void;
}

/** Who lets one of all loads of a key go first. */
export interface LeaseGiver extends Pick<SlowTier, 'takeLease'> {
  readonly name: TierName;
}
