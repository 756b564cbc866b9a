/** What other machines change of what a cache shares with them. */

import type { CacheError } from '../../errors.js';
import type { TagInvalidations } from '../../guard/tag-invalidation.js';
import { compareStamps, justBefore, type Stamp } from '../../stamp.js';
import type { Memory } from '../../store/arena-options.js';
import type { MemoryEntry } from '../../store/memory-entry.js';
import { storeFailure } from '../../store/memory-tier.js';
import type { KeyChange, RemoteChange, SlowTier, TierRecord } from '../../tier.js';
import type { SearchPlace } from './key-search.js';
import type { SlowReads } from './slow-reads.js';
import { SlowTiers } from './slow-tiers.js';

/** What it works with. */
export interface SharedEntriesInit {
  readonly place: SearchPlace;
  readonly memory: Memory;
  readonly reads: SlowReads;
  readonly tags: TagInvalidations;
  /** Drops an entry from memory alone. */
  readonly drop: (entry: Pick<TierRecord, 'key' | 'method'>) => void;
  readonly failed: (error: CacheError, key?: string) => void;
  /** Drops a method's entries, or all, from memory alone. */
  readonly clearMemory: (method?: string) => void;
}

type Changed = Omit<KeyChange, 'kind'>;

/** One cache's side of a remote tier. */
export class SharedEntries {
  readonly #init: SharedEntriesInit;
  /** The tiers between memory and the remote one. */
  readonly faster: readonly SlowTier[];
  /** The same: one that throws is counted, and the others hear of what has changed all the same. */
  readonly #guarded: SlowTiers;

  constructor(init: SharedEntriesInit) {
    this.#init = init;
    this.faster = init.place.slow.filter((tier) => tier !== init.place.remote);
    this.#guarded = new SlowTiers(this.faster, init.failed);
  }

  /** Takes in what another machine has changed, in memory, in the tiers between, and for reads under way. */
  apply(change: RemoteChange): void {
    const { reads, tags, clearMemory } = this.#init;
    switch (change.kind) {
      case 'unknown':
        reads.supersedeAll();
        clearMemory();
        return;
      case 'tag':
        tags.hear(change.tag, change.stamp);
        this.#guarded.invalidateTags([change.tag], change.stamp);
        return;
      case 'method':
        reads.supersedeAll(change.method);
        clearMemory(change.method);
        this.#guarded.clear(change.method, change.stamp);
        return;
      default:
        this.#forget(change);
    }
  }

  /** Lets go of a value that was loaded and that the remote tier has refused: its key was changed meanwhile. */
  refuse(refused: Changed): void {
    const { time, writer } = refused.stamp;
    // Newer than the value itself, and older than whatever has taken its place.
    this.#forget({ ...refused, stamp: { time: time + 1, writer } });
  }

  /** Gives a value that was set the stamp that it has for all, which is newer, wherever it is held. */
  restamp(record: TierRecord, given: Stamp): void {
    const { key, method, stamp } = record;
    const held = this.#peek(key);
    if (held !== undefined && compareStamps(held.stamp, given) === 0) held.stamp = stamp;
    this.#guarded.each((tier) => {
      if (tier.isReplaced({ key, method, stamp: justBefore(given) })) tier.write(record);
    }, key);
  }

  /** Resolves when the tiers between are open, and have written what they were told of. */
  async flush(): Promise<void> {
    await Promise.all(
      this.faster.map(async (tier) => {
        // One that can't be opened, or is being closed, may have things to write all the same.
        await tier.open().catch(() => undefined);
        await tier.flush();
      }),
    );
  }

  /** Drops what is older than a change: a value that was set is no older than the message of it, and stays. */
  #forget({ key, method, stamp, isSet = false }: Changed): void {
    this.#init.reads.supersede(key);
    const held = this.#peek(key, () => this.#init.drop({ key, method }));
    if (held !== undefined && compareStamps(held.stamp, stamp) < 0) this.#init.drop({ key, method });
    const deleted = isSet ? justBefore(stamp) : stamp;
    this.#guarded.each((tier) => {
      if (tier.holds?.(key, method) !== false) tier.delete(key, method, deleted);
    }, key);
  }

  /** What memory holds. What is left in a store that fails goes, where that is asked for. */
  #peek(key: string, onFailure?: () => void): MemoryEntry | undefined {
    try {
      return this.#init.memory.peek(key);
    } catch (cause) {
      this.#init.failed(storeFailure('peek', cause), key);
      onFailure?.();
      return undefined;
    }
  }
}
