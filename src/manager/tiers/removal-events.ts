/** Entries that leave memory: counted at once, told to listeners once the store is whole again. */

import type { RemovalReason } from '../../entry.js';
import type { CacheEvents, EventHub } from '../../events.js';
import type { MethodCounters } from '../../stats/counters.js';
import type { MemoryEntry } from '../../store/memory-entry.js';
import { type Cleared, type MemoryTierOptions, storeFailure } from '../../store/memory-tier.js';
import type { TierObserver } from './tier-observer.js';

/** The removalEvents of one memory tier. */
export class RemovalEvents {
  readonly #events: EventHub;
  /** What listeners have not heard of yet. */
  readonly #unreported: CacheEvents['remove'][] = [];
  /** Whether listeners are to be told. */
  isPending = false;
  /** A closed cache lets go of its entries: nobody has deleted them. */
  isClosed = false;

  constructor(events: EventHub) {
    this.#events = events;
  }

  /** What a memory tier tells of entries that leave it. */
  listeners(observer: TierObserver): Pick<MemoryTierOptions, 'onRemove' | 'onClear' | 'onError'> {
    return {
      onRemove: (entry, reason) => this.count(entry, reason, observer.state(entry.method).counters),
      onClear: (cleared) => this.countCleared(cleared, observer.state(cleared.method).counters),
      onError: (error) => observer.failed(storeFailure('sweep', error)),
    };
  }

  /** Counts what is cleared, all at once; its entries are told of as they leave. */
  countCleared({ size, bytes }: Cleared, counters: MethodCounters): void {
    if (this.isClosed) counters.released(bytes, size);
    else counters.cleared(bytes, size);
  }

  count(entry: MemoryEntry, reason: RemovalReason, counters: MethodCounters): void {
    if (this.isClosed) {
      if (reason !== 'clear') counters.released(entry.bytes, 1);
      return;
    }
    if (reason !== 'clear') counters.removed(entry.bytes, reason);
    if (!this.#events.isHeard('remove')) return;
    // A listener may use the cache, and the store is in the middle of a change.
    this.#unreported.push({ method: entry.method, key: entry.key, reason });
    this.isPending = true;
    // Where nobody tells right after the change, as after a sweep.
    if (this.#unreported.length === 1) queueMicrotask(() => this.tell());
  }

  /** To be called after each change of the store. */
  tell(): void {
    while (this.#unreported.length > 0) this.#events.emit('remove', this.#unreported.shift()!);
    this.isPending = false;
  }
}
