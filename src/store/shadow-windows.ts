/**
 * Small window orders that hold no entries, to see which rule would answer most: all in few arrays of numbers, so that a
 * lookup in several of them costs less than one in a cache. What they do is what `WindowOrder` does.
 */

import type { FrequencySketch } from './frequency-sketch.js';
import { leastAhead, mostInWindow, protectedShare } from './window-order.js';
import type { WindowRule } from './window-rule.js';

/** The queues of a shadow, by number; 0 is in none. */
const inWindow = 1;
const inProbation = 2;
const inProtected = 3;
const queues = 3;

/** Where the simulated caches keep what they know of slots: numbers from 1 on, each of which stands for a key. */
interface ShadowMemory {
  /** The hash of each slot, and the tally of its uses. */
  readonly hashes: Int32Array;
  readonly tallies: Int32Array;
  /** The queue that each simulated cache has a slot in, those of one slot side by side. */
  readonly queueOf: Uint8Array;
  /** The slots before and after it in that queue, likewise. Queues are rings, each with a head behind the slots. */
  readonly links: Uint16Array;
}

/** One simulated cache. */
class ShadowWindow {
  readonly #isLru: boolean;
  readonly #isAdmittedTwice: boolean;
  readonly #rule: WindowRule;
  readonly #sketch: FrequencySketch;
  readonly #room: number;
  readonly #tallies: Int32Array;
  readonly #queueOf: Uint8Array;
  readonly #links: Uint16Array;
  /** How many simulated caches share the memory, and which this is. */
  readonly #stride: number;
  readonly #at: number;
  /** The slot before the first head. */
  readonly #heads: number;
  readonly #sizes = new Uint16Array(queues + 1);
  readonly #mostInFullWindow: number;
  #size = 0;

  constructor(
    rule: WindowRule,
    sketch: FrequencySketch,
    room: number,
    memory: ShadowMemory,
    place: { at: number; of: number },
  ) {
    this.#rule = rule;
    this.#isLru = rule.share >= 1;
    this.#isAdmittedTwice = rule.admission === 'twice';
    this.#sketch = sketch;
    this.#room = room;
    this.#mostInFullWindow = mostInWindow(rule, room);
    this.#tallies = memory.tallies;
    this.#queueOf = memory.queueOf;
    this.#links = memory.links;
    this.#at = place.at;
    this.#stride = place.of;
    this.#heads = memory.hashes.length - 1;
    for (let queue = 1; queue <= queues; queue += 1) {
      const head = this.#linksOf(this.#heads + queue);
      this.#links[head] = this.#heads + queue;
      this.#links[head + 1] = this.#heads + queue;
    }
  }

  get isFull(): boolean {
    return this.#size >= this.#room;
  }

  /** Counts a use of a slot, and tells whether it was held. */
  use(slot: number): boolean {
    const queue = this.#queueOf[slot * this.#stride + this.#at]!;
    if (queue === 0) return false;
    if (queue === inWindow || this.#isLru) this.#move(slot, inWindow);
    else {
      this.#move(slot, inProtected);
      const sizes = this.#sizes;
      while (sizes[inProtected]! > protectedShare * (sizes[inProbation]! + sizes[inProtected]!))
        this.#move(this.#firstOf(inProtected), inProbation);
    }
    return true;
  }

  insert(slot: number): void {
    this.#append(slot, inWindow);
    this.#size += 1;
    const most = this.#mostInWindow();
    while (this.#sizes[inWindow]! > most) this.#move(this.#firstOf(inWindow), inProbation);
  }

  /** Takes out the slot that is next to leave. There must be one. */
  evict(): number {
    const slot = this.#victim();
    this.#remove(slot);
    this.#queueOf[slot * this.#stride + this.#at] = 0;
    this.#size -= 1;
    return slot;
  }

  #victim(): number {
    const inItsWindow = this.#sizes[inWindow]!;
    const rest = this.#sizes[inProbation]! > 0 ? inProbation : inProtected;
    if (this.#sizes[rest] === 0) return this.#firstOf(inWindow);
    const victim = this.#firstOf(rest);
    if (inItsWindow === 0 || inItsWindow < this.#mostInWindow()) return victim;
    const candidate = this.#firstOf(inWindow);
    const uses = this.#usesOf(candidate);
    const isAdmitted = this.#isAdmittedTwice ? uses >= 2 : uses > this.#usesOf(victim) + leastAhead;
    if (!isAdmitted) return candidate;
    this.#move(candidate, inProbation);
    return victim;
  }

  #mostInWindow(): number {
    return this.#size === this.#room ? this.#mostInFullWindow : mostInWindow(this.#rule, this.#size);
  }

  #usesOf(slot: number): number {
    return this.#sketch.usesIn(this.#tallies[slot]!);
  }

  /** Where the slot before this one stands; the one after it stands behind. */
  #linksOf(slot: number): number {
    return 2 * (slot * this.#stride + this.#at);
  }

  #firstOf(queue: number): number {
    return this.#links[this.#linksOf(this.#heads + queue) + 1]!;
  }

