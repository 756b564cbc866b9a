/** The entries that can expire, in a ring that a hand walks in short steps. */

import type { Clock } from '../clock.js';
import type { MemoryEntry } from './memory-entry.js';

/**
 * A dense array of expiring entries. Each entry knows its slot, so adding and removing are O(1), and a sweep can
 * stop anywhere and go on later, whatever happened in between.
 */
export class ExpiryRing {
  readonly #entries: MemoryEntry[] = [];
  /** The hand is about to look at the slot before this one; 0 at the end of a round. */
  #hand = 0;

  get size(): number {
    return this.#entries.length;
  }

  /** Puts an entry that can expire in, unless it is in already. */
  add(entry: MemoryEntry): void {
    if (entry.slot >= 0) return;
    entry.slot = this.#entries.length;
    this.#entries.push(entry);
  }

  /** Takes an entry out, if it is in. */
  remove(entry: MemoryEntry): void {
    const { slot } = entry;
    if (slot < 0) return;
    entry.slot = -1;
    const last = this.#entries.pop();
    if (last === undefined || last === entry) return;
    this.#entries[slot] = last;
    last.slot = slot;
  }

  /**
   * Moves the hand over up to `steps` entries, takes out those that have expired and hands each to `onExpired`.
   * Returns how many those were. It stops early at the end of a round.
   *
   * The hand moves from the last slot to the first: what a removal moves into a slot comes from the last one, where
   * the hand has been in this round. So every entry that stays in for a round is met in it.
   */
  sweep({ clock, steps, onExpired }: RingSweep): number {
    if (this.#hand === 0) this.#hand = this.#entries.length;
    let expired = 0;
    for (let left = steps; left > 0; left -= 1) {
      this.#hand = Math.min(this.#hand, this.#entries.length);
      if (this.#hand === 0) break;
      this.#hand -= 1;
      const entry = this.#entries[this.#hand];
      if (!entry?.isExpired(entry.now(clock))) continue;
      this.remove(entry);
      expired += 1;
      onExpired(entry);
    }
    return expired;
  }
}

/** One walk of the hand. */
export interface RingSweep {
  readonly clock: Clock;
  readonly steps: number;
  /** Called for each expired entry, which is out of the ring by then. It may remove others. */
  readonly onExpired: (entry: MemoryEntry) => void;
}
