/** Where the newest entry of every key lies, in flat memory: about 55 bytes a key. */

import type { Stamp } from '../stamp.js';
import { ChangeLog, type IndexChanges } from './change-log.js';
import { wordsOfKey } from './entry-table.js';
import { FileTable, isPreferred } from './file-table.js';
import {
  chunkMask,
  chunkShift,
  MemberTable,
  makeChunk,
  type RecordChunk,
  WriterTable,
} from './index-columns.js';
import { KeyTable } from './key-table.js';
import { MarkerTable } from './marker-table.js';
import { entryKind, type MemberHeader, writerOf } from './partition-codec.js';
import type { EntryPlace, PartitionFile } from './partition-file.js';
import { UnreadableFiles } from './unreadable-files.js';

export type { IndexChanges } from './change-log.js';
export type { EntryPlace } from './partition-file.js';

/** An entry's place in the index is lost: its file has gone or can't be read. The stamp stays, so nothing older shows. */
const lost = 255;

export class PartitionIndex {
  readonly unreadable = new UnreadableFiles();
  /** The newest stamp in any file. */
  newest: Stamp | undefined;
  readonly #files = new FileTable();
  readonly #extents = new Map<PartitionFile, { entries: number; oldest: number }>();
  readonly #keys = new KeyTable();
  readonly #chunks: RecordChunk[] = [];
  readonly #members = new MemberTable();
  readonly #writers = new WriterTable();
  readonly #markers = new MarkerTable();
  #live = 0;
  #hasNewClears = false;
  readonly #changes = new ChangeLog();
  readonly #scratch = new Uint32Array(4);
  /** What is being put: one object for all, since a million may come at once. */
  readonly #candidate = { kind: 0, time: 0, writer: 0, member: 0, expiry: 0, offset: 0 };

