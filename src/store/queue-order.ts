/** A queue as an order of eviction: its first entry leaves next. */

import { type Linked, LinkedList } from '../linked-list.js';
import type { OrderNode } from './bounded-store.js';
import { KeyedOrder } from './keyed-order.js';
import type { StoreEntry } from './store.js';

class QueueNode<E> implements OrderNode<E>, Linked<QueueNode<E>> {
  entry: E | undefined;
  previous: QueueNode<E> | undefined = undefined;
  next: QueueNode<E> | undefined = undefined;

  constructor(entry: E) {
    this.entry = entry;
  }
}

/** What decides an entry's place in the queue: when its key came in, or when it was last read or set. */
export type QueueRule = 'first in' | 'least recently used';

/** Evicts the first entry of a queue. All is O(1). */
export class QueueOrder<E extends StoreEntry> extends KeyedOrder<E, QueueNode<E>> {
  readonly #queue = new LinkedList<QueueNode<E>>();
  readonly #isRenewedByUse: boolean;

  constructor(maxSize: number, rule: QueueRule, largestMap?: number) {
    super(maxSize, largestMap);
    this.#isRenewedByUse = rule === 'least recently used';
  }

  protected link(entry: E, spare: QueueNode<E> | undefined): QueueNode<E> {
    const node = spare ?? new QueueNode(entry);
    node.entry = entry;
    this.#queue.append(node);
    return node;
  }

  protected read(node: QueueNode<E>): void {
    if (this.#isRenewedByUse) this.#queue.moveToEnd(node);
  }

  overwritten(node: QueueNode<E>): void {
    this.read(node);
  }

  protected unlink(node: QueueNode<E>): void {
    this.#queue.remove(node);
  }

  protected victim(reserved: QueueNode<E> | undefined): QueueNode<E> | undefined {
    const { first } = this.#queue;
    return first === reserved ? first?.next : first;
  }

  protected unlinkAll(): void {
    this.#queue.clear();
  }
}
