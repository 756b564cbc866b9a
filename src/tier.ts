/** The contract of the tiers behind memory, disk and remote: slower, larger, and allowed to fail. */

import type { EntryMetadata } from './entry.js';
import type { Stamp } from './stamp.js';

/** How far hits may move the expiry of an entry that slides. */
export interface Sliding {
  /** How long it may go unread, in ms. */
  readonly idleMs: number;
  /** From when on it is stale however often it is read, epoch ms. */
  readonly staleAt: number;
  /** From when on it is not used at all however often it is read, epoch ms. */
  readonly expiresAt: number;
}

/** What the slower tiers know of an entry besides its value, as of its last write: a hit rewrites nothing. */
export interface TierMetadata extends EntryMetadata {
  /** Where it slides. `staleAt` and `expiresAt` are then those of an entry that nobody reads. */
  readonly sliding?: Sliding | undefined;
}

/** An entry as the slower tiers hold it: its value is an encoded msgpack value that they never look into. */
export interface TierRecord {
  /** The entry's key, 32 hex digits. */
  readonly key: string;
  /** The name of the method it belongs to. */
  readonly method: string;
  /** The value: one complete msgpack value. Nobody changes these bytes. */
  readonly encoded: Uint8Array;
  readonly metadata: TierMetadata;
  /** Decides who is newer. */
  readonly stamp: Stamp;
  /** The tags it is invalidated by. */
  readonly tags?: readonly string[];
  /** The params, as one complete msgpack value, if they are to be kept. */
  readonly encodedParams?: Uint8Array;
}

/** A tier behind memory. */
export interface SlowTier {
  readonly name: 'disk' | 'remote';
  /** Entries it knows of, expired ones included until they are noticed. */
  readonly size: number;
  /** Waits until it is ready; rejects if it can't be. Calling it again waits for the same. */
  open(): Promise<void>;
  /** The newest entry of this key that has not expired. Rejects when it could not be told: an error, no miss. */
  lookup(key: string, method: string): Promise<TierRecord | undefined>;
  /**
   * Takes an entry in; tells whether it, or a newer one that is known, is kept. Never throws; visible to `lookup` at
   * once; ignored when a newer one is known.
   */
  write(record: TierRecord): boolean;
  /**
   * When there is room again, for a caller that stores a lot and can wait: a second at most. `undefined` when there is
   * room, or waiting would not help.
   */
  room(): Promise<void> | undefined;
  /** Deletes a key as of `stamp`. */
  delete(key: string, method: string, stamp: Stamp): void;
  /** Deletes all entries of a method, or all there are, as of `stamp`. */
  clear(method: string | undefined, stamp: Stamp): void;
  /** Deletes all entries that carry the tag, as of `stamp`. */
  invalidateTag(tag: string, stamp: Stamp): void;
  /**
   * Whether it knows of something newer than an entry: another value, a deletion, a clearing of the method, the
   * invalidation of a tag.
   */
  isReplaced(
    entry: Pick<TierRecord, 'key' | 'method' | 'stamp'> & { tags?: readonly string[] | undefined },
  ): boolean;
  /** Resolves when everything taken in before is written; rejects when the attempt failed (it is kept and tried again). */
  flush(): Promise<void>;
  /** Flushes and releases everything; rejects, having released, when something could not be written. */
  close(): Promise<void>;
  /** All entries that have not expired. What changes meanwhile may or may not be seen. */
  entries(): AsyncIterable<TierRecord>;
}
