/**
 * Small window orders that hold no entries, to see which rule would answer most: all in arrays of numbers, so that a lookup
 * in several of them costs less than one in a cache. What they do is what `WindowOrder` does.
 */

import type { FrequencySketch } from './frequency-sketch.js';
import { mostInWindow, protectedShare } from './window-order.js';
import type { WindowRule } from './window-rule.js';

/** The queues of a shadow, by number; 0 is in none. */
const queues = [1, 2, 3] as const;
const [inWindow, inProbation, inProtected] = queues;

/** One simulated cache. Keys are slots: numbers from 0 on. */
class ShadowWindow {
  readonly #rule: WindowRule;
  readonly #sketch: FrequencySketch;
  /** The hash of each slot. */
  readonly #hashes: Int32Array;
  readonly #queueOf: Uint8Array;
  /** Rings, each with a head behind the slots: the first node follows it. */
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #heads: number;
  readonly #sizes = [0, 0, 0, 0];

  constructor(rule: WindowRule, sketch: FrequencySketch, hashes: Int32Array) {
    const slots = hashes.length;
    this.#rule = rule;
    this.#sketch = sketch;
    this.#hashes = hashes;
    this.#heads = slots - 1;
    this.#queueOf = new Uint8Array(slots);
    this.#next = new Int32Array(slots + queues.length);
    this.#previous = new Int32Array(slots + queues.length);
    for (const queue of queues) {
      const head = this.#heads + queue;
      this.#next[head] = head;
      this.#previous[head] = head;
    }
  }

  get size(): number {
    return this.#sizeOf(inWindow) + this.#sizeOf(inProbation) + this.#sizeOf(inProtected);
  }

  /** Counts a use of a slot, and tells whether it was held. */
  use(slot: number): boolean {
    const queue = this.#queueOf[slot];
    if (queue === 0) return false;
    if (queue === inWindow || this.#rule.share >= 1) this.#move(slot, inWindow);
    else {
      this.#move(slot, inProtected);
      while (
        this.#sizeOf(inProtected) >
        protectedShare * (this.#sizeOf(inProbation) + this.#sizeOf(inProtected))
      )
        this.#move(this.#firstOf(inProtected), inProbation);
    }
    return true;
  }

  insert(slot: number): void {
    this.#append(slot, inWindow);
    const most = mostInWindow(this.#rule, this.size);
    while (this.#sizeOf(inWindow) > most) this.#move(this.#firstOf(inWindow), inProbation);
  }

  /** Takes out the slot that is next to leave. There must be one. */
  evict(): number {
    const slot = this.#victim();
    this.#remove(slot);
    this.#queueOf[slot] = 0;
    return slot;
  }

  #victim(): number {
    const isWindowEmpty = this.#sizeOf(inWindow) === 0;
    const rest = this.#sizeOf(inProbation) > 0 ? inProbation : inProtected;
    if (this.#sizeOf(rest) === 0) return this.#firstOf(inWindow);
    const victim = this.#firstOf(rest);
    if (isWindowEmpty || this.#sizeOf(inWindow) < mostInWindow(this.#rule, this.size)) return victim;
    const candidate = this.#firstOf(inWindow);
    const uses = this.#usesOf(candidate);
    const isAdmitted = this.#rule.admission === 'twice' ? uses >= 2 : uses > this.#usesOf(victim);
    if (!isAdmitted) return candidate;
    this.#move(candidate, inProbation);
    return victim;
  }

  #usesOf(slot: number): number {
    return this.#sketch.of(this.#hashes[slot]!);
  }

  #sizeOf(queue: number): number {
    return this.#sizes[queue]!;
  }

  #firstOf(queue: number): number {
    return this.#next[this.#heads + queue]!;
  }

  #move(slot: number, queue: number): void {
    this.#remove(slot);
    this.#append(slot, queue);
  }

  #append(slot: number, queue: number): void {
    const head = this.#heads + queue;
    const last = this.#previous[head]!;
    this.#next[last] = slot;
    this.#previous[slot] = last;
    this.#next[slot] = head;
    this.#previous[head] = slot;
    this.#queueOf[slot] = queue;
    this.#sizes[queue]! += 1;
  }

  #remove(slot: number): void {
    const next = this.#next[slot]!;
    const previous = this.#previous[slot]!;
    this.#next[previous] = next;
    this.#previous[next] = previous;
    this.#sizes[this.#queueOf[slot]!]! -= 1;
  }
}

/** Several simulated caches of one size. */
export class ShadowWindows {
  /** The slot of each hash that any of them holds. */
  readonly #slots = new Map<number, number>();
  readonly #hashes: Int32Array;
  /** How many of them hold a slot. */
  readonly #holders: Uint8Array;
  readonly #free: number[];
  readonly #shadows: readonly ShadowWindow[];
  readonly #room: number;

  /** @param room the most entries of each */
  constructor(rules: readonly WindowRule[], room: number, sketch: FrequencySketch) {
    const slots = rules.length * room + 1;
    this.#room = room;
    this.#hashes = new Int32Array(slots);
    this.#holders = new Uint8Array(slots);
    this.#free = Array.from({ length: slots }, (_, slot) => slot);
    this.#shadows = rules.map((rule) => new ShadowWindow(rule, sketch, this.#hashes));
  }

  /** Looks a key up in all of them, puts it in where it was not, and tells where it was: a bit for each. */
  visit(hash: number): number {
    const slot = this.#slots.get(hash) ?? this.#take(hash);
    let found = 0;
    for (let at = 0; at < this.#shadows.length; at += 1) {
      const shadow = this.#shadows[at]!;
      if (shadow.use(slot)) {
        found |= 1 << at;
        continue;
      }
      this.#holders[slot]! += 1;
      if (shadow.size >= this.#room) this.#release(shadow.evict());
      shadow.insert(slot);
    }
    return found;
  }

  #take(hash: number): number {
    const slot = this.#free.pop() as number;
    this.#hashes[slot] = hash;
    this.#slots.set(hash, slot);
    return slot;
  }

  #release(slot: number): void {
    this.#holders[slot]! -= 1;
    if (this.#holders[slot]! > 0) return;
    this.#slots.delete(this.#hashes[slot]!);
    this.#free.push(slot);
  }
}
