/** The policy that answers most of the traffic there is, of LRU and W-TinyLFU: found by small simulations of both. */

import { BoundedStore } from './bounded-store.js';
import type { StoreEntry, StoreFactory, StoreOptions } from './store.js';
import { AdaptiveWindowOrder } from './w-tinylfu.js';
import type { WindowNode } from './window-order.js';
import { windowShares } from './window-race.js';

/** A store that tells how it evicts now, and why. */
class AutoStore<E extends StoreEntry> extends BoundedStore<E, WindowNode<E>> {
  readonly #order: AdaptiveWindowOrder<E>;

  constructor(options: StoreOptions<E>, order: AdaptiveWindowOrder<E>) {
    super(options, order);
    this.#order = order;
  }

  /** As a sentence. */
  get policy(): string {
    const { windowShare, lookups, hits } = this.#order.standing;
    const nameOf = (share: number) => (share === 1 ? 'lru' : `w-tinylfu with a window of ${share * 100} %`);
    if (lookups === 0) return `${nameOf(windowShare)}: nothing had to leave yet`;
    const shares = windowShares.map(
      (share, at) => `${nameOf(share)} ${Math.round((100 * hits[at]!) / lookups)} %`,
    );
    return `${nameOf(windowShare)}: of the last ${Math.round(lookups)} lookups of sampled keys, ${shares.join(', ')} would be answered`;
  }
}

/**
 * Makes a store that evicts as the policy does which would answer most: LRU, which it starts as, or W-TinyLFU with a narrow or
 * a wide window. All three are simulated on at most 512 keys each. Within a point of LRU where calls repeat in a few
 * rollouts and never again, and near the best elsewhere. `cache.report()` says what it does and why. O(1).
 */
export const auto: StoreFactory = (options) =>
  new AutoStore(options, new AdaptiveWindowOrder(options.maxSize, 1));
