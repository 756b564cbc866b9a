/** The policy that answers most of the traffic there is: of several windows and admissions, found by small simulations of all. */

import { BoundedStore } from './bounded-store.js';
import type { StoreEntry, StoreFactory, StoreOptions } from './store.js';
import { AdaptiveWindowOrder } from './w-tinylfu.js';
import type { WindowNode } from './window-order.js';
import { lruRule, narrowRule, ruleName, type WindowRule } from './window-rule.js';

/** LRU for recency, a narrow window for loops, and what was used twice for keys whose popularity changes. */
export const autoRules: readonly WindowRule[] = [
  lruRule,
  narrowRule,
  { share: 0.05, admission: 'twice' },
  { share: 0.5, admission: 'twice' },
];

/** A store that tells how it evicts now, and why. */
class AutoStore<E extends StoreEntry> extends BoundedStore<E, WindowNode<E>> {
  readonly #order: AdaptiveWindowOrder<E>;

  constructor(options: StoreOptions<E>, order: AdaptiveWindowOrder<E>) {
    super(options, order);
    this.#order = order;
  }

  /** As a sentence. */
  get policy(): string {
    const { rule, rules, lookups, hits } = this.#order.standing;
    if (lookups === 0) return `${ruleName(rule)}: nothing had to leave yet`;
    const shares = rules.map((each, at) => `${ruleName(each)} ${Math.round((100 * hits[at]!) / lookups)} %`);
    return `${ruleName(rule)}: of the last ${Math.round(lookups)} lookups of sampled keys, ${shares.join(', ')} would be answered`;
  }
}

/**
 * Makes a store that evicts as that policy does which would answer most: LRU, which it starts as, W-TinyLFU with a narrow window,
 * or one that keeps what was used twice, with a narrow or a wide window. All are simulated on at most 512 keys each. Within a
 * point of LRU where calls repeat in a few rollouts and never again, and near the best elsewhere. `cache.report()` says what
 * it does and why. O(1).
 */
export const auto: StoreFactory = (options) =>
  new AutoStore(options, new AdaptiveWindowOrder(options.maxSize, autoRules));
