/** Which entries share a member. */

import { type EncodedEntry, encodedSize, newMemberBytes, pairMemberBytes } from '../format/member-body.js';

/** Entries in groups that fit one member each; one that is larger stands alone. */
export function* memberGroups(entries: Iterable<EncodedEntry>): IterableIterator<EncodedEntry[]> {
  const grouping = new MemberGrouping();
  for (const entry of entries) {
    const full = grouping.add(entry);
    if (full !== undefined) yield full;
  }
  const rest = grouping.takeRest();
  if (rest.length > 0) yield rest;
}

/** Members that are deflated at once and appended together: a reader checks them all, so there are no more than this. */
export const appendMembers = 32;
/** So many are always wanted, as the thread pool deflates them side by side. */
const atLeastMembers = 4;
/** What is appended together beyond that, before it is deflated: about so much. */
export const appendBytes = 256 * 1024;

/** The groups of one append after another. */
export function* memberBatches(entries: Iterable<EncodedEntry>): IterableIterator<EncodedEntry[][]> {
  let batch: EncodedEntry[][] = [];
  let bytes = 0;
  for (const group of memberGroups(entries)) {
    batch.push(group);
    for (const entry of group) bytes += encodedSize(entry);
    const isLarge = batch.length >= atLeastMembers && bytes >= appendBytes;
    if (!isLarge && batch.length < appendMembers) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}

/** From here on, two entries are worth a larger member. */
const pairedBytes = newMemberBytes / 4;

/** The grouping for entries that come one by one. */
export class MemberGrouping {
  #group: EncodedEntry[] = [];
  #bytes = 0;

  /** Adds an entry; returns the group before it, if there is no room in that. */
  add(entry: EncodedEntry): EncodedEntry[] | undefined {
    const size = encodedSize(entry);
    const isPair = this.#group.length === 1 && Math.min(this.#bytes, size) >= pairedBytes;
    const room = isPair ? pairMemberBytes : newMemberBytes;
    const hasRoom = this.#group.length === 0 || this.#bytes + size <= room;
    const full = hasRoom ? undefined : this.takeRest();
    this.#group.push(entry);
    this.#bytes += size;
    return full;
  }

  /** The group that is not full yet. It starts anew. */
  takeRest(): EncodedEntry[] {
    const group = this.#group;
    this.#group = [];
    this.#bytes = 0;
    return group;
  }
}
