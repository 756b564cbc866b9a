/** Where the newest entry of every key lies, in flat memory: about 55 bytes a key. */

import type { Stamp } from '../../stamp.js';
import { wordsOfKey } from '../format/header-entries.js';
import { entryKind, type MemberHeader, writerOf } from '../format/member-header.js';
import { addressOf, type RangeTombstone } from '../format/tombstone.js';
import { ChangeLog, type IndexChanges } from './change-log.js';
import { chunkMask, lost, MemberTable, type RecordChunk, sortByGroup } from './columns.js';
import { FileTable, isPreferred } from './file-table.js';
import { HeaderMarker } from './header-marker.js';
import { IndexWaste } from './index-waste.js';
import { KeyTable } from './key-table.js';
import type { LoadWatches } from './load-watches.js';
import type { EntryPlace, PartitionFile, PlainEntryFacts } from './partition-file.js';
import { RecordTable } from './record-table.js';
import { TombstoneTable } from './tombstone-table.js';
import { UnreadableFiles } from './unreadable-files.js';
import { WriterTable } from './writer-table.js';

export type { EntryPlace, IndexChanges };

export class PartitionIndex {
  readonly unreadable = new UnreadableFiles();
  readonly fileTable = new FileTable();
  readonly #keys = new KeyTable();
  readonly #records = new RecordTable();
  readonly #members = new MemberTable();
  readonly #waste = new IndexWaste();
  readonly #writers = new WriterTable();
  readonly tombstones = new TombstoneTable();
  readonly #newest = { time: Number.NEGATIVE_INFINITY, writer: 0 };
  #live = 0;
  /** Markers that clear a method or all: how many came, and which of them the records have been gone through for. */
  #clears = 0;
  #sweptClears = 0;
  readonly #changes = new ChangeLog();
  readonly #scratch = new Uint32Array(4);
  /** Numbers of the writers of the member that is taken in. */
  #numbers = new Uint32Array(64);
  /** What is being put: one object for all, since a million may come at once. */
  readonly #candidate = { kind: 0, time: 0, writer: 0, member: 0, expiry: 0, offset: 0 };
  readonly #marker = new HeaderMarker();

