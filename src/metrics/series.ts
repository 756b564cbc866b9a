/** What is measured: one table for every exporter, each row a field of `CacheStats` or some of them. */

import type { CacheStats } from '../index.js';

type RemoteStatus = NonNullable<CacheStats['remote']>;

/** One kind of figure. */
export interface Series {
  /** Words joined by `_`; exporters put their prefix before it. */
  readonly name: string;
  /** A counter only grows, a gauge is how things stand. */
  readonly kind: 'counter' | 'gauge';
  readonly help: string;
  /** `s` and `By` by UCUM; `1`: a number of things. */
  readonly unit: 's' | 'By' | '1';
  /** What tells the figures of one series apart, besides cache and method. */
  readonly label?: string;
  /** Of the cache as a whole: its figures have no method. */
  readonly isOfCache?: true;
  /** A share: figures of several are never summed up. */
  readonly isShare?: true;
  /** The figures, each with what it is of. */
  readonly read: (stats: CacheStats) => readonly Figure[];
}

/** A figure, and the value of its series' label. */
export type Figure = readonly [value: number, label?: string];

type CountField = {
  [F in keyof CacheStats]: CacheStats[F] extends number ? F : never;
}[keyof CacheStats];

function counter(name: string, field: CountField, help: string): Series {
  return { name, kind: 'counter', help, unit: '1', read: (stats) => [[stats[field]]] };
}

function gauge(name: string, field: CountField, help: string, unit: Series['unit'] = '1'): Series {
  return { name, kind: 'gauge', help, unit, read: (stats) => [[stats[field]]] };
}

function ofRemote(
  name: string,
  help: string,
  unit: Series['unit'],
  figure: (remote: RemoteStatus) => number,
): Series {
  const read: Series['read'] = ({ remote }) => (remote === undefined ? [] : [[figure(remote)]]);
  return { ...{ name, kind: 'gauge', help, unit, read }, isOfCache: true };
}

/** Those of a cache. */
export const cacheSeries: readonly Series[] = [
  counter('hits', 'hits', 'Lookups answered with a fresh value'),
  counter('negative_hits', 'negativeHits', 'Hits on a remembered "nothing found"'),
  counter('stale_hits', 'staleHits', 'Calls answered with a stale value'),
  counter('stale_if_errors', 'staleIfErrors', 'Stale hits in place of a load that failed'),
  counter('soft_timeouts', 'softTimeouts', 'Stale hits in place of a load that took longer than softTimeout'),
  counter('misses', 'misses', 'Lookups that found nothing'),
  counter('coalesced', 'coalesced', 'Calls that joined a load under way'),
  counter('loads', 'loads', 'Runs of the tool that returned'),
  counter('load_errors', 'loadErrors', 'Runs of the tool that failed or took longer than hardTimeout'),
  counter('refreshes', 'refreshes', 'Background loads that were begun to refresh a value'),
  counter('error_hits', 'errorHits', 'Calls that were thrown a remembered error'),
  counter('unknown_keys', 'unknownKeys', 'Calls whose key surely does not exist'),
  counter('hard_timeouts', 'hardTimeouts', 'Calls that gave up at hardTimeout'),
  {
    ...{ name: 'rejections', kind: 'counter', unit: '1', label: 'reason' },
    help: 'Loads that a guard refused',
    read: ({ circuitRejections, queueRejections }) => [
      [circuitRejections, 'circuit'],
      [queueRejections, 'queue'],
    ],
  },
  counter('errors', 'cacheErrors', 'Failures of the cache itself; the tool calls went on'),
  counter('uncached', 'uncached', 'Calls that ran their tool without the cache'),
  counter('sets', 'sets', 'Values stored'),
  counter('refused', 'refused', 'Values too large to store'),
  {
    ...{ name: 'removals', kind: 'counter', unit: '1', label: 'reason' },
    help: 'Entries that left memory',
    read: ({ evicted, expired, replaced, invalidated, deletes }) => [
      [evicted, 'evicted'],
      [expired, 'expired'],
      [replaced, 'replaced'],
      [invalidated, 'invalidated'],
      [deletes, 'deleted'],
    ],
  },
  {
    ...{ name: 'saved_seconds', kind: 'counter', unit: 's' },
    help: 'Tool time that was not spent, in seconds',
    read: ({ savedMs }) => [[savedMs / 1000]],
  },
  gauge('entries', 'entries', 'Entries in memory'),
  gauge('bytes', 'bytes', 'Bytes in memory', 'By'),
  gauge('index_bytes', 'indexBytes', 'Bytes that arguments seen lately take, besides the entries', 'By'),
  gauge('running_loads', 'running', 'Loads that hold a permit of concurrency'),
  gauge('queued_loads', 'queued', 'Loads that wait for a permit of concurrency'),
  {
    ...{ name: 'circuit', kind: 'gauge', unit: '1', label: 'state' },
    help: '1 for the state that the circuit breaker is in, 0 for the others',
    read: ({ circuit }) =>
      circuit === undefined
        ? []
        : (['closed', 'half-open', 'open'] as const).map((state) => [Number(state === circuit), state]),
  },
  ofRemote('remote_connected', '1 while calls ask the remote tier, 0 while they go by it', '1', (remote) =>
    Number(remote.isConnected),
  ),
  ofRemote(
    'remote_contact_age_seconds',
    'How long ago all changes of other machines were known',
    's',
    ({ contactAgeMs }) => contactAgeMs / 1000,
  ),
  ofRemote(
    'remote_pending_changes',
    'Changes that the remote tier has not acknowledged',
    '1',
    ({ pendingChanges }) => pendingChanges,
  ),
];

