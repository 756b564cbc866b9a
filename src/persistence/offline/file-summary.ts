/** What partition files hold, counted. */

import type { PartitionDamagedError, TooLargeError } from '../disk-errors.js';
import { plainEntries } from '../format/member-body.js';
import { entryKind, headerEntries, type MemberHeader } from '../format/member-header.js';
import { hashMethod } from '../format/partition-name.js';

/** What is known of one file. */
export interface FileInspection {
  readonly path: string;
  /** The method's name; `undefined` where the file does not tell it. */
  readonly method: string | undefined;
  readonly methodHash: string | undefined;
  readonly day: string | undefined;
  readonly isPlain: boolean;
  readonly bytes: number;
  readonly members: number;
  /** Values, deletions and markers written in it, overwritten ones included. */
  readonly values: number;
  readonly deletions: number;
  readonly markers: number;
  /** Values whose time is over. */
  readonly expired: number;
  /** The first and last stamp, as epoch ms; `undefined` in an empty file. */
  readonly oldest: number | undefined;
  readonly newest: number | undefined;
  /** Bytes of an incomplete member at the end. */
  readonly tailBytes: number;
  readonly damage: readonly PartitionDamagedError[];
  /** Members that were not read, as they are larger than `maxMemberBytes`: that is no damage. */
  readonly unread: readonly TooLargeError[];
  /** Why the file could not be read, which says nothing about what it holds. */
  readonly unreadable?: string;
}

/** What is known of one method's files together. */
export interface MethodInspection {
  readonly method: string | undefined;
  readonly methodHash: string | undefined;
  readonly partitions: number;
  readonly members: number;
  readonly values: number;
  readonly deletions: number;
  readonly markers: number;
  readonly expired: number;
  readonly bytes: number;
  readonly oldest: number | undefined;
  readonly newest: number | undefined;
}

/** Counts what a file holds. */
export class FileSummary {
  method: string | undefined;
  methodHash: string | undefined;
  members = 0;
  values = 0;
  deletions = 0;
  markers = 0;
  expired = 0;
  oldest: number | undefined;
  newest: number | undefined;
  readonly damage: PartitionDamagedError[] = [];
  readonly unread: TooLargeError[] = [];
  readonly #now: number;

  constructor(now: number) {
    this.#now = now;
  }

  add(header: MemberHeader): void {
    this.members += 1;
    this.methodHash ??= header.methodHash;
    if (header.method !== undefined && hashMethod(header.method) === this.methodHash)
      this.method ??= header.method;
    for (const { kind, stampTime, expiresAt } of headerEntries(header)) {
      this.#note(stampTime / 1_000);
      if (kind === entryKind.tombstone) this.deletions += 1;
      else if (kind !== entryKind.value) this.markers += 1;
      else this.#addValue(expiresAt);
    }
  }

  addPlain(body: Buffer): void {
    this.members += 1;
    for (const { entry } of plainEntries(body)) {
      if (entry.kind !== 'value') continue;
      this.method ??= entry.method;
      this.#note(entry.metadata.createdAt);
      this.#addValue(entry.metadata.expiresAt);
    }
  }

  #addValue(expiresAt: number | null): void {
    this.values += 1;
    if (expiresAt !== null && expiresAt <= this.#now) this.expired += 1;
  }

  #note(epochMs: number): void {
    this.oldest = Math.min(this.oldest ?? epochMs, epochMs);
    this.newest = Math.max(this.newest ?? epochMs, epochMs);
  }
}

/** The files of each method together, the largest first. */
export function byMethod(files: readonly FileInspection[]): MethodInspection[] {
  const methods = new Map<string, MethodInspection>();
  for (const file of files) {
    const id = file.methodHash ?? file.path;
    const { method, methodHash, members, values, deletions, markers, expired, bytes, oldest, newest } = file;
    const known = methods.get(id);
    if (known === undefined) {
      methods.set(id, {
        method,
        methodHash,
        partitions: 1,
        members,
        values,
        deletions,
        markers,
        expired,
        bytes,
        oldest,
        newest,
      });
      continue;
    }
    methods.set(id, {
      method: known.method ?? method,
      methodHash,
      partitions: known.partitions + 1,
      members: known.members + members,
      values: known.values + values,
      deletions: known.deletions + deletions,
      markers: known.markers + markers,
      expired: known.expired + expired,
      bytes: known.bytes + bytes,
      oldest: least(known.oldest, oldest),
      newest: most(known.newest, newest),
    });
  }
  return [...methods.values()].sort((one, other) => other.bytes - one.bytes);
}

function least(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
}

function most(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.max(one, other);
}
