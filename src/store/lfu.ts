/**
 * Least frequently used goes first, in O(1).
 *
 * Ketan Shah, Anirban Mitra, Dhruv Matani: An O(1) algorithm for implementing the LFU cache eviction scheme, 2010.
 */

import { type Linked, LinkedList } from './linked-list.js';
import { type EvictionPolicy, type PolicyNode, PolicyStore } from './policy-store.js';
import type { StoreEntry, StoreFactory } from './store.js';

/** The nodes used equally often, the least recently used first. */
class Frequency<E> implements Linked<Frequency<E>> {
  uses: number;
  readonly nodes = new LinkedList<LfuNode<E>>();
  previous: Frequency<E> | undefined = undefined;
  next: Frequency<E> | undefined = undefined;

  constructor(uses: number) {
    this.uses = uses;
  }
}

class LfuNode<E> implements PolicyNode<E>, Linked<LfuNode<E>> {
  entry: E | undefined;
  frequency: Frequency<E>;
  previous: LfuNode<E> | undefined = undefined;
  next: LfuNode<E> | undefined = undefined;

  constructor(entry: E, frequency: Frequency<E>) {
    this.entry = entry;
    this.frequency = frequency;
  }
}

/** The order of the `lfu` store. */
export class LfuPolicy<E extends StoreEntry> implements EvictionPolicy<E, LfuNode<E>> {
  /** Only frequencies that some node has, the lowest first. */
  readonly #frequencies = new LinkedList<Frequency<E>>();

  insert(entry: E): LfuNode<E> {
    const frequency = this.#frequencyAfter(undefined, 1);
    const node = new LfuNode(entry, frequency);
    frequency.nodes.append(node);
    return node;
  }

  read(node: LfuNode<E>): void {
    const { frequency } = node;
    const uses = frequency.uses + 1;
    if (frequency.nodes.isSingle && frequency.next?.uses !== uses) {
      frequency.uses = uses;
      return;
    }
    const higher = this.#frequencyAfter(frequency, uses);
    this.remove(node);
    node.frequency = higher;
    higher.nodes.append(node);
  }

  overwrite(node: LfuNode<E>): void {
    this.read(node);
  }

  remove(node: LfuNode<E>): void {
    const { frequency } = node;
    frequency.nodes.remove(node);
    if (frequency.nodes.isEmpty) this.#frequencies.remove(frequency);
  }

  victim(spared: LfuNode<E> | undefined): LfuNode<E> | undefined {
    const lowest = this.#frequencies.first;
    const first = lowest?.nodes.first;
    return first === spared ? (first?.next ?? lowest?.next?.nodes.first) : first;
  }

  clear(): void {
    this.#frequencies.clear();
  }

  /** The frequency of so many uses, whose place is right behind `lower`. */
  #frequencyAfter(lower: Frequency<E> | undefined, uses: number): Frequency<E> {
    const next = lower === undefined ? this.#frequencies.first : lower.next;
    if (next?.uses === uses) return next;
    const frequency = new Frequency<E>(uses);
    this.#frequencies.insertAfter(lower, frequency);
    return frequency;
  }
}

/**
 * Makes a store that evicts the entry used least often, among equals the least recently used. Being set is a use; a
 * key that is set again keeps its count. Counts never age, so what was popular long ago stays long.
 */
export const lfu: StoreFactory = (options) => new PolicyStore(options, new LfuPolicy());
