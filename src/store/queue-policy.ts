/** A queue as an eviction policy: its first entry leaves next. */

import { type Linked, LinkedList } from './linked-list.js';
import type { EvictionPolicy, PolicyNode } from './policy-store.js';
import type { StoreEntry } from './store.js';

class QueueNode<E> implements PolicyNode<E>, Linked<QueueNode<E>> {
  entry: E | undefined;
  previous: QueueNode<E> | undefined = undefined;
  next: QueueNode<E> | undefined = undefined;

  constructor(entry: E) {
    this.entry = entry;
  }
}

/** What decides an entry's place in the queue: when its key came in, or when it was last read or set. */
export type QueueOrder = 'first in' | 'least recently used';

/** Evicts the first entry of a queue. All is O(1). */
export class QueuePolicy<E extends StoreEntry> implements EvictionPolicy<E, QueueNode<E>> {
  readonly #queue = new LinkedList<QueueNode<E>>();
  readonly #isRenewedByUse: boolean;

  constructor(order: QueueOrder) {
    this.#isRenewedByUse = order === 'least recently used';
  }

  insert(entry: E): QueueNode<E> {
    const node = new QueueNode(entry);
    this.#queue.append(node);
    return node;
  }

  read(node: QueueNode<E>): void {
    if (!this.#isRenewedByUse) return;
    this.#queue.remove(node);
    this.#queue.append(node);
  }

  overwrite(node: QueueNode<E>): void {
    this.read(node);
  }

  remove(node: QueueNode<E>): void {
    this.#queue.remove(node);
  }

  victim(spared: QueueNode<E> | undefined): QueueNode<E> | undefined {
    const { first } = this.#queue;
    return first === spared ? first?.next : first;
  }

  clear(): void {
    this.#queue.clear();
  }
}
