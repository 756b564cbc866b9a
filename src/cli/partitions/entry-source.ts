/** Where entries are read from: partition files, or a cache in Redis. */

import type { CacheError } from '../../index.js';
import { exportFiles, getFromFiles } from '../../persistence/offline/inspection.js';
import { printable } from '../../report/format.js';
import type { ProcessNotes, TierRecord } from '../../tier.js';
import { type RedisFlags, redisOptionsOf } from '../redis-place.js';
import { UsageError } from '../usage-error.js';

/** A place that entries are read from. */
export interface EntrySource {
  get(key: string, method: string): Promise<TierRecord | undefined>;
  /** All fresh entries. */
  entries(): AsyncIterable<TierRecord>;
}

/** The same in Redis, where entries can be stored and deleted too. */
export interface RedisSource extends EntrySource {
  /** Which Redis it is, for people. */
  readonly name: string;
  readonly notes: ProcessNotes;
  /** Whether it was stored: what is newer stays. */
  import(record: TierRecord): Promise<boolean>;
  delete(key: string, method: string): Promise<void>;
}

/** Partition files. */
export function filesSource(paths: readonly string[], onError: (error: CacheError) => void): EntrySource {
  return {
    get: (key, method) => getFromFiles(paths, { method, key }, { onError }),
    entries: () => exportFiles(paths, { onError }),
  };
}

/**
 * Does something with the cache in Redis that the flags name.
 *
 * @throws UsageError where there is a path besides
 */
export async function withRedis<T>(
  flags: RedisFlags & { readonly writes?: boolean },
  onError: (error: CacheError) => void,
  use: (source: RedisSource) => Promise<T>,
): Promise<T> {
  const { RedisTools } = await import('../../remote/redis-tools.js');
  const tools = new RedisTools({
    options: redisOptionsOf(flags),
    writes: flags.writes === true,
    onError,
  });
  try {
    await tools.open();
    return await use({
      name: printable(tools.name),
      notes: tools.notes,
      get: async (key, method) => fresh(await tools.get(key, method)),
      entries: () => freshOnes(tools.entries()),
      import: (record) => tools.import(record),
      delete: (key, method) => tools.delete(key, method),
    });
  } finally {
    tools.close();
  }
}

/** @throws UsageError where `--redis` is given, and paths besides */
export function assertNoPaths(paths: readonly string[]): void {
  if (paths.length <= 1) return;
  throw new UsageError(`Expected --redis or paths, got both: leave out ${printable(paths.at(-1) ?? '')}`);
}

function fresh(record: TierRecord | undefined): TierRecord | undefined {
  const { expiresAt = null } = record?.metadata ?? {};
  return expiresAt !== null && expiresAt <= Date.now() ? undefined : record;
}

async function* freshOnes(records: AsyncIterable<TierRecord>): AsyncGenerator<TierRecord> {
  for await (const record of records) if (fresh(record) !== undefined) yield record;
}
