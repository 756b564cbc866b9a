/**
 * Three queues, first in first out: S3-FIFO. What is used once leaves soon, what comes again stays.
 *
 * Juncheng Yang, Yazhuo Zhang, Ziyue Qiu, Yao Yue, K. V. Rashmi: FIFO Queues are All You Need for Cache Eviction, SOSP 2023.
 */

import { type Linked, LinkedList } from '../linked-list.js';
import { BoundedStore, type OrderNode } from './bounded-store.js';
import { KeyedOrder } from './keyed-order.js';
import type { StoreEntry, StoreFactory } from './store.js';

class S3FifoNode<E> implements OrderNode<E>, Linked<S3FifoNode<E>> {
  /** `undefined` in the ghost queue, too. */
  entry: E | undefined;
  readonly key: string;
  /** Uses since it came in, at most `mostUses`; in main each round takes one off. */
  uses = 0;
  queue: LinkedList<S3FifoNode<E>> | undefined = undefined;
  previous: S3FifoNode<E> | undefined = undefined;
  next: S3FifoNode<E> | undefined = undefined;

  constructor(entry: E, key: string) {
    this.entry = entry;
    this.key = key;
  }
}

const mostUses = 3;
/** An entry of the small queue with more uses than this goes on to main. */
const usesOfOneHit = 1;
/** The small queue's share of all entries. */
const smallShare = 0.1;

/** The order of an `s3-fifo` store. All is O(1), an eviction amortised. */
export class S3FifoOrder<E extends StoreEntry> extends KeyedOrder<E, S3FifoNode<E>> {
  readonly #small = new LinkedList<S3FifoNode<E>>();
  readonly #main = new LinkedList<S3FifoNode<E>>();
  /** What left the small queue lately, without its entry: no more than main may hold. */
  readonly #ghost = new LinkedList<S3FifoNode<E>>();

  constructor(maxSize: number, largestMap?: number) {
    // Ghosts have keys, too.
    super(2 * maxSize, largestMap);
  }

  /** A ghost's node is taken for its new entry. */
  override reserve(key: string): S3FifoNode<E> | undefined {
    const node = super.reserve(key);
    if (node?.queue === this.#ghost) this.unlink(node);
    return node;
  }

  protected link(entry: E): S3FifoNode<E> {
    const node = new S3FifoNode(entry, entry.key);
    append(this.#small, node);
    return node;
  }

  protected read(node: S3FifoNode<E>): void {
    if (node.uses < mostUses) node.uses += 1;
  }

  overwritten(node: S3FifoNode<E>): void {
    if (node.queue !== undefined) this.read(node);
    else append(this.#main, node);
  }

  protected unlink(node: S3FifoNode<E>): void {
    node.queue?.remove(node);
    node.queue = undefined;
  }

  override evict(reserved: S3FifoNode<E> | undefined): S3FifoNode<E> | undefined {
    const size = this.#small.size + this.#main.size;
    const victim = this.victim(reserved);
    if (victim === undefined || victim.queue === this.#main) return victim && this.remove(victim.key);
    this.unlink(victim);
    victim.uses = 0;
    append(this.#ghost, victim);
    while (this.#ghost.size > size * (1 - smallShare)) this.remove((this.#ghost.first as S3FifoNode<E>).key);
    return victim;
  }

  protected victim(reserved: S3FifoNode<E> | undefined): S3FifoNode<E> | undefined {
    const mostInSmall = Math.max(1, smallShare * (this.#small.size + this.#main.size));
    for (;;) {
      const isSmallFull = this.#small.size >= mostInSmall;
      const node =
        (isSmallFull ? firstBut(reserved, this.#small) : undefined) ??
        firstBut(reserved, this.#main) ??
        firstBut(reserved, this.#small);
      if (node === undefined) return undefined;
      const isInSmall = node.queue === this.#small;
      if (node.uses <= (isInSmall ? usesOfOneHit : 0)) return node;
      node.uses = isInSmall ? 0 : node.uses - 1;
      this.unlink(node);
      append(this.#main, node);
    }
  }

  protected unlinkAll(): void {
    for (const queue of [this.#small, this.#main, this.#ghost]) queue.clear();
  }
}

function append<E>(queue: LinkedList<S3FifoNode<E>>, node: S3FifoNode<E>): void {
  queue.append(node);
  node.queue = queue;
}

function firstBut<E>(reserved: S3FifoNode<E> | undefined, { first }: LinkedList<S3FifoNode<E>>) {
  return first === reserved ? first?.next : first;
}

/**
 * Makes a store whose newcomers pass a small queue (a tenth of the entries): those used twice there go on to the main
 * queue, the others leave and are remembered by their keys for a while, so that they go to main when they come again. Main
 * evicts first in, first out, each use (three count) being one more round. For answers that recur beside many that never
 * do. Unfit where each answer is asked for a few times with much between (rollouts of tasks): many leave before the second.
 */
export const s3Fifo: StoreFactory = (options) => new BoundedStore(options, new S3FifoOrder(options.maxSize));
