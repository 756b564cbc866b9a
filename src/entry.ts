/** Entries as callers see them: a value and when it came, ages and leaves. */

/** What is known of an entry besides its value. Times are epoch ms; `null` is never. */
export interface EntryMetadata {
  /** When the value was set or its load finished. */
  readonly createdAt: number;
  /** From when on the value is stale: still there to fall back on, no longer fresh. */
  readonly staleAt: number | null;
  /** From when on the value is not used at all. */
  readonly expiresAt: number | null;
  /** How often it was read. In slower tiers: as of the last write. */
  readonly accessCount: number;
  /** When it was last read or set. In slower tiers: as of the last write. */
  readonly lastAccess: number;
  /** What its load took, in ms; 0 when it was set without a load. */
  readonly loadMs: number;
  /** What it cost by the option `cost`, in the user's own unit. */
  readonly cost?: number | undefined;
  /** `true` where it says "nothing found", by the option `negativeTtl`. */
  readonly isNegative?: boolean | undefined;
}

/** The tiers a value can be found in, fastest first, and a recording that is played back. */
export type TierName = 'memory' | 'disk' | 'remote' | 'recording';

/**
 * Why an entry left a store.
 *
 * - `evict`: its room was needed
 * - `expire`: its time was over
 * - `invalidate`: another node or a tag said so
 * - `delete`: the caller deleted it
 * - `replace`: a newer entry took its place
 * - `refuse`: its overwrite was too large to store, so the older value had to go too
 * - `clear`: the whole store, or its method, was cleared
 */
export type RemovalReason = 'evict' | 'expire' | 'invalidate' | 'delete' | 'replace' | 'refuse' | 'clear';
