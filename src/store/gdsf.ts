/**
 * What saves least per byte goes first: Greedy-Dual-Size-Frequency.
 *
 * Ludmila Cherkasova: Improving WWW Proxies Performance with Greedy-Dual-Size-Frequency Caching Policy,
 * HP Laboratories HPL-98-69R1, 1998.
 */

import { Heap, type HeapNode } from '../heap.js';
import { type EvictionPolicy, type PolicyNode, PolicyStore } from './policy-store.js';
import type { StoreEntry, StoreFactory } from './store.js';

class GdsfNode<E> implements PolicyNode<E>, HeapNode {
  entry: E | undefined;
  uses = 0;
  /** What one use is worth: cost by size. */
  worth = 0;
  priority = 0;
  /** Grows with each use, and breaks ties. */
  lastUse = 0;
  heapIndex = -1;

  constructor(entry: E) {
    this.entry = entry;
  }
}

/**
 * The inflation from which on it is taken off all priorities. Doubles near it are 2^-22 apart, so what a use is worth
 * (milliseconds by bytes) stays visible beside it however long the store lives.
 */
const highestInflation = 2 ** 30;

/** The order of the `gdsf` store. */
export class GdsfPolicy<E extends StoreEntry> implements EvictionPolicy<E, GdsfNode<E>> {
  readonly #heap = new Heap<GdsfNode<E>>((a, b) =>
    a.priority === b.priority ? a.lastUse < b.lastUse : a.priority < b.priority,
  );
  readonly #costs = new Costs();
  /** The priority of the last evicted entry, which new priorities start from: the paper's `L`. */
  #inflation = 0;
  #uses = 0;

  insert(entry: E): GdsfNode<E> {
    const node = new GdsfNode(entry);
    node.worth = this.#worthOf(entry);
    this.#use(node);
    this.#heap.push(node);
    return node;
  }

  read(node: GdsfNode<E>): void {
    this.#use(node);
    this.#heap.settle(node);
  }

  overwrite(node: GdsfNode<E>): void {
    if (node.entry !== undefined) node.worth = this.#worthOf(node.entry);
    this.read(node);
  }

  remove(node: GdsfNode<E>): void {
    this.#heap.remove(node);
  }

  victim(spared: GdsfNode<E> | undefined): GdsfNode<E> | undefined {
    const victim = this.#heap.firstBut(spared);
    if (victim !== undefined) {
      this.#inflation = victim.priority;
      if (this.#inflation > highestInflation) this.#deflate();
    }
    return victim;
  }

  clear(): void {
    this.#heap.clear();
    this.#inflation = 0;
  }

  #use(node: GdsfNode<E>): void {
    node.uses += 1;
    node.priority = this.#inflation + node.uses * node.worth;
    node.lastUse = this.#uses++;
  }

  #worthOf(entry: E): number {
    return this.#costs.of(entry) / entry.bytes;
  }

  /** Subtracting one number from doubles that are no smaller keeps their order, so the heap stays a heap. */
  #deflate(): void {
    for (const node of this.#heap.nodes()) node.priority -= this.#inflation;
    this.#inflation = 0;
  }
}

/** The loads of a method that its typical load is told from: the latest count most once there are so many. */
const rememberedLoads = 1000;

/**
 * What entries cost. The user's own `cost` counts as it is. A load's time is a single measurement, and one that was slow by
 * chance would keep its entry for as long as it seemed dear; so it counts as the geometric mean of itself and the
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
 * `inflation + uses × cost / bytes`, among equals the least recently used; the inflation is the priority of the last
 * evicted entry, so that what was popular long ago leaves in time. Being set is a use; a key that is set again keeps
 * its count. The cost is the user's own or what the load took, tempered by what loads of its method typically take; an
 * entry set without a load counts as a typical one. O(log n).
 */
export const gdsf: StoreFactory = (options) => new PolicyStore(options, new GdsfPolicy());
