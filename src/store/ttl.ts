/** Soonest to expire goes first: a binary heap by time of expiry. */

import { Heap, type HeapNode } from '../heap.js';
import { BoundedStore, type OrderNode } from './bounded-store.js';
import { KeyedOrder } from './keyed-order.js';
import type { StoreEntry, StoreFactory } from './store.js';

class TtlNode<E> implements OrderNode<E>, HeapNode {
  entry: E | undefined;
  /** Epoch ms; infinite for entries that never expire. */
  expiresAt: number;
  /** Grows with each set, and breaks ties. */
  order: number;
  heapIndex = -1;

  constructor(entry: E, expiresAt: number, order: number) {
    this.entry = entry;
    this.expiresAt = expiresAt;
    this.order = order;
  }
}

/** The order of the `ttl` store. */
export class TtlOrder<E extends StoreEntry> extends KeyedOrder<E, TtlNode<E>> {
  readonly #heap = new Heap<TtlNode<E>>((a, b) =>
    a.expiresAt === b.expiresAt ? a.order < b.order : a.expiresAt < b.expiresAt,
  );
  #order = 0;

  protected link(entry: E): TtlNode<E> {
    const node = new TtlNode(entry, expiryOf(entry), this.#order++);
    this.#heap.push(node);
    return node;
  }

  protected read(): void {}

  overwritten(node: TtlNode<E>): void {
    node.expiresAt = expiryOf(node.entry);
    node.order = this.#order++;
    this.#heap.settle(node);
  }

  protected unlink(node: TtlNode<E>): void {
    this.#heap.remove(node);
  }

  protected victim(reserved: TtlNode<E> | undefined): TtlNode<E> | undefined {
    return this.#heap.firstBut(reserved);
  }

  protected unlinkAll(): void {
    this.#heap.clear();
  }
}

function expiryOf(entry: StoreEntry | undefined): number {
  return entry?.expiresAt ?? Number.POSITIVE_INFINITY;
}

/**
 * Makes a store that evicts the entry that expires soonest. Those that never expire go last. Among equals the one
 * set least recently goes first; reads don't matter.
 */
export const ttl: StoreFactory = (options) => new BoundedStore(options, new TtlOrder(options.maxSize));
