/** Where the newest entry of every key lies, in flat memory: about 55 bytes a key. */

import { compareStamps, type Stamp } from '../stamp.js';
import { KeyTable } from './key-table.js';
import {
  entryBytes,
  entryKind,
  type MemberHeader,
  readExpiry,
  readWhole,
  writerOf,
} from './partition-codec.js';

/** A file that entries are read from. */
export interface PartitionFile {
  /** Where it was last seen. */
  path: string;
  /** The id its members carry; for plain files one that was made up. */
  readonly id: string;
  /** Of the method its entries belong to; `undefined` where a plain file doesn't tell. */
  readonly methodHash: string | undefined;
  method: string | undefined;
  /** Whether it was given by the caller: such files are only ever read. */
  readonly isGiven: boolean;
  /** Whether its members lack our header field; then the whole file is inflated as one body. */
  readonly isPlain: boolean;
  /** How far it was read: the byte after the last member that is known. */
  scannedBytes: number;
  /** The number that the next member must have. */
  nextMember: number;
  isGone: boolean;
  /** Whether it has members of a later version of the format: such files are never moved. */
  isNewer?: boolean;
}

/** Where an entry lies, and what its header says. */
export interface EntryPlace {
  /** The number of the key's record, and of the member; for the index's own use. */
  readonly record: number;
  readonly member: number;
  readonly key: string;
  readonly file: PartitionFile;
  readonly position: number;
  readonly length: number;
  readonly offset: number;
  readonly stamp: Stamp;
  readonly expiresAt: number | null;
}

/** What taking in members has changed. */
export interface IndexChanges {
  /** Keys that have a newer entry, or one in another place. */
  readonly keys: readonly string[];
  /** Whether more was deleted than the keys tell: a method was cleared, a tag invalidated. */
  readonly hasNewMarkers: boolean;
}

/** An entry's place in the index is lost: its file has gone or can't be read. The stamp stays, so nothing older shows. */
const lost = 255;

/** At a million entries, their keys alone would take more memory than the index. */
const maxToldChanges = 10_000;

const chunkRecords = 4_096;
const chunkShift = 12;
const chunkMask = chunkRecords - 1;

interface Chunk {
  readonly time: Float64Array;
  readonly expiry: Float64Array;
  readonly member: Uint32Array;
  readonly offset: Uint32Array;
  readonly writer: Uint32Array;
  readonly kind: Uint8Array;
}

interface Members {
  file: Uint32Array;
  position: Float64Array;
  length: Uint32Array;
}

export class PartitionIndex {
  readonly files: PartitionFile[] = [];
  /** The newest stamp in any file. */
  newest: Stamp | undefined;
  readonly #fileNumbers = new Map<string, number>();
  readonly #extents = new Map<PartitionFile, { entries: number; oldest: number }>();
  readonly #keys = new KeyTable();
  readonly #chunks: Chunk[] = [];
  readonly #members: Members = makeMembers(256);
  #memberCount = 0;
  readonly #writers: string[] = [];
  readonly #writerNumbers = new Map<string, number>();
  readonly #clears = new Map<string, Stamp>();
  #clearAll: Stamp | undefined;
  readonly #tags = new Map<string, Stamp>();
  #live = 0;
  #hasNewClears = false;
  /** Records that changed since they are watched. */
  #changed: number[] | undefined;
  #hasNewMarkers = false;
  readonly #scratch = Buffer.alloc(16);

