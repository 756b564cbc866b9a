/** Every entry that the tiers hold, memory first. */

import { TimeSlice } from '../../next-turn.js';
import type { MemoryEntry } from '../../store/memory-entry.js';
import type { SlowTier, TierRecord } from '../../tier.js';

/** An entry as its tier holds it. */
export type Held =
  | { readonly entry: MemoryEntry; readonly tier: 'memory' }
  | { readonly record: TierRecord; readonly tier: SlowTier['name'] };

/** The tiers to go through. */
export interface HeldSources {
  /** What memory has when it is asked. */
  readonly memory: Iterable<MemoryEntry>;
  readonly slow: readonly SlowTier[];
  /** Whether memory has an entry still. */
  readonly isHeld: (entry: MemoryEntry) => boolean;
  /** Whether one of a record's tags was invalidated since. */
  readonly isInvalid: (record: TierRecord) => boolean;
  readonly isOver?: (() => boolean) | undefined;
}

/** Which of them to go through, and how far; all without it. */
export type HeldLimits = Partial<Pick<HeldSources, 'slow' | 'isOver'>>;

/**
 * Every live entry of a method, or of all, each key once. Entries set meanwhile may be missing. Others run meanwhile.
 * Ends early where `isOver` says so, which is asked before each entry, those that are left out too.
 */
export async function* heldEntries(sources: HeldSources, method?: string): AsyncGenerator<Held> {
  const { memory, slow, isHeld, isInvalid, isOver = () => false } = sources;
  const seen = new Set<string>();
  const slice = new TimeSlice();
  for (const entry of memory) {
    if (isOver()) return;
    // Memory never waits for anything, nor may the caller.
    if (slice.isOver) await slice.next();
    if (!isHeld(entry)) continue;
    if (slow.length > 0) seen.add(entry.key);
    yield { entry, tier: 'memory' };
  }
  for (const tier of slow) {
    for await (const record of tier.entries(method)) {
      if (isOver()) return;
      if (slice.isOver) await slice.next();
      if (method !== undefined && record.method !== method) continue;
      if (seen.has(record.key) || isInvalid(record)) continue;
      // A remote tier may tell of a key twice, a disk does not: the keys of a million entries take 100 MB.
      if (tier.name === 'remote' || tier !== slow.at(-1)) seen.add(record.key);
      yield { record, tier: tier.name };
    }
  }
}
