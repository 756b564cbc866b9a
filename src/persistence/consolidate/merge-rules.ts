/** What becomes of each entry of some partitions: the newest of every key stays, unless there is reason to drop it. */

import { inSlices } from '../../next-turn.js';
import type { Stamp } from '../../stamp.js';
import { entryKind, type MemberHeader, writerOf } from '../format/member-header.js';

import { NewestEntries } from './newest-entries.js';
import { nthSmallest } from './nth-smallest.js';

/** What a merge asks of the rest of the cache. */
export interface MergeRules {
  /** Epoch ms. */
  readonly now: number;
  /** What knows the newest entry of every key, wherever it lies; in the sources too, but for what is new in them. */
  readonly known: KnownEntries;
  /** Whether the entry, or a newer one, is there already where it would be taken over to. */
  readonly isThere?: ((header: MemberHeader, entry: number) => boolean) | undefined;
  /** Whether a marker in a file covers the entries of this method as of the stamp: what it covers is dropped. */
  readonly isCleared?: ((methodHash: string, stamp: Stamp) => boolean) | undefined;
  /** Whether a marker is of no use any more, since one that is not older is known elsewhere. */
  readonly isTombstoneKnown?: ((kind: number, key: string, stamp: Stamp) => boolean) | undefined;
  /** Whether a deletion of this stamp time has to stay, because older entries may come up that it covers. */
  readonly keepsTombstone: (time: number) => boolean;
  /** The same, in the place of a value that is dropped for lack of room or for its age. */
  readonly keepsDroppedKey: (time: number) => boolean;
  /** Tells of an invalidated tag; `undefined` when there are none, which spares looking into the values. */
  readonly isTagInvalid: ((tag: string, stamp: Stamp) => boolean) | undefined;
  /** The share of the values to drop, oldest first: 0 to 1. */
  readonly dropShare: number;
}

/** Keys and their newest stamps, as an index knows them. */
export interface KnownEntries {
  /** The number of the key whose words start at `at`, or -1. */
  recordOf(words: Uint32Array, at: number): number;
  /** How an entry of a header stands to what is known of its key: negative when that is newer, 0 when it is the same. */
  orderOf(record: number, header: MemberHeader, entry: number): number;
}

/** Headers in their order, which can be gone through again and again. */
export interface MergeInput {
  /** How many entries they have together. */
  readonly entries: number;
  eachMember(visit: (member: { readonly header: MemberHeader }) => void): Promise<void>;
}

/** How many entries went which way. */
export interface DropCounts {
  /** A newer one of the key is there. */
  overwritten: number;
  /** Their method was cleared, or one of their tags invalidated. */
  cleared: number;
  /** Their time was over. */
  expired: number;
  /** The bounds on age and bytes left no room for them. */
  aged: number;
  /** Deletions and range tombstones that have nothing left to cover. */
  deletions: number;
}

export const decision = { drop: 0, keep: 1, tombstone: 2 } as const;

/** Clocks may disagree by as much, and what one holds for expired another has just written. */
export const expiryGrace = 7_200_000;

/** The entries of all sources in a row, and what becomes of each. */
export class MergeDecisions {
  readonly counts: DropCounts = { overwritten: 0, cleared: 0, expired: 0, aged: 0, deletions: 0 };
  readonly #rules: MergeRules;
  readonly #sources: readonly MergeInput[];
  readonly #decisions: Uint8Array;
  /** Values and deletions that are newer than what is known elsewhere: one for each key. */
  #news: NewestEntries | undefined;
  /** Markers, by kind: one replaces those of its own. */
  #markers = new Map<number, NewestEntries>();
  /** A bit for each key that is known elsewhere: whether its newest entry was met already. */
  #met = new Uint8Array(1_024);
  /** Stamp times of the values that stay, where the oldest are to be dropped. */
  #times: Float64Array | undefined;
  #values = 0;

  private constructor(sources: readonly MergeInput[], rules: MergeRules) {
    this.#rules = rules;
    this.#sources = sources;
    const total = sources.reduce((sum, { entries }) => sum + entries, 0);
    this.#decisions = new Uint8Array(total).fill(decision.keep);
    if (rules.dropShare > 0) this.#times = new Float64Array(total);
  }

  /** Judges all entries; others run meanwhile, as there may be millions. */
  static async make(sources: readonly MergeInput[], rules: MergeRules): Promise<MergeDecisions> {
    const decisions = new MergeDecisions(sources, rules);
    await decisions.#eachEntry((header, entry, ordinal) => decisions.#chooseNewest(header, entry, ordinal));
    await decisions.#eachEntry((header, entry, ordinal) => decisions.#judge(header, entry, ordinal));
    if (rules.dropShare > 0) await decisions.#dropOldest();
    decisions.#news = undefined;
    decisions.#markers = new Map();
    decisions.#met = new Uint8Array(0);
    decisions.#times = undefined;
    return decisions;
  }

  /** Entries of all sources together. */
  get size(): number {
    return this.#decisions.length;
  }

  /** What becomes of an entry, by its place among all. */
  of(ordinal: number): number {
    return this.#decisions[ordinal]!;
  }

