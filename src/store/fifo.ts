/** First in, first out: neither reads nor overwrites keep an entry longer. */

import { type Linked, LinkedList } from './linked-list.js';
import { type EvictionPolicy, type PolicyNode, PolicyStore } from './policy-store.js';
import type { StoreEntry, StoreFactory } from './store.js';

class FifoNode<E> implements PolicyNode<E>, Linked<FifoNode<E>> {
  entry: E | undefined;
  previous: FifoNode<E> | undefined = undefined;
  next: FifoNode<E> | undefined = undefined;

  constructor(entry: E) {
    this.entry = entry;
  }
}

class FifoPolicy<E extends StoreEntry> implements EvictionPolicy<E, FifoNode<E>> {
  readonly #queue = new LinkedList<FifoNode<E>>();

  insert(entry: E): FifoNode<E> {
    const node = new FifoNode(entry);
    this.#queue.append(node);
    return node;
  }

  read(): void {}

  overwrite(): void {}

  remove(node: FifoNode<E>): void {
    this.#queue.remove(node);
  }

  victim(spared: FifoNode<E> | undefined): FifoNode<E> | undefined {
    const { first } = this.#queue;
    return first === spared ? first?.next : first;
  }

  clear(): void {
    this.#queue.clear();
  }
}

/** Makes a store that evicts the key that came in first. A key that is set again keeps its place. */
export const fifo: StoreFactory = (options) => new PolicyStore(options, new FifoPolicy());
