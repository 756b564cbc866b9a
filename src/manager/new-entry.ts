/** How a value becomes an entry of memory and a record of the slower tiers. */

import type { Stamp } from '../stamp.js';
import { entryBytes, MemoryEntry } from '../store/memory-entry.js';
import type { TierMetadata, TierRecord } from '../tier.js';
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
  const validUntil = staleAt === null ? null : staleAt + terms.staleFor;
  return new MemoryEntry({
    ...{ key, method, kept, loadMs, stamp, tags, idleMs, cost, isNegative, staleAt, validUntil },
    bytes: entryBytes(bytes, tags),
    createdAt: now,
    expiresAt: inMemoryUntil(validUntil, now, memoryTtl),
  });
}

/** The record of the same value: slower tiers keep it for its whole ttl, but hear of no hits that extend it. */
export function newRecord(entry: MemoryEntry, encoded: Uint8Array, { idleMs, staleFor }: Terms): TierRecord {
  const { key, method, stamp, tags, createdAt, accessCount, lastAccess, loadMs, cost, isNegative } = entry;
  const times = lifeOf(entry, { idleMs, staleFor });
  const metadata = { ...times, createdAt, accessCount, lastAccess, loadMs, cost, isNegative };
  return { key, method, encoded, stamp, metadata, ...(tags && { tags }) };
}

/** How long a record lives, and how long it may once it is read. */
function lifeOf(
  { createdAt, staleAt }: MemoryEntry,
  { idleMs, staleFor }: Pick<Terms, 'idleMs' | 'staleFor'>,
): Pick<TierMetadata, 'staleAt' | 'expiresAt' | 'sliding'> {
  if (staleAt === null) return { staleAt, expiresAt: null };
  const expiresAt = staleAt + staleFor;
  if (idleMs === 0) return { staleAt, expiresAt };
  const idleAt = createdAt + idleMs;
  return {
    staleAt: Math.min(staleAt, idleAt),
    expiresAt: Math.min(expiresAt, idleAt),
    sliding: { idleMs, staleAt, expiresAt },
  };
}

/** A record brought into memory, where it stays for `memoryTtl` at most. It has not been used yet. */
export function entryFrom(
  record: TierRecord,
  { keeper, now, memoryTtl }: { keeper: ValueKeeper; now: number; memoryTtl: number | undefined },
): MemoryEntry {
  const { kept, bytes } = keeper.adopt(record.encoded);
  const { key, method, stamp, tags, metadata } = record;
  const { idleMs, staleAt, expiresAt } = { idleMs: 0, ...metadata, ...metadata.sliding };
  return new MemoryEntry({
    ...metadata,
    ...{ key, method, stamp, tags, kept, idleMs, staleAt, validUntil: expiresAt },
    expiresAt: inMemoryUntil(expiresAt, now, memoryTtl),
    bytes: entryBytes(bytes, tags),
  });
}

function inMemoryUntil(expiresAt: number | null, now: number, memoryTtl: number | undefined): number | null {
  if (memoryTtl === undefined) return expiresAt;
  return expiresAt === null ? now + memoryTtl : Math.min(expiresAt, now + memoryTtl);
}