  #move(slot: number, queue: number): void {
    this.#remove(slot);
    this.#append(slot, queue);
  }

  #append(slot: number, queue: number): void {
    const links = this.#links;
    const head = this.#heads + queue;
    const headLinks = this.#linksOf(head);
    const slotLinks = this.#linksOf(slot);
    const last = links[headLinks]!;
    links[this.#linksOf(last) + 1] = slot;
    links[slotLinks] = last;
    links[slotLinks + 1] = head;
    links[headLinks] = slot;
    this.#queueOf[slot * this.#stride + this.#at] = queue;
    this.#sizes[queue]! += 1;
  }

  #remove(slot: number): void {
    const links = this.#links;
    const slotLinks = this.#linksOf(slot);
    const previous = links[slotLinks]!;
    const next = links[slotLinks + 1]!;
    links[this.#linksOf(previous) + 1] = next;
    links[this.#linksOf(next)] = previous;
    this.#sizes[this.#queueOf[slot * this.#stride + this.#at]!]! -= 1;
  }
}

/** What simulated caches know of a key. */
export interface CountedKey {
  readonly hash: number;
  /** Of its uses, this one among them. */
  readonly tally: number;
}

/** Several simulated caches of one size. */
export class ShadowWindows {
  readonly #memory: ShadowMemory;
  /** The first slot of the keys whose hashes fall on a place, and the next such slot of each slot; 0 is none. */
  readonly #firsts: Uint16Array;
  readonly #nexts: Uint16Array;
  /** How many of the caches hold a slot. */
  readonly #holders: Uint8Array;
  /** Slots that stand for no key: so many of the first numbers here. */
  readonly #free: Uint16Array;
  #freeCount: number;
  readonly #shadows: readonly ShadowWindow[];

  /** @param room the most entries of each: 10,000 at most for six rules */
  constructor(rules: readonly WindowRule[], room: number, sketch: FrequencySketch) {
    const count = rules.length;
    // One more than they hold, for a key that comes before another leaves.
    const slots = count * room + 2;
    const nodes = slots + queues;
    this.#memory = {
      hashes: new Int32Array(slots),
      tallies: new Int32Array(slots),
      queueOf: new Uint8Array(nodes * count),
      links: new Uint16Array(2 * nodes * count),
    };
    this.#firsts = new Uint16Array(2 ** Math.ceil(Math.log2(slots)));
    this.#nexts = new Uint16Array(slots);
    this.#holders = new Uint8Array(slots);
    this.#freeCount = slots - 1;
    this.#free = Uint16Array.from({ length: this.#freeCount }, (_, at) => at + 1);
    this.#shadows = rules.map(
      (rule, at) => new ShadowWindow(rule, sketch, room, this.#memory, { at, of: count }),
    );
  }

  /** Looks a key up in all of them, puts it in where it was not, and tells where it was: a bit for each. */
  visit({ hash, tally }: CountedKey): number {
    const slot = this.#slotOf(hash);
    this.#memory.tallies[slot] = tally;
    const shadows = this.#shadows;
    let found = 0;
    for (let at = 0; at < shadows.length; at += 1) {
      const shadow = shadows[at]!;
      if (shadow.use(slot)) {
        found |= 1 << at;
        continue;
      }
      this.#holders[slot]! += 1;
      if (shadow.isFull) this.#release(shadow.evict());
      shadow.insert(slot);
    }
    return found;
  }

  #slotOf(hash: number): number {
    const { hashes } = this.#memory;
    const place = this.#placeOf(hash);
    const first = this.#firsts[place]!;
    let slot = first;
    while (slot !== 0 && hashes[slot] !== hash) slot = this.#nexts[slot]!;
    if (slot !== 0) return slot;
    this.#freeCount -= 1;
    const taken = this.#free[this.#freeCount]!;
    hashes[taken] = hash;
    this.#nexts[taken] = first;
    this.#firsts[place] = taken;
    return taken;
  }

  #release(slot: number): void {
    this.#holders[slot]! -= 1;
    if (this.#holders[slot]! > 0) return;
    const place = this.#placeOf(this.#memory.hashes[slot]!);
    const next = this.#nexts[slot]!;
    let before = this.#firsts[place]!;
    if (before === slot) this.#firsts[place] = next;
    else {
      while (this.#nexts[before] !== slot) before = this.#nexts[before]!;
      this.#nexts[before] = next;
    }
    this.#free[this.#freeCount] = slot;
    this.#freeCount += 1;
  }

  #placeOf(hash: number): number {
    return hash & (this.#firsts.length - 1);
  }
}
