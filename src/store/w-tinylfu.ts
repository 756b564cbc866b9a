/**
 * What is used more often than what would leave for it stays, after a window for what is new: W-TinyLFU, whose window adapts.
 *
 * Gil Einziger, Ohad Eytan, Roy Friedman, Ben Manes: Adaptive Software Cache Management, Middleware 2018. Of their ways to
 * choose the window this climbs towards more hits; the hits of the next windows come from small simulations instead of
 * trying each on the cache itself, which takes longer than the traffic of an agent stays the same. With few entries (16, on
 * recorded calls of an airline desk) that choice comes too late: 2.6 points of hit rate behind LRU.
 */

import { BoundedStore } from './bounded-store.js';
import { FrequencySketch } from './frequency-sketch.js';
import type { StoreEntry, StoreFactory } from './store.js';
import { type WindowNode, WindowOrder } from './window-order.js';
import { type RaceStanding, WindowRace } from './window-race.js';
import { lruRule, narrowRule, type WindowRule } from './window-rule.js';

/** A window order that counts uses and goes by the rule which answers most. */
export class AdaptiveWindowOrder<E extends StoreEntry> extends WindowOrder<E> {
  readonly #race: WindowRace;

  /** @param rules those to choose from: `narrowRule` among them, the first to begin with */
  constructor(maxSize: number, rules: readonly WindowRule[], largestMap?: number) {
    const sketch = new FrequencySketch();
    const race = new WindowRace(sketch, rules);
    super(maxSize, sketch, race.rule, largestMap);
    this.#race = race;
  }

  /** What the choice of the rule rests on. */
  get standing(): RaceStanding {
    return this.#race.standing;
  }

  protected override link(entry: E, spare: WindowNode<E> | undefined): WindowNode<E> {
    const node = super.link(entry, spare);
    this.#used(node, false);
    return node;
  }

  protected override renew(node: WindowNode<E>): void {
    this.#used(node, true);
    super.renew(node);
  }

  override evict(reserved: WindowNode<E> | undefined): WindowNode<E> | undefined {
    this.#race.full(this);
    this.rule = this.#race.rule;
    return super.evict(reserved);
  }

  protected override unlinkAll(): void {
    super.unlinkAll();
    this.#race.reset();
  }

  #used(node: WindowNode<E>, isHit: boolean): void {
    if (this.#race.used(node, isHit)) this.rule = this.#race.rule;
  }
}

/** The windows of `w-tinylfu`. */
export const windowRules: readonly WindowRule[] = [
  narrowRule,
  { share: 0.2, admission: 'more often' },
  lruRule,
];

/**
 * Makes a store that evicts, of the oldest of the window and the least recently used of the rest, the one used less often of
 * late. The window starts at 1 % of the entries and becomes 20 % or all (LRU) where that answers more. For traffic with
 * loops and scans, and with keys that stay popular. O(1).
 */
export const wTinyLfu: StoreFactory = (options) =>
  new BoundedStore(options, new AdaptiveWindowOrder(options.maxSize, windowRules));
