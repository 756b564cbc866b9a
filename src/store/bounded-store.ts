/** What stores have in common: bounds, accounting and callbacks. An order only says who leaves next. */

import type { RemovalReason, Store, StoreEntry, StoreOptions } from './store.js';

/** A place in an order, with the entry that holds it. */
export interface OrderNode<E> {
  /** `undefined` only while the entry is being overwritten: the node keeps its place meanwhile. */
  entry: E | undefined;
}

/** The entries of a store, found by key and evicted in order. It keeps one node for each and never looks at bounds. */
export interface EvictionOrder<E extends StoreEntry, N extends OrderNode<E>> {
  /** The node of this key; not counted as a use. */
  peek(key: string): N | undefined;
  /** The node of this key, counted as a use. */
  use(key: string): N | undefined;
  /** The node of this key, whose entry is about to be overwritten. */
  reserve(key: string): N | undefined;
  /** Makes the node of an entry whose key has none, and gives it its place. */
  insert(entry: E): void;
  /** A reserved node holds a newer entry now. */
  overwritten(node: N): void;
  /** Takes out the node of this key. */
  remove(key: string): N | undefined;
  /** Takes out the node that is next to leave, other than the reserved one. */
  evict(reserved: N | undefined): N | undefined;
  /** All nodes, in no stated order. */
  nodes(): IterableIterator<N>;
  /** Takes out all nodes. */
  clear(): IterableIterator<N>;
}

/** A store whose entries leave as an `EvictionOrder` says. */
export class BoundedStore<E extends StoreEntry, N extends OrderNode<E>> implements Store<E> {
  readonly #order: EvictionOrder<E, N>;
  readonly #maxSize: number;
  readonly #maxBytes: number;
  readonly #onRemove: (entry: E, reason: RemovalReason) => void;
  #size = 0;
  #bytes = 0;

  constructor(options: StoreOptions<E>, order: EvictionOrder<E, N>) {
    this.#order = order;
    this.#maxSize = options.maxSize;
    this.#maxBytes = options.maxBytes;
    this.#onRemove = options.onRemove;
  }

  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): E | undefined {
    return this.#order.use(key)?.entry;
  }

  peek(key: string): E | undefined {
    return this.#order.peek(key)?.entry;
  }

  has(key: string): boolean {
    return this.peek(key) !== undefined;
  }

  set(entry: E): boolean {
    if (entry.bytes > this.#maxBytes) {
      this.delete(entry.key, 'refuse');
      return false;
    }
    const node = this.#order.reserve(entry.key);
    if (node === undefined) {
      this.#makeRoom(entry.bytes, undefined);
      this.#order.insert(entry);
    } else {
      this.#replaceEntry(node, entry);
    }
    this.#size += 1;
    this.#bytes += entry.bytes;
    return true;
  }

  delete(key: string, reason: RemovalReason = 'delete'): boolean {
    const node = this.#order.remove(key);
    return node !== undefined && this.#removeEntry(node, reason);
  }

  clear(): void {
    const nodes = this.#order.clear();
    this.#size = 0;
    this.#bytes = 0;
    for (const { entry } of nodes) if (entry !== undefined) this.#onRemove(entry, 'clear');
  }

  evict(): boolean {
    const victim = this.#order.evict(undefined);
    return victim !== undefined && this.#removeEntry(victim, 'evict');
  }

  *entries(): IterableIterator<E> {
    for (const { entry } of this.#order.nodes()) if (entry !== undefined) yield entry;
  }

  #makeRoom(bytes: number, reserved: N | undefined): void {
    while (this.#size >= this.#maxSize || this.#bytes + bytes > this.#maxBytes) {
      const victim = this.#order.evict(reserved);
      if (victim === undefined) return;
      this.#removeEntry(victim, 'evict');
    }
  }

  /** Removes the node's entry, makes room for its successor and puts that in, while the node keeps its place. */
  #replaceEntry(node: N, successor: E): void {
    try {
      this.#removeEntry(node, 'replace');
      this.#makeRoom(successor.bytes, node);
    } catch (error) {
      // `onRemove` failed: without an entry, the node must not stay.
      this.#order.remove(successor.key);
      throw error;
    }
    node.entry = successor;
    this.#order.overwritten(node);
  }

  /** Removes a node's entry, and tells whether there was one. */
  #removeEntry(node: N, reason: RemovalReason): boolean {
    const { entry } = node;
    if (entry === undefined) return false;
    node.entry = undefined;
    this.#size -= 1;
    this.#bytes -= entry.bytes;
    this.#onRemove(entry, reason);
    return true;
  }
}
