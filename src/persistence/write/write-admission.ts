/** What is taken in to be written: nothing twice, and no more than memory has room for; what is given up is counted. */

import { CacheError } from '../../errors.js';
import { compareStamps, justBefore, type Stamp } from '../../stamp.js';
import type { TierRecord } from '../../tier.js';
import type { ResolvedDiskOptions } from '../disk-options.js';
import { isEntryKey } from '../format/member-body.js';
import { hashMethod } from '../format/partition-name.js';
import type { RangeTombstone, TombstoneScope } from '../format/tombstone.js';

import type { PartitionIndex } from '../index/partition-index.js';
import type { FlushScheduler } from './flush-scheduler.js';
import type { BufferedEntry } from './write-buffer.js';

/** What write admission works with. */
export interface WriteAdmissionInit {
  readonly options: Pick<ResolvedDiskOptions, 'maxPendingBytes' | 'maxMemberBytes'>;
  readonly flushes: FlushScheduler;
  /** The index: another one after a full load. */
  readonly index: () => PartitionIndex;
  /** Whether the index is whole: until then what it knows is from before all that is taken in, whatever its stamp. */
  readonly isOpen: () => boolean;
  readonly onError: (error: CacheError) => void;
}

/** What key, metadata and msgpack heads add to a value in its member. */
const entrySlack = 512;

export class WriteAdmission {
  readonly #init: WriteAdmissionInit;
  #dropped = 0;

  constructor(init: WriteAdmissionInit) {
    this.#init = init;
  }

  /** Entries that could not be written and were given up. */
  get droppedEntries(): number {
    return this.#dropped;
  }

  /** Takes a value in; tells whether it, or what is known already and not older, is kept. */
  write(record: TierRecord): boolean {
    const { key, method, stamp } = record;
    if (!this.#isKey(key)) return false;
    const entry: BufferedEntry = { kind: 'value', key, method, record, stamp };
    if (!this.#isNew(entry)) return true;
    const refusal = this.#refusalOf(entry);
    if (refusal === undefined) this.#init.flushes.put(entry);
    else this.#drop(entry, refusal);
    return refusal === undefined;
  }

  delete(key: string, method: string, stamp: Stamp): void {
    if (this.#isKey(key)) this.#put({ kind: 'tombstone', key, method, stamp });
  }

  clear(method: string | undefined, stamp: Stamp): void {
    const scope: TombstoneScope = method === undefined ? { kind: 'all' } : { kind: 'method', method };
    this.#putTombstone({ scope, stamp });
    this.#init.flushes.drop((entry) => {
      const isOlder = compareStamps(entry.stamp, stamp) <= 0;
      return isOlder && (method === undefined || entry.method === method);
    });
  }

  invalidateTag(tag: string, stamp: Stamp): void {
    this.#putTombstone({ scope: { kind: 'tag', tag }, stamp });
  }

  /**
   * Makes what was taken in before the folder was read newer than what lies there, where that is from the future: a
   * clock was set back, or is behind the one of another node. Returns the newest stamp then, if that took anything.
   */
  rebaseStamps(now: number): Stamp | undefined {
    const { flushes, index } = this.#init;
    const { newest } = index();
    if (newest === undefined || newest.time < (now + 1) * 1_000) return undefined;
    const stamp = flushes.rebaseStamps(newest);
    if (stamp !== undefined) for (const marker of flushes.tombstones()) index().addTombstone(marker);
    return stamp;
  }

  /** Counts what still waits as given up: nobody will write it any more. */
  dropRest(): void {
    for (const { kind } of this.#init.flushes.entries().values()) if (kind === 'value') this.#dropped += 1;
  }

  /** Whether an entry is not known already. */
  #isNew(entry: BufferedEntry): boolean {
    const { key, stamp, method } = entry;
    const waiting = this.#init.flushes.find(key)?.stamp;
    if (waiting !== undefined && compareStamps(waiting, stamp) >= 0) return false;
    if (!this.#init.isOpen()) return true;
    const index = this.#init.index();
    const known = index.stampOf(key);
    const order = known === undefined ? -1 : compareStamps(known, stamp);
    if (order !== 0) return order < 0;
    // One and the same. It is written again only where its place was lost, or lies in a file that was but given.
    const methodHash = hashMethod(method);
    return !index.isCleared(methodHash, stamp) && index.find(key, methodHash)?.file.isReadOnly !== false;
  }

  /** Why a value can't be kept; `undefined` when it can. */
  #refusalOf(entry: BufferedEntry & { kind: 'value' }): string | undefined {
    const { options, flushes } = this.#init;
    const { maxMemberBytes, maxPendingBytes } = options;
    const { encoded, encodedParams } = entry.record;
    if (encoded.length + (encodedParams?.length ?? 0) > maxMemberBytes - entrySlack) {
      return `it takes more than \`maxMemberBytes\` (${maxMemberBytes})`;
    }
    // One may always wait: else the largest could never be written.
    if (flushes.bytes === 0 || flushes.bytesWith(entry) <= maxPendingBytes) return undefined;
    const reason = flushes.isFailing ? 'while writing fails' : 'as writing is slower than what comes in';
    return `\`maxPendingBytes\` (${maxPendingBytes}) wait already ${reason}`;
  }

  /**
   * Gives a value up. What it would have replaced is deleted: it is not the newest any more. The deletion is a little
   * older than the value, which so can be brought in again.
   */
  #drop(entry: BufferedEntry, reason: string): void {
    const { key, method, stamp } = entry;
    this.#dropped += 1;
    const older = this.#init.flushes.find(key)?.stamp ?? this.#init.index().stampOf(key);
    if (older !== undefined) {
      const before = justBefore(stamp);
      this.#put({ kind: 'tombstone', key, method, stamp: compareStamps(older, before) < 0 ? before : stamp });
    }
    this.#init.onError(
      new CacheError('ERR_STORAGE', `The entry ${key} of ${method} is not kept on disk: ${reason}`),
    );
  }

  #isKey(key: string): boolean {
    if (isEntryKey(key)) return true;
    this.#init.onError(
      new CacheError('ERR_INVALID_ARGUMENT', `Expected a key of 32 hex digits, got \`${key}\``),
    );
    return false;
  }

  #put(entry: BufferedEntry): void {
    const { flushes, isOpen, index } = this.#init;
    const known = flushes.find(entry.key)?.stamp ?? (isOpen() ? index().stampOf(entry.key) : undefined);
    if (known === undefined || compareStamps(known, entry.stamp) <= 0) flushes.put(entry);
  }

  #putTombstone(marker: RangeTombstone): void {
    this.#init.index().addTombstone(marker);
    this.#init.flushes.putTombstone(marker);
  }
}
