/** Soonest to expire goes first: a binary heap by time of expiry. */

import { type EvictionPolicy, type PolicyNode, PolicyStore } from './policy-store.js';
import type { StoreEntry, StoreFactory } from './store.js';

class TtlNode<E> implements PolicyNode<E> {
  entry: E | undefined;
  /** Epoch ms; infinite for entries that never expire. */
  expiresAt: number;
  /** Grows with each set, and breaks ties. */
  order: number;
  /** Where it stands in the heap. */
  index: number;

  constructor(entry: E, expiresAt: number, order: number, index: number) {
    this.entry = entry;
    this.expiresAt = expiresAt;
    this.order = order;
    this.index = index;
  }

  goesBefore(other: TtlNode<E>): boolean {
    return this.expiresAt === other.expiresAt ? this.order < other.order : this.expiresAt < other.expiresAt;
  }
}

class TtlPolicy<E extends StoreEntry> implements EvictionPolicy<E, TtlNode<E>> {
  readonly #heap: TtlNode<E>[] = [];
  #order = 0;

  insert(entry: E): TtlNode<E> {
    const node = new TtlNode(
      entry,
      entry.expiresAt ?? Number.POSITIVE_INFINITY,
      this.#order++,
      this.#heap.length,
    );
    this.#heap.push(node);
    this.#rise(node);
    return node;
  }

  read(): void {}

  overwrite(node: TtlNode<E>): void {
    node.expiresAt = node.entry?.expiresAt ?? Number.POSITIVE_INFINITY;
    node.order = this.#order++;
    this.#settle(node);
  }

  remove(node: TtlNode<E>): void {
    const last = this.#heap.pop();
    if (last === undefined || last === node) return;
    this.#put(last, node.index);
    this.#settle(last);
  }

  victim(spared: TtlNode<E> | undefined): TtlNode<E> | undefined {
    const first = this.#heap[0];
    return first === spared ? this.#childOf(0) : first;
  }

  clear(): void {
    this.#heap.length = 0;
  }

  #settle(node: TtlNode<E>): void {
    this.#rise(node);
    this.#sink(node);
  }

  #rise(node: TtlNode<E>): void {
    let { index } = node;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = this.#heap[parentIndex]!;
      if (!node.goesBefore(parent)) break;
      this.#put(parent, index);
      index = parentIndex;
    }
    this.#put(node, index);
  }

  #sink(node: TtlNode<E>): void {
    let { index } = node;
    for (let child = this.#childOf(index); child?.goesBefore(node); child = this.#childOf(index)) {
      const childIndex = child.index;
      this.#put(child, index);
      index = childIndex;
    }
    this.#put(node, index);
  }

  /** The child that goes before the other. */
  #childOf(index: number): TtlNode<E> | undefined {
    const left = this.#heap[2 * index + 1];
    const right = this.#heap[2 * index + 2];
    return left && right?.goesBefore(left) ? right : left;
  }

  #put(node: TtlNode<E>, index: number): void {
    this.#heap[index] = node;
    node.index = index;
  }
}

/**
 * Makes a store that evicts the entry that expires soonest. Those that never expire go last. Among equals the one
 * set least recently goes first; reads don't matter.
 */
export const ttl: StoreFactory = (options) => new PolicyStore(options, new TtlPolicy());
