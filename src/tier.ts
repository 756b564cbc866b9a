/** The contract of the tiers behind memory, disk and remote: slower, larger, and allowed to fail. */

import type { Clock } from './clock.js';
import type { EntryMetadata } from './entry.js';
import type { CacheError } from './errors.js';
import type { KeyOrigin } from './key/key-origin.js';
import type { ClockOffset, Stamp } from './stamp.js';

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
  /** `true` where its ttl was given for it alone: the ttl of whoever reads it doesn't shorten it. */
  readonly hasOwnTtl?: boolean | undefined;
}

/** An entry as the slower tiers hold it: its value is an encoded msgpack value that they never look into. */
export interface TierRecord extends KeyOrigin {
  /** The entry's key, 32 hex digits. */
  readonly key: string;
  /** The name of the method it belongs to. */
  readonly method: string;
  /** The value: one complete msgpack value. Nobody changes these bytes. */
  readonly encoded: Uint8Array;
  /** When it came, ages and leaves. */
  readonly metadata: TierMetadata;
  /** Decides who is newer. */
  readonly stamp: Stamp;
  /** The tags it is invalidated by. */
  readonly tags?: readonly string[];
}

/** What other processes change of a key while it is loaded. */
export interface LoadWatch {
  /** Whether one of the tags was invalidated by another process since the watch began. */
  isInvalidated(tags: readonly string[] | undefined): boolean;
  /** Ends the watch. */
  end(): void;
}

/**
 * Hears that the key of a load was changed, or cleared with others (`key`), or that a tag was invalidated, which is for
 * the watch to tell once the tags of the value are known.
 */
export type LoadWatchListener = (change: 'key' | 'tag') => void;

/**
 * The right to store in a tier that many machines share what one load comes to. It is void once the key was written,
 * deleted, cleared or evicted there, or the connection was lost: then the result is not stored there.
 */
export interface LoadTicket {
  /** When it was given, by the shared tier's own clock: the stamp of what is loaded under it. */
  readonly stamp: Stamp;
  /** Whether it is known to be void, so that its stamp says nothing any more. */
  readonly isVoid: boolean;
}

/** A load that asks for the lease of its key among those of everybody who shares a tier. */
export interface LoadLeaseRequest extends Pick<TierRecord, 'key' | 'method'> {
  /** Aborted once nobody waits for the load any more. */
  readonly signal: AbortSignal;
  /** Whether another load waits for this one now: two that wait for each other's lease would never end. */
  readonly isNested: boolean;
  /** The entry that it has found already and is to replace: only a newer one is worth looking for again. */
  readonly known: Stamp | undefined;
  /** It loads whatever there is, and whoever loads it: only a `RemoteTier` is asked for such a lease. */
  readonly isForced?: boolean;
}

/** What a load is to do next: `load-alone` where it can't have the lease, or has waited for it in vain. */
export type LeaseVerdict = 'load' | 'load-alone' | 'look-again';

/** The lease of one load: of all who share a tier one loads a key, the others wait for what comes of it. */
export interface LoadLease {
  /**
   * Waits until it is known what this load is to do: `look-again` as another has loaded or written the key meanwhile. If
   * what it finds then won't do, it asks again. Never rejects, and waits for a bounded time.
   */
  next(): Promise<LeaseVerdict>;
  /**
   * What a `RemoteTier` stores the result under, once `next` has said what to do: with `load` the right to, with
   * `load-alone` only the stamp.
   */
  readonly ticket?: LoadTicket | undefined;
  /** The load is over: what it came to was written before, or there is nothing. Never throws. */
  end(): void;
}

/** What `lookupMany` came to for one key: its entry, why it could not be read, or nothing. */
export type LookupOutcome =
  | TierRecord
  | {
      /** Why it could not be read: what `lookup` would have rejected with. */
      readonly failure: unknown;
    }
  | undefined;

/** What every tier must have. */
export const tierMethods = [
  ...(['open', 'lookup', 'write', 'backpressure', 'delete', 'clear', 'invalidateTag', 'isReplaced'] as const),
  ...(['flush', 'close', 'entries'] as const),
] satisfies readonly (keyof SlowTier)[];