  /** The newest stamp in any file. */
  get newest(): Stamp | undefined {
    const { time, writer } = this.#newest;
    return time < 0 ? undefined : { time, writer: this.#writers.idOf(writer) };
  }

  /** Keys whose newest entry is a value, expired ones included. */
  get size(): number {
    if (this.#sweptClears < this.#clears) this.#records.eachValue((chunk, at) => this.#sweep(chunk, at));
    this.#sweptClears = this.#clears;
    return this.#live;
  }

  /** Keys whose newest entry is known, deleted ones included. */
  get keys(): number {
    return this.#keys.size;
  }

  /** All files, those that have gone included. */
  get files(): readonly PartitionFile[] {
    return this.fileTable.list;
  }

  /**
   * Takes in a member of ours. Taking it in twice changes nothing; what has expired counts as deleted.
   * @param watches the loads under way, where it was another process that may have written it
   */
  addMember(
    file: PartitionFile,
    position: number,
    header: MemberHeader,
    { now, watches }: { now: number; watches?: LoadWatches | undefined },
  ): void {
    const member = this.#members.add(this.fileTable.numberOf(file), position, header.memberLength);
    const { entries } = header;
    const extent = this.fileTable.extentOf(file);
    extent.entries += entries.count;
    if (this.#numbers.length <= entries.writers) this.#numbers = new Uint32Array(2 * entries.writers);
    const writers = this.#numbers;
    writers[0] = this.#writers.numberOf(header.writer);
    for (let number = 1; number <= entries.writers; number += 1)
      writers[number] = this.#writers.numberOfWords(entries.words, entries.writerAt(number));
    const candidate = this.#candidate;
    candidate.member = member;
    for (let entry = 0; entry < entries.count; entry += 1) {
      const kind = entries.kind(entry);
      const time = entries.stampTime(entry);
      if (time < extent.oldest) extent.oldest = time;
      if (kind > entryKind.tombstone) {
        this.#noteStamp(time, writers[entries.writerNumber(entry)]!);
        if (!this.tombstones.addWords(kind, this.#marker.read(header, entry))) continue;
        this.#noteTombstone(kind);
        this.#changes.noteTombstone();
        if (watches === undefined) continue;
        const writer = writerOf(header, entries.writerNumber(entry));
        watches.noteTombstone(kind, entries.key(entry), { time, writer });
        continue;
      }
      const writer = writers[entries.writerNumber(entry)]!;
      if (this.#isClearedBy(file.methodHash, time, writer)) continue;
      const expiry = entries.expiry(entry);
      candidate.kind = expiry <= now ? entryKind.tombstone : kind;
      candidate.time = time;
      candidate.writer = writer;
      candidate.expiry = expiry;
      candidate.offset = entries.offset(entry);
      const order = this.#put(entries.words, entries.at(entry));
      // An older value is none that anybody has set meanwhile, but a deletion may be of a clock that is behind.
      if (watches !== undefined && (order > 0 || (order < 0 && kind === entryKind.tombstone))) {
        watches.noteKey(entries.words, entries.at(entry), { time, writer: this.#writers.idOf(writer) });
      }
    }
  }

  /** Takes in a plain file's body: makes its one member and returns how entries are added to it. */
  addPlainMember(file: PartitionFile, length: number): (entry: PlainEntryFacts) => void {
    const member = this.#members.add(this.fileTable.numberOf(file), 0, length);
    return ({ key, stamp, expiresAt, offset, methodHash }) => {
      const writer = this.#writers.numberOf(stamp.writer);
      if (this.#isClearedBy(methodHash, stamp.time, writer)) return;
      const expiry = expiresAt ?? Number.POSITIVE_INFINITY;
      const { time } = stamp;
      Object.assign(this.#candidate, { kind: entryKind.value, time, writer, member, expiry, offset });
      this.#put(wordsOfKey(key, this.#scratch), 0);
    };
  }

  /** How many values of each file are the newest of their keys and not expired; in the order of `files`. */
  async liveCounts(now: number): Promise<Uint32Array> {
    await this.#sweepCleared();
    const counts = new Uint32Array(this.files.length);
    await this.#records.eachValueInSlices((chunk, at) => {
      const file = this.#members.file[chunk.member[at]!]!;
      // Files that come along meanwhile don't count.
      if (chunk.expiry[at]! > now && file < counts.length) counts[file]! += 1;
    });
    return counts;
  }

  /** Where the newest value of this key lies, if its newest entry is a value that no marker covers. */
  find(key: string, methodHash: string): EntryPlace | undefined {
    const record = this.#keys.find(wordsOfKey(key, this.#scratch), 0);
    const place = record < 0 ? undefined : this.placeOf(record, key);
    if (place === undefined || this.#clears === 0) return place;
    return this.isCleared(methodHash, place.stamp) ? undefined : place;
  }

  /** The stamp of the newest entry or deletion of this key. */
  stampOf(key: string): Stamp | undefined {
    const record = this.#keys.find(wordsOfKey(key, this.#scratch), 0);
    return record < 0 ? undefined : this.#stamp(record);
  }

  /** The record of the key whose words start at `at`, or -1. */
  recordOf(words: Uint32Array, at: number): number {
    return this.#keys.find(words, at);
  }

  /** How an entry of a header stands to what is known of its key: negative when that is newer, 0 when it is the same. */
  orderOf(record: number, header: MemberHeader, entry: number): number {
    const { entries } = header;
    const chunk = this.#records.chunkOf(record);
    const at = record & chunkMask;
    const order = entries.stampTime(entry) - chunk.time[at]!;
    return order === 0 ? this.#writers.orderOf(header, entry, chunk.writer[at]!) : order;
  }

  /** The place of a record, if it is a value; of `key`, where that is known. */
  placeOf(record: number, key?: string): EntryPlace | undefined {
    const chunk = this.#records.chunkOf(record);
    const at = record & chunkMask;
    if (chunk.kind[at] !== entryKind.value) return undefined;
    const member = chunk.member[at]!;
    const expiry = chunk.expiry[at]!;
    return {
      record,
      member,
      key: key ?? this.#keys.keyOf(record),
      file: this.fileTable.list[this.#members.file[member]!]!,
      position: this.#members.position[member]!,
      length: this.#members.length[member]!,
      offset: chunk.offset[at]!,
      stamp: { time: chunk.time[at]!, writer: this.#writers.idOf(chunk.writer[at]!) },
      expiresAt: expiry === Number.POSITIVE_INFINITY ? null : expiry,
    };
  }

  /** The member that a record's value lies in. */
  memberOf(record: number): number {
    return this.#records.chunkOf(record).member[record & chunkMask]!;
  }

  /** Whether this place is still the newest of its key. */
  isCurrent(place: EntryPlace): boolean {
    const chunk = this.#records.chunkOf(place.record);
    const at = place.record & chunkMask;
    return (
      chunk.kind[at] === entryKind.value &&
      chunk.member[at] === place.member &&
      chunk.offset[at] === place.offset
    );
  }

  /** Whether a marker of the method, or of all, is newer than the stamp. */
  isCleared(methodHash: string | undefined, stamp: Stamp): boolean {
    return this.tombstones.isCleared(methodHash, stamp);
  }

  /** Whether one of the tags was invalidated later than the stamp. Tags are told as headers carry them. */
  isTagInvalid(tagHash: string, stamp: Stamp): boolean {
    return this.tombstones.isTagInvalid(tagHash, stamp);
  }

  /** Whether a marker is there that makes this one superfluous. */
  isTombstoneKnown(kind: number, key: string, stamp: Stamp): boolean {
    return this.tombstones.isKnown(kind, key, stamp);
  }

  /** Takes note of a marker before it is written. */
  addTombstone({ scope, stamp }: RangeTombstone): void {
    const { kind, key } = addressOf(scope);
    if (this.tombstones.add(kind, key, stamp)) this.#noteTombstone(kind);
  }

  /** Forgets where an entry lies, because it can't be read there. */
  forget(place: EntryPlace): void {
    if (!this.isCurrent(place)) return;
    this.#records.chunkOf(place.record).kind[place.record & chunkMask] = lost;
    this.#live -= 1;
  }

  /** Takes note from now on of which keys change by what is taken in. */
  watch(): void {
    this.#changes.start();
  }

  /** What has changed since `watch`, which ends with this; `everything` when it is too much to be told by keys. */
  takeChanges(): IndexChanges | 'everything' {
    return this.#changes.take((record) => this.#keys.keyOf(record));
  }

  /** Whether the newest entry of any key lies in a file that has gone. */
  async hasLostEntries(): Promise<boolean> {
    await this.#sweepCleared();
    let hasLost = false;
    await this.#records.eachValueInSlices((chunk, at) => {
      hasLost ||= this.fileOf(chunk.member[at]!).isGone;
    });
    return hasLost;
  }

  /** Whether most of what it holds is of files that have gone. Looks closely only where some have since the last call. */
  isMostlyGone(): boolean {
    return this.#waste.isMost(this.fileTable.list, this.#members.file, this.#records.chunks, this.#keys.size);
  }

  /** Forgets every entry of files that have gone. */
  async forgetGone(): Promise<void> {
    await this.#records.eachValueInSlices((chunk, at) => {
      if (!this.fileOf(chunk.member[at]!).isGone) return;
      chunk.kind[at] = lost;
      this.#live -= 1;
    });
  }

  /** The records that are values now, those of one member next to each other, oldest member first. */
  valueRecords(): Uint32Array {
    return sortByGroup(this.#members.count, (visit) =>
      this.#records.eachValue((chunk, at, record) => visit(chunk.member[at]!, record)),
    );
  }

  /** The file that a member lies in. */
  fileOf(member: number): PartitionFile {
    return this.files[this.#members.file[member]!]!;
  }

  /** Puts the candidate under the key whose words start at `keyAt`; positive when it is newer than what was there. */
  #put(key: Uint32Array, keyAt: number): number {
    const next = this.#candidate;
    let order = 1;
    const known = this.#keys.size;
    const record = this.#keys.add(key, keyAt);
    const chunk = this.#records.ensure(record);
    const at = record & chunkMask;
    if (record < known) {
      order = this.#writers.compare(next.time, next.writer, chunk.time[at]!, chunk.writer[at]!);
      if (order < 0) return order;
      // The same entry in another file: that file is what remains when a consolidation has ended.
      if (order === 0 && chunk.kind[at] === entryKind.tombstone) {
        if (next.kind === entryKind.tombstone) chunk.member[at] = next.member;
        return order;
      }
      if (chunk.kind[at] === entryKind.value) {
        if (order === 0 && isPreferred(this.fileOf(chunk.member[at]!), this.fileOf(next.member)))
          return order;
        this.#live -= 1;
      }
    }
    if (next.kind === entryKind.value) this.#live += 1;
    this.#noteStamp(next.time, next.writer);
    chunk.time[at] = next.time;
    chunk.expiry[at] = next.expiry;
    chunk.member[at] = next.member;
    chunk.offset[at] = next.offset;
    chunk.writer[at] = next.writer;
    chunk.kind[at] = next.kind;
    this.#changes.note(record);
    return order;
  }

  #noteTombstone(kind: number): void {
    if (kind !== entryKind.invalidateTag) this.#clears += 1;
  }

  async #sweepCleared(): Promise<void> {
    const clears = this.#clears;
    if (this.#sweptClears === clears) return;
    await this.#records.eachValueInSlices((chunk, at) => this.#sweep(chunk, at));
    this.#sweptClears = Math.max(this.#sweptClears, clears);
  }

  #sweep(chunk: RecordChunk, at: number): void {
    const { methodHash } = this.fileOf(chunk.member[at]!);
    if (!this.#isClearedBy(methodHash, chunk.time[at]!, chunk.writer[at]!)) return;
    chunk.kind[at] = entryKind.tombstone;
    this.#live -= 1;
  }

  #isClearedBy(methodHash: string | undefined, time: number, writer: number): boolean {
    return this.#clears > 0 && this.isCleared(methodHash, { time, writer: this.#writers.idOf(writer) });
  }

  #stamp(record: number): Stamp {
    const chunk = this.#records.chunkOf(record);
    const at = record & chunkMask;
    return { time: chunk.time[at]!, writer: this.#writers.idOf(chunk.writer[at]!) };
  }

  #noteStamp(time: number, writer: number): void {
    if (time <= this.#newest.time) return;
    this.#newest.time = time;
    this.#newest.writer = writer;
  }
}