  /** Whether the same becomes of so many entries in a row. */
  areAll(way: number, first: number, count: number): boolean {
    for (let ordinal = first; ordinal < first + count; ordinal += 1)
      if (this.#decisions[ordinal] !== way) return false;
    return true;
  }

  /** What a value comes to that is no more: a deletion, or nothing where nothing is left to cover. */
  tombstoneOrDrop(time: number): number {
    return this.#rules.keepsTombstone(time) ? decision.tombstone : decision.drop;
  }

  async #eachEntry(visit: (header: MemberHeader, entry: number, ordinal: number) => void): Promise<void> {
    let ordinal = 0;
    for (const source of this.#sources) {
      await source.eachMember(({ header }) => {
        const { count } = header.entries;
        for (let entry = 0; entry < count; entry += 1) visit(header, entry, ordinal++);
      });
    }
  }

  /** Of what is known elsewhere, that has taken note of the newest already: it takes no memory here. */
  #chooseNewest(header: MemberHeader, entry: number, ordinal: number): void {
    const kind = header.entries.kind(entry);
    let newest: NewestEntries;
    if (kind > entryKind.tombstone) {
      newest = this.#markers.get(kind) ?? new NewestEntries(this.size);
      this.#markers.set(kind, newest);
    } else {
      if (this.#orderToKnown(header, entry) <= 0) return;
      this.#news ??= new NewestEntries(this.size);
      newest = this.#news;
    }
    const dropped = newest.put(header, entry, ordinal);
    if (dropped === undefined) return;
    this.counts.overwritten += 1;
    this.#decisions[dropped] = decision.drop;
  }

  #judge(header: MemberHeader, entry: number, ordinal: number): void {
    if (this.#decisions[ordinal] !== decision.keep) return;
    const way = this.#decide(header, entry, ordinal);
    this.#decisions[ordinal] = way;
    const isValue = way === decision.keep && header.entries.kind(entry) === entryKind.value;
    if (isValue && this.#times !== undefined) this.#times[this.#values++] = header.entries.stampTime(entry);
  }

  #decide(header: MemberHeader, entry: number, ordinal: number): number {
    const rules = this.#rules;
    const { entries } = header;
    const kind = entries.kind(entry);
    const time = entries.stampTime(entry);
    if (kind > entryKind.tombstone) {
      const isKnown = rules.isTombstoneKnown?.(kind, entries.key(entry), stampOf(header, entry)) ?? false;
      const isKept = !isKnown && rules.keepsTombstone(time);
      if (!isKept) this.counts.deletions += 1;
      return isKept ? decision.keep : decision.drop;
    }
    if (this.#isOverwritten(header, entry, ordinal)) {
      this.counts.overwritten += 1;
      return decision.drop;
    }
    if (rules.isCleared?.(header.methodHash, stampOf(header, entry))) {
      this.counts.cleared += 1;
      return decision.drop;
    }
    if (kind === entryKind.tombstone) {
      if (rules.keepsTombstone(time)) return decision.keep;
      this.counts.deletions += 1;
      return decision.drop;
    }
    if (entries.expiry(entry) + expiryGrace > rules.now) return decision.keep;
    this.counts.expired += 1;
    return this.tombstoneOrDrop(time);
  }

  /** Whether another entry of the key is newer, or the same entry was met before. */
  #isOverwritten(header: MemberHeader, entry: number, ordinal: number): boolean {
    const { words } = header.entries;
    const at = header.entries.at(entry);
    if (this.#rules.isThere?.(header, entry)) return true;
    const newest = this.#news?.find(words, at) ?? -1;
    if (newest >= 0 && newest !== ordinal) return true;
    const record = this.#rules.known.recordOf(words, at);
    if (record < 0) return false;
    const order = this.#rules.known.orderOf(record, header, entry);
    return order < 0 || (order === 0 && !this.#meet(record));
  }

  /** Whether a key is met for the first time. */
  #meet(record: number): boolean {
    const at = record >>> 3;
    if (at >= this.#met.length) {
      const grown = new Uint8Array(Math.max(at + 1, 2 * this.#met.length));
      grown.set(this.#met);
      this.#met = grown;
    }
    const bit = 1 << (record & 7);
    const isFirst = (this.#met[at]! & bit) === 0;
    this.#met[at]! |= bit;
    return isFirst;
  }

  #orderToKnown(header: MemberHeader, entry: number): number {
    const { known } = this.#rules;
    const record = known.recordOf(header.entries.words, header.entries.at(entry));
    return record < 0 ? 1 : known.orderOf(record, header, entry);
  }

  async #dropOldest(): Promise<void> {
    const oldest = Math.ceil(this.#values * Math.min(1, this.#rules.dropShare));
    const limit = await inSlices(nthSmallest(this.#times!.subarray(0, this.#values), oldest));
    await this.#eachEntry((header, entry, ordinal) => {
      const { entries } = header;
      const isKept = entries.kind(entry) === entryKind.value && this.#decisions[ordinal] === decision.keep;
      if (!isKept || entries.stampTime(entry) > limit) return;
      this.counts.aged += 1;
      this.#decisions[ordinal] = this.#rules.keepsDroppedKey(entries.stampTime(entry))
        ? decision.tombstone
        : decision.drop;
    });
  }
}

function stampOf(header: MemberHeader, entry: number): Stamp {
  const { entries } = header;
  return { time: entries.stampTime(entry), writer: writerOf(header, entries.writerNumber(entry)) };
}
