/** What a replay has to do with the disk: the options that its flags come to, what it read, what failed. */

import type { CacheManager, CacheOptions } from '../../index.js';
import { formatCount, printable } from '../../report/format.js';
import { givenPaths, shownPath } from '../partitions/given-paths.js';
import { UsageError } from '../usage-error.js';

/** The flags that concern the disk. */
export interface DiskFlags {
  readonly persist: boolean;
  readonly persistDir?: string;
  readonly cache: 'single' | 'multi';
  readonly loadCache: readonly string[];
}

/** A disk tier to replay with. */
export interface ReplayDisk {
  readonly options: Pick<CacheOptions, 'persist' | 'persistDir' | 'mode' | 'loadCache'>;
  /** The folder that is written to. */
  readonly persistDir: string | null;
  /** What is only read. */
  readonly loadCache: readonly string[];
}

const defaultFolder = './cache';

/**
 * The disk tier that the flags ask for; `null` when none.
 *
 * @throws UsageError for flags that don't go together, or paths that are not there
 */
export async function diskOf(flags: DiskFlags): Promise<ReplayDisk | null> {
  const { persist, cache: mode } = flags;
  if (flags.persistDir !== undefined && !persist) {
    throw new UsageError('Expected --persist with --persist-dir: without it, nothing is written');
  }
  if (mode === 'multi' && !persist) {
    throw new UsageError('Expected --persist with --cache multi: only a folder on disk can be shared');
  }
  const loadCache = await givenPaths(flags.loadCache);
  if (!persist && loadCache.length === 0) return null;
  const persistDir = flags.persistDir ?? defaultFolder;
  return {
    options: { persist, loadCache, mode, ...(persist && { persistDir }) },
    persistDir: persist ? persistDir : null,
    loadCache: loadCache.map(shownPath),
  };
}

/** The tiers behind memory that a hit may come from. */
export type SlowTierName = 'disk' | 'remote';

/** Counts what a cache reads from disk and from Redis, and what fails in it. */
export class TierWatch {
  readonly #cache: CacheManager;
  readonly #reads = new Map<string, number>();
  readonly #failures: string[] = [];
  #hasLost = false;

  constructor(cache: CacheManager) {
    this.#cache = cache;
    cache.on('hit', ({ key, tier }) => {
      if (tier === 'disk' || tier === 'remote')
        this.#reads.set(`${tier} ${key}`, this.readsOf(key, tier) + 1);
    });
    cache.on('error', ({ error }) => this.#failures.push(error.message));
  }

  /** Whether anything could not be written. */
  get hasLost(): boolean {
    return this.#hasLost;
  }

  /** How many answers for a key have been read from a tier. */
  readsOf(key: string, tier: SlowTierName): number {
    return this.#reads.get(`${tier} ${key}`) ?? 0;
  }

  /** Closes the cache, which writes what waits. What fails then is told by `notes`. */
  async close(): Promise<void> {
    try {
      await this.#cache.close();
    } catch {
      // The failure itself came as an event.
      this.#hasLost = true;
    }
  }

  /** What failed, in sentences. */
  notes(): string[] {
    const [first] = this.#failures;
    if (first === undefined) return [];
    const others = this.#failures.length - 1;
    const more = others === 0 ? '' : ` (and ${formatCount(others)} more)`;
    const lost = this.#hasLost ? ['Not everything could be written.'] : [];
    return [`The cache itself failed: ${printable(first)}${more}`, ...lost];
  }
}
