/** The entry of the memory tier, and what it weighs. */

import type { Clock } from '../clock.js';
import type { EntryMetadata } from '../entry.js';
import type { KeyOrigin } from '../key/key-origin.js';
import type { Stamp } from '../stamp.js';
import { binaryOverhead, stringBytes } from '../value/heap-size.js';
import type { Grouped, MethodGroup } from './method-groups.js';
import type { StoreEntry } from './store.js';

/**
 * Bytes an entry takes besides its value: key string, entry and stamp objects, the store's node and map slot.
 * Measured: a mean over the built-in stores, which differ by less than a tenth of it.
 */
export const ENTRY_OVERHEAD = 415;

/** An object of some fields. */
const originOverhead = 56;

/** Bytes to charge for an entry: `valueBytes` of its value, plus overhead, tags and what is kept of its key's origin. */
export function entryBytes(valueBytes: number, tags?: readonly string[], origin?: KeyOrigin): number {
  let bytes = ENTRY_OVERHEAD + valueBytes;
  // An array slot and a string each.
  if (tags) for (const tag of tags) bytes += 8 + stringBytes(tag);
  if (origin) {
    bytes += originOverhead + (origin.encodedParams ? binaryOverhead + origin.encodedParams.byteLength : 0);
    for (const text of [origin.scope, origin.version, origin.task, origin.rollout])
      if (typeof text === 'string') bytes += stringBytes(text);
  }
  return bytes;
}

/** What a `MemoryEntry` is made from. */
export interface MemoryEntryInit extends Omit<EntryMetadata, 'accessCount' | 'lastAccess'> {
  readonly key: string;
  readonly method: string;
  /** The value as the value keeper keeps it. */
  readonly stored: unknown;
  /** See `entryBytes`. */
  readonly bytes: number;
  readonly stamp: Stamp;
  readonly tags?: readonly string[] | undefined;
  /** What its key was made from, where that is kept. */
  readonly origin?: KeyOrigin | undefined;
  /** @default expiresAt */
  readonly validUntil?: number | null | undefined;
  /** @default 0 (no limit) */
  readonly idleMs?: number | undefined;
  readonly cost?: number | undefined;
  /** @default false */
  readonly isNegative?: boolean | undefined;
  /** @default false */
  readonly hasOwnTtl?: boolean | undefined;
  /** @default 0 */
  readonly accessCount?: number | undefined;
  /** @default createdAt */
  readonly lastAccess?: number | undefined;
  /** When it was created by `Clock.elapsed()`; without it, the wall clock alone tells its age. */
  readonly createdElapsed?: number | undefined;
}

/** A cached value in memory and all that is known of it. A class, so that all entries share one object shape. */
export class MemoryEntry implements StoreEntry, EntryMetadata, Grouped<MemoryEntry> {
  readonly key: string;
  readonly method: string;
  /** The value as the value keeper keeps it; only the keeper reads it. */
  readonly stored: unknown;
  readonly bytes: number;
  readonly createdAt: number;
  readonly staleAt: number | null;
  /** When it leaves memory. */
  readonly expiresAt: number | null;
  /** From when on the value is not used at all; memory may let go of it sooner. */
  readonly validUntil: number | null;
  readonly loadMs: number;
  /** Made newer where other machines know the value by a newer one. */
  stamp: Stamp;
  readonly tags: readonly string[] | undefined;
  /** What its key was made from, where that is kept. One with a copy of the params gives way to one that shares them. */
  origin: KeyOrigin | undefined;
  /** How long it may go unread, in ms; 0 is no limit. */
  readonly idleMs: number;
  readonly cost: number | undefined;
  /** Whether it says "nothing found". */
  readonly isNegative: boolean;
  /** Whether its ttl was given for it alone, rather than by its method's options. */
  readonly hasOwnTtl: boolean;
  accessCount: number;
  lastAccess: number;
  readonly createdElapsed: number | undefined;
  /** Its place in the memory tier's expiry ring, -1 outside. The ring's alone to change. */
  slot = -1;
  group: MethodGroup<MemoryEntry> | undefined = undefined;
  place = -1;

  constructor(init: MemoryEntryInit) {
    this.key = init.key;
    this.method = init.method;
    this.stored = init.stored;
    this.bytes = init.bytes;
    this.createdAt = init.createdAt;
    this.staleAt = init.staleAt;
    this.expiresAt = init.expiresAt;
    this.validUntil = init.validUntil === undefined ? init.expiresAt : init.validUntil;
    this.loadMs = init.loadMs;
    this.stamp = init.stamp;
    this.tags = init.tags;
    this.origin = init.origin;
    this.idleMs = init.idleMs ?? 0;
    this.cost = init.cost;
    this.isNegative = init.isNegative ?? false;
    this.hasOwnTtl = init.hasOwnTtl ?? false;
    this.accessCount = init.accessCount ?? 0;
    this.lastAccess = init.lastAccess ?? init.createdAt;
    this.createdElapsed = init.createdElapsed;
  }

  /** Whether it was cleared with its method, and the store has only not let go of it yet. */
  get isCleared(): boolean {
    return this.group?.isCleared === true;
  }

  /** When its tool was called, by `Clock.elapsed()`: what others have changed since, it may not know. */
  get knownElapsed(): number | undefined {
    return this.createdElapsed === undefined ? undefined : this.createdElapsed - this.loadMs;
  }

  /** Counts a use. */
  touch(now: number): void {
    this.accessCount += 1;
    this.lastAccess = now;
  }

  /**
   * The present as it concerns this entry: wall time, but at least its creation and the time that has passed since. It
   * may have been created while the machine's clock was ahead.
   */
  now(clock: Clock): number {
    const now = clock.now();
    if (this.createdElapsed === undefined) return now;
    return Math.max(now, this.createdAt + (clock.elapsed() - this.createdElapsed));
  }

  /** Whether the entry is no longer to be used. @param now from `now(clock)` */
  isExpired(now: number): boolean {
    if (this.expiresAt === null) return false;
    return now >= this.expiresAt || (this.idleMs > 0 && now - this.lastAccess >= this.idleMs);
  }
}
