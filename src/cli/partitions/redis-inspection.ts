/** What a cache in Redis holds, counted as `inspect` shows it. */

import { hashMethod } from '../../persistence/format/partition-name.js';
import type { MethodInspection } from '../../persistence/offline/inspection.js';
import type { TierRecord } from '../../tier.js';
import type { InspectTotals } from './inspect-report.js';

/** The methods, those with most bytes of values first, and their sum. */
export interface RedisInspection {
  readonly methods: readonly MethodInspection[];
  readonly totals: InspectTotals;
}

const nothing = {
  ...{ partitions: 0, members: 0, values: 0, deletions: 0, markers: 0, expired: 0, bytes: 0 },
  ...{ oldest: undefined, newest: undefined },
};

/** Counts entries. Their bytes are those of their values, uncompressed and without keys. */
export async function inspectRecords(records: AsyncIterable<TierRecord>): Promise<RedisInspection> {
  const methods = new Map<string, MethodInspection>();
  let totals: InspectTotals = { ...nothing, damage: 0 };
  for await (const record of records) {
    const { method } = record;
    const known = methods.get(method) ?? { ...nothing, method, methodHash: hashMethod(method) };
    methods.set(method, counted(known, record));
    totals = counted(totals, record);
  }
  return { methods: [...methods.values()].sort((one, other) => other.bytes - one.bytes), totals };
}

type Counts = Pick<InspectTotals, 'values' | 'bytes' | 'oldest' | 'newest'>;

function counted<T extends Counts>(counts: T, { encoded, metadata, stamp }: TierRecord): T {
  const at = stamp.time === 0 ? metadata.createdAt : stamp.time / 1_000;
  return {
    ...counts,
    values: counts.values + 1,
    bytes: counts.bytes + encoded.length,
    oldest: Math.min(counts.oldest ?? at, at),
    newest: Math.max(counts.newest ?? at, at),
  };
}

/** What `inspect --redis --json` prints: epoch ms, and what is not known is `null`. */
export function redisInspectionJson(name: string, { methods, totals }: RedisInspection): object {
  const shown = ({ values, bytes, oldest, newest }: Counts) => ({
    values,
    bytes,
    oldest: oldest ?? null,
    newest: newest ?? null,
  });
  return {
    redis: name,
    ...shown(totals),
    methods: methods.map((each) => ({ method: each.method, ...shown(each) })),
  };
}