  /** Keys whose newest entry is a value, expired ones included. */
  get size(): number {
    if (this.#hasNewClears) this.#sweepCleared();
    return this.#live;
  }

  /** The file of this id. */
  file(id: string): PartitionFile | undefined {
    const number = this.#fileNumbers.get(id);
    return number === undefined ? undefined : this.files[number];
  }

  addFile(file: PartitionFile): PartitionFile {
    this.#fileNumbers.set(file.id, this.files.length);
    this.files.push(file);
    return file;
  }

  /** Takes in a member of ours. Taking it in twice changes nothing; what has expired counts as deleted. */
  addMember(file: PartitionFile, position: number, header: MemberHeader, now: number): void {
    const member = this.#addPlace(file, position, header.memberLength);
    const table = header.entryTable;
    const extent = this.extentOf(file);
    extent.entries += header.entryCount;
    const writers = [header.writer, ...header.writers].map((writer) => this.#writerNumber(writer));
    for (let at = 0; at < table.length; at += entryBytes) {
      const kind = table[at + 38]!;
      const time = readWhole(table, at + 16);
      extent.oldest = Math.min(extent.oldest, time);
      if (kind > entryKind.deletion) {
        const writer = writerOf(header, table.readUInt16LE(at + 36));
        const isNews = this.#addMarker(kind, table.toString('hex', at, at + 16), { time, writer });
        if (isNews) this.#hasNewMarkers = true;
        continue;
      }
      const writer = writers[table.readUInt16LE(at + 36)]!;
      if (this.#isClearedBy(file.methodHash, time, writer)) continue;
      const expiry = readExpiry(table, at + 24) ?? Number.POSITIVE_INFINITY;
      const offset = table.readUInt32LE(at + 32);
      const liveKind = expiry <= now ? entryKind.deletion : kind;
      this.#put(table, at, { kind: liveKind, time, writer, member, expiry, offset });
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
    const member = this.#addPlace(file, 0, length);
    return ({ key, stamp, expiresAt, offset, methodHash }) => {
      const writer = this.#writerNumber(stamp.writer);
      if (this.#isClearedBy(methodHash, stamp.time, writer)) return;
      this.#scratch.write(key, 0, 'hex');
      const expiry = expiresAt ?? Number.POSITIVE_INFINITY;
      this.#put(this.#scratch, 0, {
        kind: entryKind.value,
        time: stamp.time,
        writer,
        member,
        expiry,
        offset,
      });
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
    for (let record = 0; record < this.#keys.size; record += 1) {
      const chunk = this.#chunks[record >>> chunkShift]!;
      const at = record & chunkMask;
      const isLive = chunk.kind[at] === entryKind.value && chunk.expiry[at]! > now;
      if (isLive) counts[this.#members.file[chunk.member[at]!]!]! += 1;
    }
    return counts;
  }

  /** Where the newest value of this key lies, if its newest entry is a value that no marker covers. */
  find(key: string, methodHash: string): EntryPlace | undefined {
    this.#scratch.write(key, 0, 'hex');
    const record = this.#keys.find(this.#scratch, 0);
    if (record < 0) return undefined;
    const place = this.placeOf(record);
    return place === undefined || this.isCleared(methodHash, place.stamp) ? undefined : place;
  }

  /** The stamp of the newest entry or deletion of this key. */
  stampOf(key: string): Stamp | undefined {
    this.#scratch.write(key, 0, 'hex');
    const record = this.#keys.find(this.#scratch, 0);
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
      file: this.files[this.#members.file[member]!]!,
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
    const clear = methodHash === undefined ? undefined : this.#clears.get(methodHash);
    return isCovered(stamp, clear) || isCovered(stamp, this.#clearAll);
  }

  /** Whether one of the tags was invalidated later than the stamp. Tags are told as headers carry them. */
  isTagInvalid(tagHash: string, stamp: Stamp): boolean {
    return isCovered(stamp, this.#tags.get(tagHash));
  }

  /** Whether any tag was ever invalidated. */
  get hasTags(): boolean {
    return this.#tags.size > 0;
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
    this.#changed = [];
    this.#hasNewMarkers = false;
  }

  /** What has changed since `watch`, which ends with this; `everything` when it is too much to be told by keys. */
  takeChanges(): IndexChanges | 'everything' {
    const changed = this.#changed ?? [];
    this.#changed = undefined;
    if (changed.length > maxToldChanges) return 'everything';
    const keys = changed.map((record) => this.#keys.keyOf(record));
    return { keys, hasNewMarkers: this.#hasNewMarkers };
  }

  /** Whether the newest entry of any key lies in a file that has gone. */
  hasLostEntries(): boolean {
    if (this.#hasNewClears) this.#sweepCleared();
    for (let record = 0; record < this.#keys.size; record += 1) {
      const chunk = this.#chunks[record >>> chunkShift]!;
      const at = record & chunkMask;
      if (chunk.kind[at] !== entryKind.value) continue;
      if (this.files[this.#members.file[chunk.member[at]!]!]!.isGone) return true;
    }
    return false;
  }

  /** Forgets every entry of files that have gone, and tells how many. */
  forgetGone(): number {
    let count = 0;
    for (let record = 0; record < this.#keys.size; record += 1) {
      const chunk = this.#chunks[record >>> chunkShift]!;
      const at = record & chunkMask;
      if (chunk.kind[at] !== entryKind.value) continue;
      if (!this.files[this.#members.file[chunk.member[at]!]!]!.isGone) continue;
      chunk.kind[at] = lost;
      this.#live -= 1;
      count += 1;
    }
    return count;
  }

  /** The records that are values now, those of one member next to each other, oldest member first. */
  valueRecords(): Uint32Array {
    const starts = new Uint32Array(this.#memberCount + 1);
    const each = (visit: (record: number, member: number) => void) => {
      for (let record = 0; record < this.#keys.size; record += 1) {
        const chunk = this.#chunks[record >>> chunkShift]!;
        const at = record & chunkMask;
        if (chunk.kind[at] === entryKind.value) visit(record, chunk.member[at]!);
      }
    };
    each((_, member) => {
      starts[member + 1]! += 1;
    });
    for (let member = 0; member < this.#memberCount; member += 1) starts[member + 1]! += starts[member]!;
    const records = new Uint32Array(starts[this.#memberCount]!);
    each((record, member) => {
      records[starts[member]!++] = record;
    });
    return records;
  }

  #put(
    key: Buffer,
    keyAt: number,
    next: { kind: number; time: number; writer: number; member: number; expiry: number; offset: number },
  ): void {
    const known = this.#keys.size;
    const record = this.#keys.add(key, keyAt);
    if (record === known && (record & chunkMask) === 0) this.#chunks.push(makeChunk());
    const chunk = this.#chunks[record >>> chunkShift]!;
    const at = record & chunkMask;
    if (record < known) {
      const order = this.#compare(next.time, next.writer, chunk.time[at]!, chunk.writer[at]!);
      // The same entry in another file: that file is what remains when a consolidation has ended.
      if (order < 0 || (order === 0 && chunk.kind[at] === entryKind.deletion)) return;
      if (chunk.kind[at] === entryKind.value) this.#live -= 1;
    }
    if (next.kind === entryKind.value) this.#live += 1;
    this.#noteStamp(next.time, next.writer);
    chunk.time[at] = next.time;
    chunk.expiry[at] = next.expiry;
    chunk.member[at] = next.member;
    chunk.offset[at] = next.offset;
    chunk.writer[at] = next.writer;
    chunk.kind[at] = next.kind;
    if (this.#changed !== undefined && this.#changed.length <= maxToldChanges) this.#changed.push(record);
  }

  /** Tells whether the marker is newer than those known. */
  #addMarker(kind: number, key: string, stamp: Stamp): boolean {
    this.#noteStamp(stamp.time, this.#writerNumber(stamp.writer));
    switch (kind) {
      case entryKind.clearMethod:
        if (!isNewer(stamp, this.#clears.get(key))) return false;
        this.#clears.set(key, stamp);
        break;
      case entryKind.clearAll:
        if (!isNewer(stamp, this.#clearAll)) return false;
        this.#clearAll = stamp;
        break;
      case entryKind.invalidateTag:
        if (!isNewer(stamp, this.#tags.get(key))) return false;
        this.#tags.set(key, stamp);
        return true;
      default:
        return false;
    }
    this.#hasNewClears = true;
    return true;
  }

  #sweepCleared(): void {
    this.#hasNewClears = false;
    for (let record = 0; record < this.#keys.size; record += 1) {
      const chunk = this.#chunks[record >>> chunkShift]!;
      const at = record & chunkMask;
      if (chunk.kind[at] !== entryKind.value) continue;
      const file = this.files[this.#members.file[chunk.member[at]!]!]!;
      if (!this.#isClearedBy(file.methodHash, chunk.time[at]!, chunk.writer[at]!)) continue;
      chunk.kind[at] = entryKind.deletion;
      this.#live -= 1;
    }
  }

  #isClearedBy(methodHash: string | undefined, time: number, writer: number): boolean {
    if (this.#clears.size === 0 && this.#clearAll === undefined) return false;
    return this.isCleared(methodHash, { time, writer: this.#writers[writer]! });
  }

  #addPlace(file: PartitionFile, position: number, length: number): number {
    const number = this.#memberCount;
    const members = this.#members;
    if (number === members.file.length) Object.assign(members, grown(members));
    members.file[number] = this.#fileNumbers.get(file.id)!;
    members.position[number] = position;
    members.length[number] = length;
    this.#memberCount += 1;
    return number;
  }

  #stamp(record: number): Stamp {
    const chunk = this.#chunks[record >>> chunkShift]!;
    const at = record & chunkMask;
    return { time: chunk.time[at]!, writer: this.#writers[chunk.writer[at]!]! };
  }

  #compare(time: number, writer: number, otherTime: number, otherWriter: number): number {
    if (time !== otherTime) return time - otherTime;
    if (writer === otherWriter) return 0;
    return this.#writers[writer]! < this.#writers[otherWriter]! ? -1 : 1;
  }

  #noteStamp(time: number, writer: number): void {
    if (this.newest === undefined || time > this.newest.time) {
      this.newest = { time, writer: this.#writers[writer]! };
    }
  }

  #writerNumber(writer: string): number {
    const known = this.#writerNumbers.get(writer);
    if (known !== undefined) return known;
    this.#writerNumbers.set(writer, this.#writers.length);
    return this.#writers.push(writer) - 1;
  }
}

/** A marker covers what is not newer than itself. */
function isCovered(stamp: Stamp, marker: Stamp | undefined): boolean {
  return marker !== undefined && compareStamps(stamp, marker) <= 0;
}

function isNewer(stamp: Stamp, known: Stamp | undefined): boolean {
  return known === undefined || compareStamps(stamp, known) > 0;
}

function makeChunk(): Chunk {
  return {
    time: new Float64Array(chunkRecords),
    expiry: new Float64Array(chunkRecords),
    member: new Uint32Array(chunkRecords),
    offset: new Uint32Array(chunkRecords),
    writer: new Uint32Array(chunkRecords),
    kind: new Uint8Array(chunkRecords),
  };
}

function makeMembers(capacity: number): Members {
  return {
    file: new Uint32Array(capacity),
    position: new Float64Array(capacity),
    length: new Uint32Array(capacity),
  };
}

function grown(members: Members): Members {
  const larger = makeMembers(members.file.length * 2);
  larger.file.set(members.file);
  larger.position.set(members.position);
  larger.length.set(members.length);
  return larger;
}
