/** Entries that leave memory: counted at once, told to listeners once the store is whole again. */

import type { RemovalReason } from '../entry.js';
import type { CacheEvents, EventHub } from '../events.js';
import type { MethodCounters } from '../stats/counters.js';
import type { MemoryEntry } from '../store/memory-entry.js';

/** The departures of one memory tier. */
export class Departures {
  readonly #events: EventHub;
  /** What listeners have not heard of yet. */
  readonly #untold: CacheEvents['remove'][] = [];
  /** A closed cache lets go of its entries: nobody has deleted them. */
  isClosed = false;

  constructor(events: EventHub) {
    this.#events = events;
  }

  count(entry: MemoryEntry, reason: RemovalReason, counters: MethodCounters): void {
    if (this.isClosed) {
      counters.released(entry.bytes);
      return;
    }
    counters.removed(entry.bytes, reason);
    if (!this.#events.isHeard('remove')) return;
    // A listener may use the cache, and the store is in the middle of a change.
    this.#untold.push({ method: entry.method, key: entry.key, reason });
    // Where nobody tells right after the change, as after a sweep.
    if (this.#untold.length === 1) queueMicrotask(() => this.tell());
  }

  /** To be called after each change of the store. */
  tell(): void {
    while (this.#untold.length > 0) this.#events.emit('remove', this.#untold.shift()!);
  }
}
