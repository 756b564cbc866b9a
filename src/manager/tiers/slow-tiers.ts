/** The slower tiers together. One that throws where no tier may is counted and passed over: the tool call goes on. */

import { inBackground } from '../../clock.js';
import { CacheError } from '../../errors.js';
import type { Stamp } from '../../stamp.js';
import type { MemoryEntry } from '../../store/memory-entry.js';
import type { LoadTicket, LoadWatch, LoadWatchListener, SlowTier, TierRecord } from '../../tier.js';

export class SlowTiers {
  readonly all: readonly SlowTier[];
  readonly #failed: (error: CacheError, key?: string) => void;

  constructor(all: readonly SlowTier[], failed: (error: CacheError, key?: string) => void) {
    this.all = all;
    this.#failed = failed;
  }

  /** Whether any has taken it, or knows of something newer. */
  write(record: TierRecord, ticket: LoadTicket | undefined, replaces: Stamp | undefined): boolean {
    let isTaken = false;
    this.each((tier) => {
      isTaken = tier.write(record, ticket, replaces) || isTaken;
    }, record.key);
    return isTaken;
  }

  delete(key: string, method: string, stamp: Stamp): void {
    this.each((tier) => tier.delete(key, method, stamp), key);
  }

  clear(method: string | undefined, stamp: Stamp): void {
    this.each((tier) => tier.clear(method, stamp));
  }

  invalidateTags(tags: readonly string[], stamp: Stamp): void {
    this.each((tier) => {
      for (const tag of tags) tier.invalidateTag(tag, stamp);
    });
  }

  isReplaced(entry: MemoryEntry): boolean {
    let isReplaced = false;
    this.each((tier) => {
      isReplaced ||= tier.isReplaced(entry);
    }, entry.key);
    return isReplaced;
  }

  /** Watches a key in every tier that others write to as well. */
  watch(key: string, method: string, onChange: LoadWatchListener): LoadWatch {
    const watches: LoadWatch[] = [];
    this.each((tier) => {
      const watch = tier.watch?.({ key, method }, onChange);
      if (watch !== undefined) watches.push(watch);
    }, key);
    return {
      isInvalidated: (tags) => watches.some((watch) => watch.isInvalidated(tags)),
      end: () => {
        for (const watch of watches) watch.end();
      },
    };
  }

  async open(): Promise<void> {
    await Promise.all(this.all.map((tier) => inBackground(() => tier.open())));
  }

  /** When they have room again, for a caller that can wait; `undefined` when they have. */
  room(): Promise<unknown> | undefined {
    const waits = this.all.flatMap((tier) => tier.backpressure() ?? []);
    return waits.length === 0 ? undefined : Promise.all(waits);
  }

  async flush(): Promise<void> {
    await Promise.all(this.all.map((tier) => inBackground(() => tier.flush())));
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((tier) => tier.close()));
  }

  /** Does something with each. */
  each(use: (tier: SlowTier) => void, key?: string): void {
    for (const tier of this.all) {
      try {
        use(tier);
      } catch (cause) {
        this.#failed(new CacheError('ERR_STORAGE', `The ${tier.name} tier failed`, { cause }), key);
      }
    }
  }
}
