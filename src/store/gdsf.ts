/**
 * What saves least per byte goes first: Greedy-Dual-Size-Frequency.
 *
 * Ludmila Cherkasova: Improving WWW Proxies Performance with Greedy-Dual-Size-Frequency Caching Policy,
 * HP Laboratories HPL-98-69R1, 1998.
 */

import { BoundedStore } from './bounded-store.js';
import { GreedyDualOrder } from './greedy-dual.js';
import type { StoreEntry, StoreFactory } from './store.js';

/** The loads of a method that its typical load is told from: the latest count most once there are so many. */
const rememberedLoads = 1000;

/**
 * What entries cost. The user's own `cost` counts as it is. A load's time is a single measurement, and one that was slow by
 * chance would keep its entry for as long as it seemed expensive; so it counts as the geometric mean of itself and the
 * method's typical load: half of what sets it apart is taken for chance. (Wooster, Abrams 1997 estimate by the server.)
 */
class Costs {
  #sum = 0;
  #count = 0;
  readonly #methods = new Map<string, { logs: number; count: number }>();

  /** For an unknown cost (0) the method's typical one, else the mean of all so far, 1 before the first. */
  of({ cost, loadMs, method }: StoreEntry): number {
    const known = cost ?? loadMs;
    const typical = method === undefined ? undefined : this.#typicalOf(method, known);
    if (known <= 0) return typical ?? (this.#count === 0 ? 1 : this.#sum / this.#count);
    this.#sum += known;
    this.#count += 1;
    return cost === undefined && typical !== undefined ? Math.sqrt(loadMs * typical) : known;
  }

  /** The geometric mean of a method's known costs, this one included. */
  #typicalOf(method: string, known: number): number | undefined {
    let costs = this.#methods.get(method);
    if (known > 0) {
      if (costs === undefined) {
        costs = { logs: 0, count: 0 };
        this.#methods.set(method, costs);
      }
      costs.count = Math.min(costs.count + 1, rememberedLoads);
      costs.logs += (Math.log(known) - costs.logs) / costs.count;
    }
    return costs && Math.exp(costs.logs);
  }
}

/**
 * Makes a store that keeps what is expensive to load, small and often used. It evicts the entry with the lowest
 * `inflation + frequency × cost / bytes`, among equals the least recently used; the inflation is the priority of the last
 * evicted entry, so that what was popular long ago leaves in time. Being set is a use; a key that is set again keeps
 * its count. The cost is the user's own or what the load took, tempered by what loads of its method typically take; an
 * entry set without a load counts as a typical one. O(log n).
 */
export const gdsf: StoreFactory = (options) => new BoundedStore(options, gdsfOrder(options.maxSize));

/** The order of a `gdsf` store. */
export function gdsfOrder<E extends StoreEntry>(maxSize: number, largestMap?: number): GreedyDualOrder<E> {
  const costs = new Costs();
  return new GreedyDualOrder(maxSize, (entry) => costs.of(entry) / entry.bytes, largestMap);
}
