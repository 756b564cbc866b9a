/** The base of orders that find their nodes in a map of their own. */

import type { EvictionOrder, OrderNode } from './bounded-store.js';
import { createKeyMap, type KeyMap } from './key-map.js';
import type { StoreEntry } from './store.js';

/** An order whose subclass only links nodes and says which is next to leave. */
export abstract class KeyedOrder<E extends StoreEntry, N extends OrderNode<E>>
  implements EvictionOrder<E, N>
{
  readonly #makeMap: () => KeyMap<N>;
  #nodes: KeyMap<N>;
  /** The node that was evicted last, to be used again: a new one takes the garbage collector longer than all else. */
  #spare: N | undefined;

  /** An order without entries. @param maxSize the most entries it is to hold */
  constructor(maxSize: number);
  /** @internal @param largestMap see `createKeyMap` */
  constructor(maxSize: number, largestMap: number | undefined);
  constructor(maxSize: number, largestMap?: number) {
    this.#makeMap = () => createKeyMap(maxSize, largestMap);
    this.#nodes = this.#makeMap();
  }

  /** Makes the node of a new entry, from one that has left if there is one, and gives it its place. */
  protected abstract link(entry: E, spare: N | undefined): N;
  /** The node's entry was read. */
  protected abstract read(node: N): void;
  /** The node holds a newer entry now. */
  abstract overwritten(node: N): void;
  /** The node leaves. */
  protected abstract unlink(node: N): void;
  /** The node that is next to leave, other than `reserved`. */
  protected abstract victim(reserved: N | undefined): N | undefined;
  /** All nodes have left. */
  protected abstract unlinkAll(): void;

  peek(key: string): N | undefined {
    return this.#nodes.get(key);
  }

  use(key: string): N | undefined {
    const node = this.#nodes.get(key);
    if (node?.entry !== undefined) this.read(node);
    return node;
  }

  reserve(key: string): N | undefined {
    return this.#nodes.get(key);
  }

  insert(entry: E): void {
    const spare = this.#spare;
    this.#spare = undefined;
    this.#nodes.set(entry.key, this.link(entry, spare));
  }

  remove(key: string): N | undefined {
    const node = this.#nodes.get(key);
    if (node === undefined) return undefined;
    this.#nodes.delete(key);
    this.unlink(node);
    return node;
  }

  evict(reserved: N | undefined): N | undefined {
    const node = this.victim(reserved);
    if (node === undefined) return undefined;
    this.unlink(node);
    if (node.entry !== undefined) this.#nodes.delete(node.entry.key);
    this.#spare = node;
    return node;
  }

  nodes(): IterableIterator<N> {
    return this.#nodes.values();
  }

  clear(): IterableIterator<N> {
    const cleared = this.#nodes;
    this.#nodes = this.#makeMap();
    this.unlinkAll();
    return cleared.values();
  }
}
