/**
 * How long lookups take. Those of the slower tiers are timed as they happen. To time a hit in memory would take as long as the
 * hit, so some entries are tried while somebody looks, and hits themselves do nothing for it.
 */

import { performance } from 'node:perf_hooks';
import { LargeValue } from '../value/large-value.js';
import type { CacheCore } from './cache-context.js';
import type { TierLookup } from './tiers/slow-reads.js';

export type { TierLookup };

/** Entries of each method that are tried. */
const tried = 3;
/** Of the first so many, so that not all trials are of the same. */
const among = 32;

/** Calls a listener with each look into a tier behind memory. It must not throw. Returns what ends it. */
export function onTierLookup(core: CacheCore, listener: (lookup: TierLookup) => void): () => void {
  const { listeners } = core.tiers.reads;
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/**
 * Looks some entries of these methods up in memory as a hit does, finding them and decoding their values, and tells how
 * long that took. Nothing is counted as a use. Large values, which are decoded in slices, are left out, and so is what fails:
 * that is for the next caller to meet, and be counted.
 */
export async function tryMemory(core: CacheCore, methods: Iterable<string>): Promise<TierLookup[]> {
  const lookups: TierLookup[] = [];
  for (const method of methods) {
    try {
      for (const key of await someKeys(core, method)) {
        const began = performance.now();
        const entry = core.tiers.peek(key);
        if (entry === undefined) continue;
        core.keeper.decode(entry.stored);
        lookups.push({ method, tier: 'memory', ms: performance.now() - began });
      }
    } catch {}
  }
  return lookups;
}

async function someKeys(core: CacheCore, method: string): Promise<string[]> {
  const keys: string[] = [];
  let left = tried + Math.floor(Math.random() * among);
  for await (const held of core.tiers.entries(method, { slow: [] })) {
    if (held.tier !== 'memory' || held.entry.stored instanceof LargeValue) continue;
    if (keys.push(held.entry.key) > tried) keys.shift();
    left -= 1;
    if (left === 0) break;
  }
  return keys;
}
