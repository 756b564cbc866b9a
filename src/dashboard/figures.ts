/** What the page shows: read when it is asked for, so that a hit does nothing for it. */

import type { CacheStats } from '../index.js';
import type { CacheCore } from '../manager/cache-context.js';
import { statsOf } from '../manager/method-context.js';
import { cacheStats, remarksOn } from '../manager/statistics.js';
import type { MethodUsage } from '../manager/tier-usages.js';
import type { Counted } from './history.js';
import type { LookupFigures } from './lookup-figures.js';
import type { MemoryFigures } from './memory-scan.js';

/** The files of a method. */
export interface PartitionFigures {
  readonly method: string | undefined;
  readonly partitions: number;
  readonly bytes: number;
  /** Values and deletions written, overwritten ones included. */
  readonly values: number;
  readonly deletions: number;
  readonly expired: number;
  /** Epoch ms. */
  readonly oldest: number | undefined;
  readonly newest: number | undefined;
}

/** All figures of one moment. */
export interface DashboardFigures extends MemoryFigures {
  /** Epoch ms. */
  readonly time: number;
  readonly title: string;
  readonly isReadOnly: boolean;
  readonly stats: CacheStats;
  readonly methods: readonly { readonly name: string; readonly stats: CacheStats }[];
  /** Methods with fewer calls, which are left out. */
  readonly methodsLeftOut: number;
  /** Entries of the slower tiers, expired ones included until they are noticed. */
  readonly tiers: readonly { readonly name: string; readonly entries: number | undefined }[];
  /** What the slower tiers hold of each method, where they tell. */
  readonly usage: readonly MethodUsage[];
  /** How long looks into tiers took, while the dashboard watched. */
  readonly lookups: readonly LookupFigures[];
  /** Sentences of those who watch the cache. */
  readonly remarks: readonly string[];
  readonly partitions?: readonly PartitionFigures[] | undefined;
}

const mostMethods = 200;

/** What a cache has counted, those methods first that have most calls. */
export function countedBy(core: CacheCore): Counted {
  const calls = ({ hits, misses, coalesced, uncached, staleHits }: CacheStats) =>
    hits + misses + coalesced + uncached + staleHits;
  const methods = Array.from(core.states(), (state) => ({ name: state.name, stats: statsOf([state]) })).sort(
    (a, b) => calls(b.stats) - calls(a.stats),
  );
  return { stats: cacheStats(core, undefined), methods };
}

/** The figures of a cache now. */
export function figuresOf(
  core: CacheCore,
  {
    counted: { stats, methods },
    memory,
    ...init
  }: Pick<DashboardFigures, 'title' | 'isReadOnly' | 'partitions' | 'usage' | 'lookups'> & {
    readonly counted: Counted;
    readonly memory: MemoryFigures;
  },
): DashboardFigures {
  return {
    time: core.options.clock.now(),
    ...init,
    stats,
    methods: methods.slice(0, mostMethods),
    methodsLeftOut: Math.max(0, methods.length - mostMethods),
    tiers: core.tiers.slow.map(({ name, size }) => ({ name, entries: size })),
    remarks: remarksOn(core),
    ...memory,
  };
}
