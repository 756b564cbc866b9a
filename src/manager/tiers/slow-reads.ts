/** Reads of the slower tiers under way, at most one a key that may be joined. */

import type { TierName } from '../../entry.js';
import { CacheError } from '../../errors.js';
import { KeyedWork, type Watch } from '../../guard/keyed-work.js';
import type { MemoryEntry } from '../../store/memory-entry.js';
import type { DecodedValue } from '../../value/keeper.js';

/** An entry and the tier it was found in. */
export interface Found {
  readonly entry: MemoryEntry;
  readonly tier: TierName;
  /** The value, where it was decoded on its way into memory. */
  readonly decoded?: DecodedValue | undefined;
}

/** What memory holds, as what was found. */
export function inMemory(entry: MemoryEntry | undefined): Found | undefined {
  return entry && { entry, tier: 'memory' };
}

/** What a search of the slower tiers came to. */
export type Search = Found | { readonly error: CacheError } | undefined;

/** What a read came to: what it found, or that its key was written meanwhile. */
export type Read = Search | 'superseded';

/** One look into a tier, for one key or for many together. */
export interface TierLookup {
  readonly method: string;
  readonly tier: TierName;
  readonly ms: number;
}

/** The read of one key. */
export class SlowRead implements Watch {
  readonly key: string;
  readonly method: string;
  superseded = false;
  /** A load has waited for it in vain. */
  isStuck = false;
  #isSettled = false;
  #outcome: Read;
  #waiting: Promise<Read> | undefined;
  #resolve: ((outcome: Read) => void) | undefined;

  constructor(key: string, method: string) {
    this.key = key;
    this.method = method;
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** What it came to; a promise, which is made for who waits, while it is under way. */
  get outcome(): Read | Promise<Read> {
    if (this.#isSettled) return this.#outcome;
    this.#waiting ??= new Promise((resolve) => {
      this.#resolve = resolve;
    });
    return this.#waiting;
  }

  settle(outcome: Read): void {
    this.#isSettled = true;
    this.#outcome = outcome;
    this.#resolve?.(outcome);
  }
}

/** All reads of one cache's slower tiers. */
export class SlowReads extends KeyedWork<SlowRead> {
  /** Who hears how long each look into a tier took that did not fail. They never throw. */
  readonly listeners = new Set<(lookup: TierLookup) => void>();

  /** The read of a key that has none to join. */
  start(key: string, method: string): SlowRead {
    const read = new SlowRead(key, method);
    this.admit(read);
    return read;
  }

  /** A read is over. Whoever runs on must not join it any more. */
  settle(read: SlowRead, outcome: Read): void {
    this.retire(read);
    read.settle(outcome);
  }

  /** The read of this key is not to be waited for by a load any more. */
  giveUp(key: string): void {
    const read = this.find(key);
    if (read !== undefined) read.isStuck = true;
  }

  /** Why a load should not wait for the read of this key that is under way; `undefined` if it may. */
  problemWith(key: string): CacheError | undefined {
    if (this.find(key)?.isStuck !== true) return undefined;
    const message = `A slower tier took too long to read ${key}: it is not asked again`;
    return new CacheError('ERR_STORAGE', message);
  }
}