/** What a tier holds of one method. */
export interface TierUsage {
  readonly method: string;
  readonly entries: number;
  readonly files: number;
  /** Bytes on disk, of what is overwritten or expired too. */
  readonly bytes: number;
}

/** A tier behind memory. */
export interface SlowTier {
  /** What events and lookups call it. */
  readonly name: 'disk' | 'remote';
  /** Entries it knows of, expired ones included until they are noticed; `undefined` where it would have to count them. */
  readonly size: number | undefined;
  /** @internal What it holds of each method, where it knows that without asking others. */
  usage?(): Promise<readonly TierUsage[]>;
  /** Waits until it is ready; rejects if it can't be. Calling it again waits for the same. */
  open(): Promise<void>;
  /** The newest entry of this key that has not expired. Rejects when it could not be read: an error, not a miss. */
  lookup(key: string, method: string): Promise<TierRecord | undefined>;
  /** `lookup` for many keys, in their order, where that costs less than one by one. */
  lookupMany?(keys: readonly string[], method: string): Promise<readonly LookupOutcome[]>;
  /**
   * Takes an entry in; returns whether it, or a newer one that is known, is kept. Never throws; visible to `lookup` at
   * once; ignored when a newer one is known.
   * @param ticket what was loaded has one, and a `RemoteTier` stores it under one of its own only; without a ticket the
   *   value was set, whatever there was
   * @param replaces the value is no new one: where others have changed what had this stamp, a `RemoteTier` deletes the key
   */
  write(record: TierRecord, ticket?: LoadTicket, replaces?: Stamp): boolean;
  /**
   * When there is room again, for a caller that stores a lot and can wait: a second at most. `undefined` when there is
   * room, or waiting would not help.
   */
  backpressure(): Promise<void> | undefined;
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
  /**
   * Watches a key from the beginning of its load to its end, and tells what arrives of other processes' changes
   * meanwhile, whatever their stamps. Where there are no other processes, there may be no watch.
   */
  watch?(load: Pick<TierRecord, 'key' | 'method'>, onChange: LoadWatchListener): LoadWatch;
  /** Asks for the lease to load a key, after `lookup` has found nothing. Where nobody is to wait for others, there is none. */
  readonly takeLease?: ((load: LoadLeaseRequest) => LoadLease) | undefined;
  /** @internal Takes in at once what other processes have written of a method, where lookups don't find that by themselves. */
  refresh?(method: string): Promise<void>;
  /** Whether it may hold a value of this key. Who can't tell leaves it out. */
  holds?(key: string, method: string): boolean;
  /** Resolves when everything taken in before is written; rejects when the attempt failed (it is kept and tried again). */
  flush(): Promise<void>;
  /** Flushes and releases everything; rejects, having released, when something could not be written. */
  close(): Promise<void>;
  /** All entries that have not expired, at least those of `method` where it is given. What changes meanwhile may or may not be seen. */
  entries(method?: string): AsyncIterable<TierRecord>;
}

/** A key that was set, deleted or renewed. */
export interface KeyChange extends Pick<TierRecord, 'key' | 'method' | 'stamp'> {
  /** What was changed. */
  readonly kind: 'key';
  /** Whether a value of this stamp is there by now, so that only what is older is gone. */
  readonly isSet?: boolean | undefined;
}

/** A method that was cleared, or all of them. */
export interface MethodChange {
  /** What was changed. */
  readonly kind: 'method';
  /** Its name; `undefined` for all. */
  readonly method: string | undefined;
  /** What is not newer is gone. */
  readonly stamp: Stamp;
}

/** A tag that was invalidated. */
export interface TagChange {
  /** What was changed. */
  readonly kind: 'tag';
  /** The tag. */
  readonly tag: string;
  /** What carries the tag and is not newer is void. */
  readonly stamp: Stamp;
}

/** Nobody knows any more what was changed: what was held before counts only once it was confirmed. */
export interface UnknownChange {
  /** What was changed. */
  readonly kind: 'unknown';
}

/** Something that another machine has changed, or that this one has lost track of. */
export type RemoteChange = KeyChange | MethodChange | TagChange | UnknownChange;

