/**
 * A window that takes all newcomers, before a main part that takes of them what is used more often than what leaves for it:
 * the order of W-TinyLFU, with a rule that can be changed at any time.
 *
 * Gil Einziger, Roy Friedman, Ben Manes: TinyLFU: A Highly Efficient Cache Admission Policy, ACM Transactions on Storage
 * 13(4), 2017.
 */

import { type Linked, LinkedList } from '../linked-list.js';
import type { OrderNode } from './bounded-store.js';
import type { FrequencySketch } from './frequency-sketch.js';
import { quickHashOf } from './key-map.js';
import { KeyedOrder } from './keyed-order.js';
import type { StoreEntry } from './store.js';
import type { WindowRule } from './window-rule.js';

type Queue<E> = LinkedList<WindowNode<E>>;

/** A node with the hash that its uses are remembered by, and their tally. */
export class WindowNode<E> implements OrderNode<E>, Linked<WindowNode<E>> {
  entry: E | undefined;
  hash: number;
  tally = 0;
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
export const protectedShare = 0.8;
/**
 * More uses than this of the candidate make it worth more than the victim: in a loop all are used as often, but the candidate has
 * had its use of this round, and the victim is next to have it.
 */
export const leastAhead = 1;
/** How many more than one leave a window that has become too large, at each insertion. */
const mostMoves = 16;

/** The order of a `w-tinylfu` store. It counts uses. All is O(1), but for the sketch's halving. */
export class WindowOrder<E extends StoreEntry> extends KeyedOrder<E, WindowNode<E>> {
  #rule: WindowRule;
  readonly #sketch: FrequencySketch;
  #window: Queue<E> = new LinkedList();
  #probation: Queue<E> = new LinkedList();
  readonly #protected: Queue<E> = new LinkedList();

  constructor(maxSize: number, sketch: FrequencySketch, rule: WindowRule, largestMap?: number) {
    super(maxSize, largestMap);
    this.#sketch = sketch;
    this.#rule = rule;
  }

  /** Changed, its window is reached by and by. */
  get rule(): WindowRule {
    return this.#rule;
  }

  set rule(rule: WindowRule) {
    if (rule === this.#rule) return;
    // All there is becomes the rest, so that a newcomer is compared with the oldest of it, and not the two oldest of it.
    if (this.#rule.share >= 1 && this.#probation.size === 0 && this.#protected.size === 0)
      [this.#window, this.#probation] = [this.#probation, this.#window];
    this.#rule = rule;
  }

  get size(): number {
    return this.#window.size + this.#probation.size + this.#protected.size;
  }

  /** All nodes, about those first that leave first. */
  *inOrder(): IterableIterator<WindowNode<E>> {
    for (const { first } of [this.#probation, this.#window, this.#protected])
      for (let node = first; node !== undefined; node = node.next) yield node;
  }

  protected link(entry: E, spare: WindowNode<E> | undefined): WindowNode<E> {
    const window = this.#window;
    const hash = quickHashOf(entry.key);
    const node = spare ?? new WindowNode(entry, hash, window);
    node.entry = entry;
    node.hash = hash;
    node.queue = window;
    window.append(node);
    const most = this.#mostInWindow();
    for (let moves = 0; moves < mostMoves && window.size > most; moves += 1)
      move(window.first as WindowNode<E>, this.#probation);
    node.tally = this.#sketch.enter(hash, this.size);
    return node;
  }

  protected read(node: WindowNode<E>): void {
    node.tally = this.#sketch.use(node.tally, this.size);
    this.renew(node);
  }

  /** Gives a node its place that was used. */
  protected renew(node: WindowNode<E>): void {
    const isRecent = node.queue === this.#window || this.#rule.share >= 1;
    move(node, isRecent ? this.#window : this.#protected);
    if (isRecent) return;
    while (this.#protected.size > protectedShare * (this.#probation.size + this.#protected.size))
      move(this.#protected.first as WindowNode<E>, this.#probation);
  }

  overwritten(node: WindowNode<E>): void {
    this.read(node);
  }

  protected unlink(node: WindowNode<E>): void {
    node.queue.remove(node);
    this.#sketch.leave(node.hash, node.tally);
  }

  protected victim(reserved: WindowNode<E> | undefined): WindowNode<E> | undefined {
    const candidate = firstBut(reserved, this.#window);
    const victim = firstBut(reserved, this.#probation) ?? firstBut(reserved, this.#protected);
    if (candidate === undefined || victim === undefined) return candidate ?? victim;
    if (this.#window.size < this.#mostInWindow()) return victim;
    if (!this.#isAdmitted(candidate, victim)) return candidate;
    move(candidate, this.#probation);
    return victim;
  }

  protected unlinkAll(): void {
    for (const { hash, tally } of this.inOrder()) this.#sketch.leave(hash, tally);
    for (const queue of [this.#window, this.#probation, this.#protected]) queue.clear();
  }

  #isAdmitted(candidate: WindowNode<E>, victim: WindowNode<E>): boolean {
    const uses = this.#sketch.usesIn(candidate.tally);
    if (this.#rule.admission === 'twice') return uses >= 2;
    return uses > this.#sketch.usesIn(victim.tally) + leastAhead;
  }

  #mostInWindow(): number {
    return mostInWindow(this.#rule, this.size);
  }
}

/** So many of all entries may be in the window. */
export function mostInWindow({ share }: WindowRule, entries: number): number {
  return share >= 1 ? Number.POSITIVE_INFINITY : Math.max(1, Math.round(share * entries));
}

function move<E>(node: WindowNode<E>, queue: Queue<E>): void {
  if (node.queue === queue) {
    queue.moveToEnd(node);
    return;
  }
  node.queue.remove(node);
  queue.append(node);
  node.queue = queue;
}

function firstBut<E>(reserved: WindowNode<E> | undefined, { first }: Queue<E>): WindowNode<E> | undefined {
  return first === reserved ? first?.next : first;
}
