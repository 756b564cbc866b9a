/** How a value becomes an entry of memory and a record of the slower tiers. */

import type { Stamp } from '../stamp.js';
import { entryBytes, MemoryEntry } from '../store/memory-entry.js';
import type { TierRecord } from '../tier.js';
import type { ValueKeeper } from '../value/value-keeper.js';
import type { Terms } from './terms.js';

/** A value on its way in. */
export interface Incoming {
  readonly kept: unknown;
  /** Bytes of the value alone. */
  readonly bytes: number;
  readonly loadMs: number;
  readonly terms: Terms;
  /** Of the moment its load began; none for a value that was set. */
  readonly began: Stamp | undefined;
}

/** The entry of a value in memory. */
export function newEntry(
  { kept, bytes, loadMs, terms }: Incoming,
  place: { readonly key: string; readonly method: string; readonly stamp: Stamp; readonly now: number },
): MemoryEntry {
  const { key, method, stamp, now } = place;
  const { tags, idleMs, cost, isNegative, memoryTtl } = terms;
  const staleAt = terms.ttl === null ? null : now + terms.ttl;
  return new MemoryEntry({
    ...{ key, method, kept, loadMs, stamp, tags, idleMs, cost, isNegative, staleAt },
    bytes: entryBytes(bytes, tags),
    createdAt: now,
    expiresAt: inMemoryUntil(staleAt === null ? null : staleAt + terms.staleFor, now, memoryTtl),
  });
}

/** The record of the same value: slower tiers keep it for its whole ttl, but hear of no hits that extend it. */
export function newRecord(entry: MemoryEntry, encoded: Uint8Array, { idleMs, staleFor }: Terms): TierRecord {
  const { key, method, stamp, tags, createdAt, accessCount, lastAccess, loadMs } = entry;
  const idleAt = idleMs > 0 ? createdAt + idleMs : Infinity;
  const staleAt = entry.staleAt === null ? null : Math.min(entry.staleAt, idleAt);
  const expiresAt = entry.staleAt === null ? null : Math.min(entry.staleAt + staleFor, idleAt);
  const metadata = { createdAt, staleAt, expiresAt, accessCount, lastAccess, loadMs };
  return { key, method, encoded, stamp, metadata, ...(tags && { tags }) };
}

/** A record brought into memory, where it stays for `memoryTtl` at most. */
export function entryFrom(
  record: TierRecord,
  { keeper, now, memoryTtl }: { keeper: ValueKeeper; now: number; memoryTtl: number | undefined },
): MemoryEntry {
  const { kept, bytes } = keeper.adopt(record.encoded);
  const { key, method, stamp, tags, metadata } = record;
  const expiresAt = inMemoryUntil(metadata.expiresAt, now, memoryTtl);
  return new MemoryEntry({
    ...metadata,
    ...{ key, method, stamp, tags, kept, expiresAt },
    bytes: entryBytes(bytes, tags),
  });
}

function inMemoryUntil(expiresAt: number | null, now: number, memoryTtl: number | undefined): number | null {
  if (memoryTtl === undefined) return expiresAt;
  return expiresAt === null ? now + memoryTtl : Math.min(expiresAt, now + memoryTtl);
}
