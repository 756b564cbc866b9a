/**
 * The lowest priority goes first, and what was popular long ago loses its rank: greedy-dual orders.
 *
 * Each use gives an entry the inflation of that moment plus its frequency times its density as priority; the inflation is
 * the priority of the last evicted entry. With a density of 1 for every entry it is LFU with dynamic aging, with cost by
 * size it is GDSF.
 *
 * Martin Arlitt, Ludmila Cherkasova, John Dilley, Rich Friedrich, Tai Jin: Evaluating Content Management Techniques for
 * Web Proxy Caches, ACM SIGMETRICS Performance Evaluation Review 27(4), 2000.
 */

import { Heap, type HeapNode } from '../heap.js';
import type { OrderNode } from './bounded-store.js';
import { KeyedOrder } from './keyed-order.js';
import type { StoreEntry } from './store.js';

class GreedyDualNode<E> implements OrderNode<E>, HeapNode {
  entry: E | undefined;
  /** How often it was used. */
  frequency = 0;
  /** What one use adds to the priority. */
  density = 0;
  priority = 0;
  /** Grows with each use, and breaks ties. */
  lastUse = 0;
  heapIndex = -1;

  constructor(entry: E) {
    this.entry = entry;
  }
}

/**
 * The inflation from which on it is taken off all priorities. Doubles near it are 2^-22 apart, so a density
 * (in gdsf milliseconds by bytes) stays visible beside it however long the store lives.
 */
const highestInflation = 2 ** 30;

/** Greedy-dual: the entry of the lowest `inflation + frequency × density` leaves first. O(log n). */
export class GreedyDualOrder<E extends StoreEntry> extends KeyedOrder<E, GreedyDualNode<E>> {
  readonly #heap = new Heap<GreedyDualNode<E>>((a, b) =>
    a.priority === b.priority ? a.lastUse < b.lastUse : a.priority < b.priority,
  );
  readonly #densityOf: (entry: E) => number;
  /** The priority of the last evicted entry, which new priorities start from: the paper's `L`. */
  #inflation = 0;
  #uses = 0;

  /** @param densityOf what one use adds to an entry's priority, asked whenever it is set */
  constructor(maxSize: number, densityOf: (entry: E) => number, largestMap?: number) {
    super(maxSize, largestMap);
    this.#densityOf = densityOf;
  }

  protected link(entry: E): GreedyDualNode<E> {
    const node = new GreedyDualNode(entry);
    node.density = this.#densityOf(entry);
    this.#countUse(node);
    this.#heap.push(node);
    return node;
  }

  protected read(node: GreedyDualNode<E>): void {
    this.#countUse(node);
    this.#heap.settle(node);
  }

  overwritten(node: GreedyDualNode<E>): void {
    if (node.entry !== undefined) node.density = this.#densityOf(node.entry);
    this.read(node);
  }

  protected unlink(node: GreedyDualNode<E>): void {
    this.#heap.remove(node);
  }

  protected victim(reserved: GreedyDualNode<E> | undefined): GreedyDualNode<E> | undefined {
    const victim = this.#heap.firstBut(reserved);
    if (victim !== undefined) {
      this.#inflation = victim.priority;
      if (this.#inflation > highestInflation) this.#deflate();
    }
    return victim;
  }

  protected unlinkAll(): void {
    this.#heap.clear();
    this.#inflation = 0;
  }

  #countUse(node: GreedyDualNode<E>): void {
    node.frequency += 1;
    node.priority = this.#inflation + node.frequency * node.density;
    node.lastUse = this.#uses++;
  }

  /** Subtracting one number from doubles that are no smaller keeps their order, so the heap stays a heap. */
  #deflate(): void {
    for (const node of this.#heap.nodes()) node.priority -= this.#inflation;
    this.#inflation = 0;
  }
}