/** What a remote tier is given by the cache, and what it tells it. */
export interface RemoteWiring {
  /** Time as the cache has it. */
  readonly clock: Clock;
  /** The id that this cache's stamps carry, 16 hex digits. */
  readonly writer: string;
  /** The folder of the disk tier, where there is one: what must outlive the process may lie there. */
  readonly persistDir: string | undefined;
  /** The newest stamp that this cache has given out or seen. */
  readonly newestStamp: () => Stamp;
  /** Gets every failure that no `lookup` rejects with. */
  readonly onError: (error: CacheError) => void;
  /** Gets stamps from elsewhere, so that this cache's next one is newer. */
  readonly onStamp: (stamp: Stamp) => void;
  /** Hears how the machine's clock stands to the shared one. */
  readonly onClock: (offset: ClockOffset) => void;
  /** Hears what others have changed, before any lookup that begins afterwards. */
  readonly onChange: (change: RemoteChange) => void;
  /** A value that was loaded under a ticket was not stored, since its key was changed meanwhile. */
  readonly onRefused: (record: Pick<TierRecord, 'key' | 'method' | 'stamp'>) => void;
  /** A value that was set has another stamp for all machines than the one that it was given here. */
  readonly onStored: (record: TierRecord, given: Stamp) => void;
  /** Resolves when the tiers between are open, and have written all that they were told of. */
  readonly flushFaster: () => Promise<void>;
}

/** What the disk tier has done since its cache was made. */
export interface DiskStatus {
  /** Times that what waited was written. */
  readonly flushes: number;
  /** Times that this failed: it is tried again. */
  readonly failedFlushes: number;
  /** Entries that were written. */
  readonly writtenEntries: number;
  /** Bytes that this took in files. */
  readonly writtenBytes: number;
  /** Entries that could not be written and were given up. */
  readonly droppedEntries: number;
  /** Damaged files that were set aside. */
  readonly quarantinedFiles: number;
  /** Members that could still be read in those, and were kept. */
  readonly salvagedMembers: number;
  /** Keys that the index holds in memory, deleted ones included. */
  readonly indexedKeys: number;
  /** Failures, each of which was emitted too. */
  readonly errors: number;
}

/** How a remote tier stands now. */
export interface RemoteStatus {
  /** Whether calls ask it at present. */
  readonly isConnected: boolean;
  /** How long ago every change of other machines was known for the last time, in ms; `Infinity` before the first. */
  readonly contactAgeMs: number;
  /** Changes of this machine that it has not acknowledged yet. */
  readonly pendingChanges: number;
  /** Why calls go by it, where they do. */
  readonly problem: string | undefined;
}

/** Texts that processes leave for each other, one each. */
export interface ProcessNotes {
  /** Leaves a text in the place of the one that this process has left before, for so many ms. */
  leave(writer: string, text: string, keepMs: number): Promise<void>;
  /** What all have left that is still to be kept, in no stated order; of very many the latest. */
  read(): Promise<readonly string[]>;
}

/** A tier that many machines share: it says who loads what, and tells what others have changed. */
export interface RemoteTier extends SlowTier {
  readonly name: 'remote';
  /**
   * Asks for the lease to load a key. With `load` its ticket is the right to store the result here, which `end` gives back; while
   * another machine loads it, `next` waits, for a bounded time.
   */
  takeLease(load: LoadLeaseRequest): LoadLease;
  /**
   * Whether a value from memory or disk may be answered at this moment, or a load under way be joined: whether it would have
   * been heard of by now if another machine had changed it.
   *
   * @param knownAt when its load began or it was last confirmed, by `Clock.elapsed()`
   * @param stamp of a value on disk: it may be from before what this process knows of. Left out for memory
   */
  isCurrent(knownAt: number | undefined, stamp?: Stamp): boolean;
  /** How it stands now. Left out where there is no connection to tell of. */
  status?(): RemoteStatus;
  /** @internal Where processes leave texts for each other, besides entries. */
  readonly notes?: ProcessNotes | undefined;
}

/** A remote tier that is yet to be connected: what the option `remote` takes. */
export interface Remote {
  /** Makes the tier of one cache, which connects in the background. */
  connect(wiring: RemoteWiring): RemoteTier;
}
