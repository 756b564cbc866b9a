/** What stores have in common: map, bounds, accounting and callbacks. A policy only says who leaves next. */

import { createKeyMap, type KeyMap } from './key-map.js';
import type { RemovalReason, Store, StoreEntry, StoreOptions } from './store.js';

/** A place in a policy's order, with the entry that holds it. */
export interface PolicyNode<E> {
  /** `undefined` only while the entry is being overwritten: the node keeps its standing meanwhile. */
  entry: E | undefined;
}

/** The order of a store's entries. It keeps one node for each and never looks at bounds. */
export interface EvictionPolicy<E extends StoreEntry, N extends PolicyNode<E>> {
  /** Makes the node of a new entry and gives it its place. */
  insert(entry: E): N;
  /** The node's entry was read. */
  read(node: N): void;
  /** The node holds a newer entry now. */
  overwrite(node: N): void;
  /** The node leaves. */
  remove(node: N): void;
  /** The node to evict next, other than `spared`, which is being overwritten. */
  victim(spared: N | undefined): N | undefined;
  /** All nodes have left. */
  clear(): void;
}

/** A store whose order is an `EvictionPolicy`. */
export class PolicyStore<E extends StoreEntry, N extends PolicyNode<E>> implements Store<E> {
  readonly #policy: EvictionPolicy<E, N>;
  readonly #maxSize: number;
  readonly #maxBytes: number;
  readonly #onRemove: (entry: E, reason: RemovalReason) => void;
  readonly #largestMap: number | undefined;
  #nodes: KeyMap<N>;
  #size = 0;
  #bytes = 0;

  /** `largestMap`: see `createKeyMap`. */
  constructor(options: StoreOptions<E>, policy: EvictionPolicy<E, N>, largestMap?: number) {
    this.#policy = policy;
    this.#maxSize = options.maxSize;
    this.#maxBytes = options.maxBytes;
    this.#onRemove = options.onRemove;
    this.#largestMap = largestMap;
    this.#nodes = this.#noNodes();
  }

  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): E | undefined {
    const node = this.#nodes.get(key);
    if (node === undefined || node.entry === undefined) return undefined;
    this.#policy.read(node);
    return node.entry;
  }

  peek(key: string): E | undefined {
    return this.#nodes.get(key)?.entry;
  }

  has(key: string): boolean {
    return this.peek(key) !== undefined;
  }

  set(entry: E): boolean {
    if (entry.bytes > this.#maxBytes) {
      this.delete(entry.key, 'refuse');
      return false;
    }
    const node = this.#nodes.get(entry.key);
    if (node === undefined) {
      this.#makeRoom(entry.bytes, undefined);
      this.#nodes.set(entry.key, this.#policy.insert(entry));
    } else {
      this.#empty(node, entry);
      node.entry = entry;
      this.#policy.overwrite(node);
    }
    this.#size += 1;
    this.#bytes += entry.bytes;
    return true;
  }

  delete(key: string, reason: RemovalReason = 'delete'): boolean {
    const node = this.#nodes.get(key);
    if (node === undefined) return false;
    this.#nodes.delete(key);
    this.#policy.remove(node);
    return this.#vacate(node, reason);
  }

  clear(): void {
    const nodes = this.#nodes;
    this.#nodes = this.#noNodes();
    this.#size = 0;
    this.#bytes = 0;
    this.#policy.clear();
    for (const { entry } of nodes.values()) if (entry !== undefined) this.#onRemove(entry, 'clear');
  }

  *entries(): IterableIterator<E> {
    for (const { entry } of this.#nodes.values()) if (entry !== undefined) yield entry;
  }

  #noNodes(): KeyMap<N> {
    return createKeyMap(this.#maxSize, this.#largestMap);
  }

  /** Lets the older entry of a node go and makes room for its successor, while the node keeps its standing. */
  #empty(node: N, successor: E): void {
    try {
      this.#vacate(node, 'replace');
      this.#makeRoom(successor.bytes, node);
    } catch (error) {
      // `onRemove` failed: without an entry, the node must not stay.
      this.#nodes.delete(successor.key);
      this.#policy.remove(node);
      throw error;
    }
  }

  #makeRoom(bytes: number, spared: N | undefined): void {
    while (this.#size >= this.#maxSize || this.#bytes + bytes > this.#maxBytes) {
      const victim = this.#policy.victim(spared);
      if (victim === undefined) return;
      this.#policy.remove(victim);
      if (victim.entry !== undefined) this.#nodes.delete(victim.entry.key);
      this.#vacate(victim, 'evict');
    }
  }

  /** Lets a node's entry go, and tells whether there was one. */
  #vacate(node: N, reason: RemovalReason): boolean {
    const { entry } = node;
    if (entry === undefined) return false;
    node.entry = undefined;
    this.#size -= 1;
    this.#bytes -= entry.bytes;
    this.#onRemove(entry, reason);
    return true;
  }
}
