/** The entries that can expire, in a ring that a hand walks in short steps. */

import type { MemoryEntry } from './memory-entry.js';

/**
 * A dense array of expiring entries. Each entry knows its slot, so adding and removing are O(1), and a sweep can
 * stop anywhere and go on later, whatever happened in between.
 */
export class ExpiryRing {
  readonly #entries: MemoryEntry[] = [];
  #hand = 0;

  get size(): number {
    return this.#entries.length;
  }

  /** Puts an entry in, unless it never expires or is in already. */
  add(entry: MemoryEntry): void {
    if (entry.expiresAt === null || entry.slot >= 0) return;
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
   * Returns how many those were.
   */
  sweep({ now, steps, onExpired }: RingSweep): number {
    let expired = 0;
    for (let left = Math.min(steps, this.#entries.length); left > 0; left -= 1) {
      if (this.#hand >= this.#entries.length) this.#hand = 0;
      const entry = this.#entries[this.#hand];
      if (entry === undefined) break;
      if (entry.isExpired(now)) {
        // The last entry takes this slot, so the hand stays.
        this.remove(entry);
        expired += 1;
        onExpired(entry);
      } else {
        this.#hand += 1;
      }
    }
    return expired;
  }
}

/** One walk of the hand. */
export interface RingSweep {
  readonly now: number;
  readonly steps: number;
  /** Called for each expired entry, which is out of the ring by then. It may remove others. */
  readonly onExpired: (entry: MemoryEntry) => void;
}
