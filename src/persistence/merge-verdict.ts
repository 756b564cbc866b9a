/** What becomes of each entry of some partitions: the newest of every key stays, unless there is reason to drop it. */

import { compareStamps, type Stamp } from '../stamp.js';
import { KeyTable } from './key-table.js';
import { entryKind, type MemberHeader, writerOf } from './partition-codec.js';

/** What a merge asks of the rest of the cache. */
export interface MergeRules {
  /** Epoch ms. */
  readonly now: number;
  /** Whether a newer entry of the key is known elsewhere. */
  readonly isOverwritten: (key: string, stamp: Stamp) => boolean;
  /** Whether a marker covers the entries of this method as of the stamp. */
  readonly isCleared: (methodHash: string, stamp: Stamp) => boolean;
  /** Whether a marker is of no use any more, since one that is not older is known elsewhere. */
  readonly isMarkerKnown: (kind: number, key: string, stamp: Stamp) => boolean;
  /** Whether a deletion has to stay, because older entries may come up that it covers. */
  readonly keepsDeletion: (stamp: Stamp) => boolean;
  /** The same, in the place of a value that is dropped for lack of room or for its age. */
  readonly keepsDroppedKey: (stamp: Stamp) => boolean;
  /** Tells of an invalidated tag; `undefined` when there are none, which spares looking into the values. */
  readonly isTagInvalid: ((tag: string, stamp: Stamp) => boolean) | undefined;
  /** The share of the values to drop, oldest first: 0 to 1. */
  readonly dropShare: number;
}

/** How many entries went which way. */
export interface DropCounts {
  /** A newer one of the key is there. */
  overwritten: number;
  /** Their method was cleared, or one of their tags invalidated. */
  cleared: number;
  expired: number;
  /** The bounds on age and bytes left no room for them. */
  aged: number;
  /** Deletions and markers that have nothing left to cover. */
  deletions: number;
}

export const verdict = { drop: 0, keep: 1, bury: 2 } as const;

/** Clocks may disagree by as much, and what one holds for expired another has just written. */
export const expiryGrace = 7_200_000;

/** Entries of all members in a row, and what becomes of each. */
export class MergeVerdicts {
  readonly counts: DropCounts = { overwritten: 0, cleared: 0, expired: 0, aged: 0, deletions: 0 };
  readonly #rules: MergeRules;
  readonly #members: readonly MemberHeader[];
  readonly #starts: number[] = [];
  readonly #verdicts: Uint8Array;

  constructor(members: readonly MemberHeader[], rules: MergeRules) {
    this.#rules = rules;
    this.#members = members;
    let total = 0;
    for (const { entries } of members) {
      this.#starts.push(total);
      total += entries.count;
    }
    this.#verdicts = new Uint8Array(total);
    this.#chooseNewest();
    this.#judge();
    if (rules.dropShare > 0) this.#dropOldest();
  }

  /** Entries of all members together. */
  get size(): number {
    return this.#verdicts.length;
  }

  of(member: number, entry: number): number {
    return this.#verdicts[this.#starts[member]! + entry]!;
  }

  /** What a value comes to that is no more: a deletion, or nothing where nothing is left to cover. */
  buried(stamp: Stamp): number {
    return this.#rules.keepsDeletion(stamp) ? verdict.bury : verdict.drop;
  }

  #chooseNewest(): void {
    const keys = new KeyTable();
    const newest: { ordinal: number; stamp: Stamp }[] = [];
    const markers = new Map<string, { ordinal: number; stamp: Stamp }>();
    this.#members.forEach((header, member) => {
      for (let entry = 0; entry < header.entries.count; entry += 1) {
        const candidate = { ordinal: this.#starts[member]! + entry, stamp: stampOf(header, entry) };
        const kind = kindOf(header, entry);
        let known: { ordinal: number; stamp: Stamp } | undefined;
        if (kind > entryKind.deletion) {
          const id = `${kind}:${keyOf(header, entry)}`;
          known = markers.get(id);
          if (isNewer(candidate, known)) markers.set(id, candidate);
        } else {
          const number = keys.add(header.entries.words, header.entries.at(entry));
          known = newest[number];
          if (isNewer(candidate, known)) newest[number] = candidate;
        }
        const loser = known === undefined ? undefined : isNewer(candidate, known) ? known : candidate;
        if (loser !== undefined) this.counts.overwritten += 1;
        if (loser !== undefined) this.#verdicts[loser.ordinal] = verdict.drop;
        if (loser !== candidate) this.#verdicts[candidate.ordinal] = verdict.keep;
      }
    });
  }

  #judge(): void {
    this.#members.forEach((header, member) => {
      for (let entry = 0; entry < header.entries.count; entry += 1) {
        const ordinal = this.#starts[member]! + entry;
        if (this.#verdicts[ordinal] !== verdict.keep) continue;
        this.#verdicts[ordinal] = this.#verdictOf(header, entry);
      }
    });
  }

  #verdictOf(header: MemberHeader, entry: number): number {
    const rules = this.#rules;
    const kind = kindOf(header, entry);
    const stamp = stampOf(header, entry);
    const key = keyOf(header, entry);
    if (kind > entryKind.deletion) {
      const isKept = !rules.isMarkerKnown(kind, key, stamp) && rules.keepsDeletion(stamp);
      if (!isKept) this.counts.deletions += 1;
      return isKept ? verdict.keep : verdict.drop;
    }
    if (rules.isOverwritten(key, stamp)) {
      this.counts.overwritten += 1;
      return verdict.drop;
    }
    if (rules.isCleared(header.methodHash, stamp)) {
      this.counts.cleared += 1;
      return verdict.drop;
    }
    if (kind === entryKind.deletion) {
      if (rules.keepsDeletion(stamp)) return verdict.keep;
      this.counts.deletions += 1;
      return verdict.drop;
    }
    if (header.entries.expiry(entry) + expiryGrace > rules.now) return verdict.keep;
    this.counts.expired += 1;
    return this.buried(stamp);
  }

  #dropOldest(): void {
    const times: number[] = [];
    this.#eachValue((stamp) => times.push(stamp.time));
    times.sort((a, b) => a - b);
    const count = Math.ceil(times.length * Math.min(1, this.#rules.dropShare));
    const limit = times[count - 1] ?? Number.NEGATIVE_INFINITY;
    this.#eachValue((stamp, ordinal) => {
      if (stamp.time > limit) return;
      this.counts.aged += 1;
      this.#verdicts[ordinal] = this.#rules.keepsDroppedKey(stamp) ? verdict.bury : verdict.drop;
    });
  }

  #eachValue(visit: (stamp: Stamp, ordinal: number) => void): void {
    this.#members.forEach((header, member) => {
      for (let entry = 0; entry < header.entries.count; entry += 1) {
        const ordinal = this.#starts[member]! + entry;
        const isValue = kindOf(header, entry) === entryKind.value;
        if (isValue && this.#verdicts[ordinal] === verdict.keep) visit(stampOf(header, entry), ordinal);
      }
    });
  }
}

function isNewer(candidate: { stamp: Stamp }, known: { stamp: Stamp } | undefined): boolean {
  return known === undefined || compareStamps(candidate.stamp, known.stamp) > 0;
}

function kindOf(header: MemberHeader, entry: number): number {
  return header.entries.kind(entry);
}

function keyOf(header: MemberHeader, entry: number): string {
  return header.entries.key(entry);
}

function stampOf(header: MemberHeader, entry: number): Stamp {
  const { entries } = header;
  return { time: entries.stampTime(entry), writer: writerOf(header, entries.writerNumber(entry)) };
}
