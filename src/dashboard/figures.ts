/** What the page shows: read when it is asked for, so that a hit does nothing for it. */

import type { CacheStats } from '../index.js';
import type { CacheCore } from '../manager/cache-context.js';
import { statsOf } from '../manager/method-context.js';
import { cacheStats, remarksOn } from '../manager/statistics.js';
import type { MethodUsage } from '../manager/tier-usages.js';
import type { Counted } from './history.js';
import type { LookupFigures } from './lookup-figures.js';

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

/** An entry in memory by what it has saved. */
export interface TopEntry {
  readonly method: string;
  readonly key: string;
  readonly uses: number;
  readonly savedMs: number;
  readonly bytes: number;
}

/** All figures of one moment. */
export interface DashboardFigures {
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
  /** When entries in memory expire. */
  readonly due: readonly { readonly label: string; readonly entries: number }[];
  readonly top: readonly TopEntry[];
  /** How many entries in memory `due` and `top` are of. */
  readonly lookedAt: number;
  readonly partitions?: readonly PartitionFigures[] | undefined;
}

const mostMethods = 200;
const mostTop = 10;

/** Entries that are looked at for `due` and `top`: some milliseconds. */
const mostEntries = 20_000;

const minute = 60_000;
const dues: readonly (readonly [label: string, withinMs: number])[] = [
  ['within a minute', minute],
  ['within an hour', 60 * minute],
  ['within a day', 24 * 60 * minute],
  ['later', Number.POSITIVE_INFINITY],
];

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
export async function figuresOf(
  core: CacheCore,
  {
    counted: { stats, methods },
    ...init
  }: Pick<DashboardFigures, 'title' | 'isReadOnly' | 'partitions' | 'usage' | 'lookups'> & {
    readonly counted: Counted;
  },
): Promise<DashboardFigures> {
  return {
    time: core.options.clock.now(),
    ...init,
    stats,
    methods: methods.slice(0, mostMethods),
    methodsLeftOut: Math.max(0, methods.length - mostMethods),
    tiers: core.tiers.slow.map(({ name, size }) => ({ name, entries: size })),
    remarks: remarksOn(core),
    ...(await memoryFigures(core)),
  };
}

async function memoryFigures(core: CacheCore): Promise<Pick<DashboardFigures, 'due' | 'top' | 'lookedAt'>> {
  const now = core.options.clock.now();
  const counts = new Map<string, number>([...dues.map(([label]) => [label, 0] as const), ['never', 0]]);
  const top: TopEntry[] = [];
  let lookedAt = 0;
  // Of memory alone: to go through a disk takes longer than people want to wait.
  for await (const held of core.tiers.entries(undefined, { slow: [] })) {
    if (held.tier !== 'memory' || lookedAt === mostEntries) break;
    lookedAt += 1;
    const { method, key, accessCount, loadMs, bytes, lastAccess, idleMs } = held.entry;
    const expiresAt =
      idleMs > 0
        ? Math.min(held.entry.expiresAt ?? Number.POSITIVE_INFINITY, lastAccess + idleMs)
        : held.entry.expiresAt;
    const label =
      expiresAt === null ? 'never' : (dues.find(([, within]) => expiresAt - now <= within)?.[0] ?? 'later');
    counts.set(label, (counts.get(label) ?? 0) + 1);
    if (accessCount > 0) top.push({ method, key, uses: accessCount, savedMs: accessCount * loadMs, bytes });
    if (top.length > 1000) shorten(top);
  }
  shorten(top);
  return { due: Array.from(counts, ([label, entries]) => ({ label, entries })), top, lookedAt };
}

function shorten(top: TopEntry[]): void {
  top.sort((a, b) => b.savedMs - a.savedMs || b.uses - a.uses);
  top.length = Math.min(top.length, mostTop);
}