/** What a verification knows of one tool. */
export interface VerificationFigures {
  /** The tool's name. */
  readonly method: string;
  /** Runs whose result could be compared. */
  readonly compared: number;
  /** Those that came to something else. */
  readonly mismatches: number;
  /** Runs that failed. */
  readonly errors: number;
  /** The 95 % confidence interval of `mismatches` of `compared`. */
  readonly interval: readonly [low: number, high: number];
  /** Whether it is never answered from the cache any more. */
  readonly isDemoted: boolean;
}

function verified(
  name: string,
  kind: Series['kind'],
  help: string,
  read: (tool: VerificationFigures) => readonly Figure[],
): Series & { readonly figures: (tool: VerificationFigures) => readonly Figure[] } {
  return { name, kind, help, unit: '1', read: () => [], figures: read };
}

/** Those of a verification. */
export const verifiedSeries = [
  verified('verified', 'counter', 'Hits that were verified by another run of the tool', ({ compared }) => [
    [compared],
  ]),
  verified('mismatches', 'counter', 'Verified hits where the tool said something else', ({ mismatches }) => [
    [mismatches],
  ]),
  verified('verification_errors', 'counter', 'Runs for verification that failed', ({ errors }) => [[errors]]),
  {
    ...verified(
      'mismatch_share',
      'gauge',
      'The share of hits that the tool would answer otherwise, and the bounds of its 95 % confidence interval',
      ({ compared, mismatches, interval: [low, high] }) => [
        ...(compared === 0 ? [] : [[mismatches / compared, 'estimate'] as const]),
        [low, 'low'],
        [high, 'high'],
      ],
    ),
    ...{ label: 'bound', isShare: true },
  },
  verified(
    'demoted',
    'gauge',
    '1 for a tool that is not answered from the cache any more',
    ({ isDemoted }) => [[Number(isDemoted)]],
  ),
] as const satisfies readonly (Series & { readonly figures: unknown })[];

/** What the tiers behind memory hold, which they know without asking others. */
export const tierEntries: Series = {
  ...{ name: 'tier_entries', kind: 'gauge', unit: '1', label: 'tier' },
  help: 'Entries that a tier behind memory knows of and that have not expired',
  read: () => [],
};
export const tierBytes: Series = {
  ...{ name: 'tier_bytes', kind: 'gauge', unit: 'By', label: 'tier' },
  help: 'Bytes of the files of a tier behind memory, of what is overwritten or expired too',
  read: () => [],
};
export const tierSeries: readonly Series[] = [tierEntries, tierBytes];

/** What is read at once. */
export const ownSeries: readonly Series[] = [...cacheSeries, ...verifiedSeries];

/** All of them. */
export const allSeries: readonly Series[] = [...ownSeries, ...tierSeries];

/** A distribution, recorded as things end: it can't be pulled from its percentiles. */
export interface Distribution {
  readonly name: string;
  readonly help: string;
  /** In seconds. */
  readonly buckets: readonly number[];
}

/** Tools take from some milliseconds to a minute. */
export const loadDuration: Distribution = {
  name: 'load_duration_seconds',
  help: 'How long runs of the tool took that returned, in seconds',
  buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
};

/** Memory takes a microsecond, a disk some hundred, Redis a millisecond. */
export const lookupDuration: Distribution = {
  name: 'lookup_duration_seconds',
  help: 'How long a look into a tier took, in seconds: each one behind memory, and of memory some that are tried at each scrape',
  buckets: [1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 1e-4, 2.5e-4, 1e-3, 2.5e-3, 0.01, 0.025, 0.1, 0.25, 1],
};
