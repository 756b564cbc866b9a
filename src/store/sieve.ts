/**
 * First in, first out, but for what was used since the hand came by: SIEVE.
 *
 * Yazhuo Zhang, Juncheng Yang, Yao Yue, Ymir Vigfusson, K. V. Rashmi: SIEVE is Simpler than LRU: an Efficient Turn-Key
 * Eviction Algorithm for Web Caches, NSDI 2024.
 */

import { type Linked, LinkedList } from '../linked-list.js';
import { BoundedStore, type OrderNode } from './bounded-store.js';
import { KeyedOrder } from './keyed-order.js';
import type { StoreEntry, StoreFactory } from './store.js';

class SieveNode<E> implements OrderNode<E>, Linked<SieveNode<E>> {
  entry: E | undefined;
  isVisited = false;
  previous: SieveNode<E> | undefined = undefined;
  next: SieveNode<E> | undefined = undefined;

  constructor(entry: E) {
    this.entry = entry;
  }
}

/** The order of a `sieve` store. All is O(1), an eviction amortised. */
export class SieveOrder<E extends StoreEntry> extends KeyedOrder<E, SieveNode<E>> {
  /** The oldest first. */
  readonly #queue = new LinkedList<SieveNode<E>>();
  /** Where the next eviction begins; `undefined`: with the oldest. */
  #hand: SieveNode<E> | undefined;

  protected link(entry: E): SieveNode<E> {
    const node = new SieveNode(entry);
    this.#queue.append(node);
    return node;
  }

  protected read(node: SieveNode<E>): void {
    node.isVisited = true;
  }

  overwritten(node: SieveNode<E>): void {
    node.isVisited = true;
  }

  protected unlink(node: SieveNode<E>): void {
    if (this.#hand === node) this.#hand = node.next;
    this.#queue.remove(node);
  }

  protected victim(reserved: SieveNode<E> | undefined): SieveNode<E> | undefined {
    if (this.#queue.size <= (reserved === undefined ? 0 : 1)) return undefined;
    let node = this.#hand ?? this.#queue.first;
    while (node === undefined || node.isVisited || node === reserved) {
      if (node !== undefined && node !== reserved) node.isVisited = false;
      node = node?.next ?? this.#queue.first;
    }
    this.#hand = node;
    return node;
  }

  protected unlinkAll(): void {
    this.#queue.clear();
    this.#hand = undefined;
  }
}

/**
 * Makes a store that evicts the next entry from the hand on that was neither read nor overwritten since the hand last came
 * by. The hand goes from the oldest to the newest and begins anew; entries keep their places. For answers that are asked
 * for again through a whole run. Unfit where each answer is asked for a few times and never again (rollouts of tasks): the
 * hand then lets the used ones stay and evicts the newest.
 */
export const sieve: StoreFactory = (options) => new BoundedStore(options, new SieveOrder(options.maxSize));
