/**
 * A window that takes all newcomers, before a main part that takes of them what is used more often than what leaves for it:
 * the order of W-TinyLFU, with a window that can be changed at any time. A window of 1 is LRU.
 *
 * Gil Einziger, Roy Friedman, Ben Manes: TinyLFU: A Highly Efficient Cache Admission Policy, ACM Transactions on Storage
 * 13(4), 2017.
 */

import { type Linked, LinkedList } from '../linked-list.js';
import type { OrderNode } from './bounded-store.js';
import type { FrequencySketch } from './frequency-sketch.js';
import { hashOf } from './key-map.js';
import { KeyedOrder } from './keyed-order.js';
import type { StoreEntry } from './store.js';

type Queue<E> = LinkedList<WindowNode<E>>;

/** A node with the hash that its uses are counted by. */
export class WindowNode<E> implements OrderNode<E>, Linked<WindowNode<E>> {
  entry: E | undefined;
  readonly hash: number;
  queue: Queue<E>;
  previous: WindowNode<E> | undefined = undefined;
  next: WindowNode<E> | undefined = undefined;

  constructor(entry: E, hash: number, queue: Queue<E>) {
    this.entry = entry;
    this.hash = hash;
    this.queue = queue;
  }
}

/** What of the main part may be protected: used there, and the last to leave. */
const protectedShare = 0.8;
/** How many more than one leave a window that has become too large, at each insertion. */
const mostMoves = 16;

/** The order of a `w-tinylfu` store. All is O(1), but for the sketch's halving. */
export class WindowOrder<E extends StoreEntry> extends KeyedOrder<E, WindowNode<E>> {
  /** The share of all entries that are in the window: 0 to 1. Changed, it is reached by and by. */
  windowShare: number;
  /** Whoever uses the order counts uses in it. */
  readonly #sketch: FrequencySketch;
  readonly #window: Queue<E> = new LinkedList();
  readonly #probation: Queue<E> = new LinkedList();
  readonly #protected: Queue<E> = new LinkedList();

  constructor(maxSize: number, sketch: FrequencySketch, windowShare: number, largestMap?: number) {
    super(maxSize, largestMap);
    this.#sketch = sketch;
    this.windowShare = windowShare;
  }

  get size(): number {
    return this.#window.size + this.#probation.size + this.#protected.size;
  }

  /** All nodes, about those first that leave first. */
  *inOrder(): IterableIterator<WindowNode<E>> {
    for (const { first } of [this.#probation, this.#window, this.#protected])
      for (let node = first; node !== undefined; node = node.next) yield node;
  }

  protected link(entry: E): WindowNode<E> {
    const window = this.#window;
    const node = new WindowNode(entry, hashOf(entry.key), window);
    window.append(node);
    const most = this.#mostInWindow();
    for (let moves = 0; moves < mostMoves && window.size > most; moves += 1)
      move(window.first as WindowNode<E>, this.#probation);
    return node;
  }

  protected read(node: WindowNode<E>): void {
    if (node.queue === this.#window || this.windowShare >= 1) move(node, this.#window);
    else {
      move(node, this.#protected);
      while (this.#protected.size > protectedShare * (this.#probation.size + this.#protected.size))
        move(this.#protected.first as WindowNode<E>, this.#probation);
    }
  }

  overwritten(node: WindowNode<E>): void {
    this.read(node);
  }

  protected unlink(node: WindowNode<E>): void {
    node.queue.remove(node);
  }

  protected victim(reserved: WindowNode<E> | undefined): WindowNode<E> | undefined {
    const candidate = firstBut(reserved, this.#window);
    const victim = firstBut(reserved, this.#probation) ?? firstBut(reserved, this.#protected);
    if (candidate === undefined || victim === undefined) return candidate ?? victim;
    if (this.#window.size < this.#mostInWindow()) return victim;
    if (this.#sketch.of(candidate.hash) <= this.#sketch.of(victim.hash)) return candidate;
    move(candidate, this.#probation);
    return victim;
  }

  protected unlinkAll(): void {
    for (const queue of [this.#window, this.#probation, this.#protected]) queue.clear();
  }

  #mostInWindow(): number {
    return this.windowShare >= 1
      ? Number.POSITIVE_INFINITY
      : Math.max(1, Math.round(this.windowShare * this.size));
  }
}

function move<E>(node: WindowNode<E>, queue: Queue<E>): void {
  node.queue.remove(node);
  queue.append(node);
  node.queue = queue;
}

function firstBut<E>(reserved: WindowNode<E> | undefined, { first }: Queue<E>): WindowNode<E> | undefined {
  return first === reserved ? first?.next : first;
}