  /** Keys whose newest entry is a value, expired ones included. */
  get size(): number {
    if (this.#hasNewClears) this.#sweepCleared();
    return this.#live;
  }

  /** All files, those that have gone included. */
  get files(): readonly PartitionFile[] {
    return this.#files.list;
  }

  /** The file of this id: the folder's own, or the given one at a path, which may be a copy of it. */
  file(id: string, givenPath?: string): PartitionFile | undefined {
    return this.#files.find(id, givenPath);
  }

  addFile(file: PartitionFile): PartitionFile {
    return this.#files.add(file);
  }

  /** Takes in a member of ours. Taking it in twice changes nothing; what has expired counts as deleted. */
  addMember(file: PartitionFile, position: number, header: MemberHeader, now: number): void {
    const member = this.#members.add(this.#files.numberOf(file), position, header.memberLength);
    const { entries } = header;
    const extent = this.extentOf(file);
    extent.entries += entries.count;
    const writers = [header.writer, ...header.writers].map((writer) => this.#writers.numberOf(writer));
    const candidate = this.#candidate;
    candidate.member = member;
    for (let entry = 0; entry < entries.count; entry += 1) {
      const kind = entries.kind(entry);
      const time = entries.stampTime(entry);
      if (time < extent.oldest) extent.oldest = time;
      if (kind > entryKind.deletion) {
        const writer = writerOf(header, entries.writerNumber(entry));
        const isNews = this.#addMarker(kind, entries.key(entry), { time, writer });
        if (isNews) this.#changes.noteMarker();
        continue;
      }
      const writer = writers[entries.writerNumber(entry)]!;
      if (this.#isClearedBy(file.methodHash, time, writer)) continue;
      const expiry = entries.expiry(entry);
      candidate.kind = expiry <= now ? entryKind.deletion : kind;
      candidate.time = time;
      candidate.writer = writer;
      candidate.expiry = expiry;
      candidate.offset = entries.offset(entry);
      this.#put(entries.words, entries.at(entry));
    }
  }

  /** Takes in a plain file's body: makes its one member and returns how entries are added to it. */
  addPlainMember(
    file: PartitionFile,
    length: number,
  ): (entry: {
    key: string;
    stamp: Stamp;
    expiresAt: number | null;
    offset: number;
    methodHash: string | undefined;
  }) => void {
    const member = this.#members.add(this.#files.numberOf(file), 0, length);
    return ({ key, stamp, expiresAt, offset, methodHash }) => {
      const writer = this.#writers.numberOf(stamp.writer);
      if (this.#isClearedBy(methodHash, stamp.time, writer)) return;
      const expiry = expiresAt ?? Number.POSITIVE_INFINITY;
      Object.assign(this.#candidate, {
        kind: entryKind.value,
        time: stamp.time,
        writer,
        member,
        expiry,
        offset,
      });
      this.#put(wordsOfKey(key, this.#scratch), 0);
    };
  }

  /** How many entries of a file were taken in, and the oldest stamp time among them; a plain file's is not known. */
  extentOf(file: PartitionFile): { entries: number; oldest: number } {
    let extent = this.#extents.get(file);
    if (extent === undefined) {
      extent = { entries: 0, oldest: file.isPlain ? 0 : Number.POSITIVE_INFINITY };
      this.#extents.set(file, extent);
    }
    return extent;
  }

  /** How many values of each file are the newest of their keys and not expired; in the order of `files`. */
  liveCounts(now: number): Uint32Array {
    if (this.#hasNewClears) this.#sweepCleared();
    const counts = new Uint32Array(this.files.length);
    this.#eachValue((chunk, at) => {
      if (chunk.expiry[at]! > now) counts[this.#members.file[chunk.member[at]!]!]! += 1;
    });
    return counts;
  }

  /** Where the newest value of this key lies, if its newest entry is a value that no marker covers. */
  find(key: string, methodHash: string): EntryPlace | undefined {
    const record = this.#keys.find(wordsOfKey(key, this.#scratch), 0);
    if (record < 0) return undefined;
    const place = this.placeOf(record);
    return place === undefined || this.isCleared(methodHash, place.stamp) ? undefined : place;
  }

  /** The stamp of the newest entry or deletion of this key. */
  stampOf(key: string): Stamp | undefined {
    const record = this.#keys.find(wordsOfKey(key, this.#scratch), 0);
    return record < 0 ? undefined : this.#stamp(record);
  }

  /** The place of a record, if it is a value. */
  placeOf(record: number): EntryPlace | undefined {
    const chunk = this.#chunks[record >>> chunkShift]!;
    const at = record & chunkMask;
    if (chunk.kind[at] !== entryKind.value) return undefined;
    const member = chunk.member[at]!;
    const expiry = chunk.expiry[at]!;
    return {
      record,
      member,
      key: this.#keys.keyOf(record),
      file: this.#fileOf(member),
      position: this.#members.position[member]!,
      length: this.#members.length[member]!,
      offset: chunk.offset[at]!,
      stamp: this.#stamp(record),
      expiresAt: expiry === Number.POSITIVE_INFINITY ? null : expiry,
    };
  }

  /** The member that a record's value lies in. */
  memberOf(record: number): number {
    return this.#chunks[record >>> chunkShift]!.member[record & chunkMask]!;
  }

  /** Whether this place is still the newest of its key. */
  isCurrent(place: EntryPlace): boolean {
    const chunk = this.#chunks[place.record >>> chunkShift]!;
    const at = place.record & chunkMask;
    return (
      chunk.kind[at] === entryKind.value &&
      chunk.member[at] === place.member &&
      chunk.offset[at] === place.offset
    );
  }

  /** Whether a marker of the method, or of all, is newer than the stamp. */
  isCleared(methodHash: string | undefined, stamp: Stamp): boolean {
    return this.#markers.isCleared(methodHash, stamp);
  }

  /** Whether one of the tags was invalidated later than the stamp. Tags are told as headers carry them. */
  isTagInvalid(tagHash: string, stamp: Stamp): boolean {
    return this.#markers.isTagInvalid(tagHash, stamp);
  }

  /** Whether any tag was ever invalidated. */
  get hasTags(): boolean {
    return this.#markers.hasTags;
  }

  /** Takes note of a marker before it is written. */
  mark(kind: number, key: string, stamp: Stamp): void {
    this.#addMarker(kind, key, stamp);
  }

  /** Forgets where an entry lies, because it can't be read there. */
  forget(place: EntryPlace): void {
    if (!this.isCurrent(place)) return;
    this.#chunks[place.record >>> chunkShift]!.kind[place.record & chunkMask] = lost;
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
  hasLostEntries(): boolean {
    if (this.#hasNewClears) this.#sweepCleared();
    let hasLost = false;
    this.#eachValue((chunk, at) => {
      hasLost ||= this.#fileOf(chunk.member[at]!).isGone;
    });
    return hasLost;
  }

  /** Forgets every entry of files that have gone, and tells how many. */
  forgetGone(): number {
    const before = this.#live;
    this.#eachValue((chunk, at) => {
      if (!this.#fileOf(chunk.member[at]!).isGone) return;
      chunk.kind[at] = lost;
      this.#live -= 1;
    });
    return before - this.#live;
  }

  /** The records that are values now, those of one member next to each other, oldest member first. */
  valueRecords(): Uint32Array {
    const { count } = this.#members;
    const starts = new Uint32Array(count + 1);
    this.#eachValue((chunk, at) => {
      starts[chunk.member[at]! + 1]! += 1;
    });
    for (let member = 0; member < count; member += 1) starts[member + 1]! += starts[member]!;
    const records = new Uint32Array(starts[count]!);
    this.#eachValue((chunk, at, record) => {
      records[starts[chunk.member[at]!]!++] = record;
    });
    return records;
  }

  #eachValue(visit: (chunk: RecordChunk, at: number, record: number) => void): void {
    for (let record = 0; record < this.#keys.size; record += 1) {
      const chunk = this.#chunks[record >>> chunkShift]!;
      const at = record & chunkMask;
      if (chunk.kind[at] === entryKind.value) visit(chunk, at, record);
    }
  }

  #fileOf(member: number): PartitionFile {
    return this.files[this.#members.file[member]!]!;
  }

  /** Puts the candidate under the key whose words start at `keyAt`. */
  #put(key: Uint32Array, keyAt: number): void {
    const next = this.#candidate;
    const known = this.#keys.size;
    const record = this.#keys.add(key, keyAt);
    if (record === known && (record & chunkMask) === 0) this.#chunks.push(makeChunk());
    const chunk = this.#chunks[record >>> chunkShift]!;
    const at = record & chunkMask;
    if (record < known) {
      const order = this.#compare(next.time, next.writer, chunk.time[at]!, chunk.writer[at]!);
      // The same entry in another file: that file is what remains when a consolidation has ended.
      if (order < 0 || (order === 0 && chunk.kind[at] === entryKind.deletion)) return;
      if (chunk.kind[at] === entryKind.value) {
        if (order === 0 && isPreferred(this.#fileOf(chunk.member[at]!), this.#fileOf(next.member))) return;
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
  }

  /** Tells whether the marker is newer than those known. */
  #addMarker(kind: number, key: string, stamp: Stamp): boolean {
    this.#noteStamp(stamp.time, this.#writers.numberOf(stamp.writer));
    const isNews = this.#markers.add(kind, key, stamp);
    if (isNews && kind !== entryKind.invalidateTag) this.#hasNewClears = true;
    return isNews;
  }

  #sweepCleared(): void {
    this.#hasNewClears = false;
    this.#eachValue((chunk, at) => {
      const { methodHash } = this.#fileOf(chunk.member[at]!);
      if (!this.#isClearedBy(methodHash, chunk.time[at]!, chunk.writer[at]!)) return;
      chunk.kind[at] = entryKind.deletion;
      this.#live -= 1;
    });
  }

  #isClearedBy(methodHash: string | undefined, time: number, writer: number): boolean {
    if (!this.#markers.hasClears) return false;
    return this.isCleared(methodHash, { time, writer: this.#writers.idOf(writer) });
  }

  #stamp(record: number): Stamp {
    const chunk = this.#chunks[record >>> chunkShift]!;
    const at = record & chunkMask;
    return { time: chunk.time[at]!, writer: this.#writers.idOf(chunk.writer[at]!) };
  }

  #compare(time: number, writer: number, otherTime: number, otherWriter: number): number {
    if (time !== otherTime) return time - otherTime;
    if (writer === otherWriter) return 0;
    return this.#writers.idOf(writer) < this.#writers.idOf(otherWriter) ? -1 : 1;
  }

  #noteStamp(time: number, writer: number): void {
    if (this.newest === undefined || time > this.newest.time) {
      this.newest = { time, writer: this.#writers.idOf(writer) };
    }
  }
}
