/** What threads tell each other: keys changed while another loads them, methods cleared, tags invalidated. */

import { at, due } from './layout.js';
import type { Members } from './members.js';
import { StripeLock } from './stripe-lock.js';

/** What was changed. */
export type ChangeKind = 'key' | 'method' | 'all' | 'tag' | 'watermark';

const kinds: readonly ChangeKind[] = ['key', 'method', 'all', 'tag', 'watermark'];

/** A change that another thread has made. */
export interface LoggedChange {
  readonly kind: ChangeKind;
  /** The id of the thread. */
  readonly by: number;
  /** What is not newer is outdated. */
  readonly stamp: number;
  /** The key, method or tag. */
  readonly name: string;
}

/** What a log tells of. */
export interface ChangeListener {
  /** Something that another thread has changed. */
  changed(change: LoggedChange): void;
  /** Changes were lost: all loads under way may be outdated. What is told next may have been told before. */
  lost(): void;
  /** All entries are to go, since it is not known any more which of them are outdated. */
  emptyArena(): void;
}

/** Bytes of the log's memory, by default. */
export const logBytes = 2 ** 20;

const headerBytes = 256;

/** The part of a log's memory that its lock is in. */
export function logHeader(memory: SharedArrayBuffer): Int32Array {
  return new Int32Array(memory, 0, headerBytes / 4);
}

/** Words of the header, besides the lock's. */
const endWord = at.head;
const generationWord = at.tail;
/** Changes with each record. */
const versionWord = at.used;
/** Where the last generation ended, and where this one began to have something new. */
const previousEndWord = at.live;
const firstNewWord = at.entries;

/** A bit of `at.due`: the arena is being emptied. */
const emptying = 4;

/** Bytes of a record before its name: kind, thread, stamp, length of the name. */
const recordHeader = 17;

/**
 * A log that each thread reads before each of its operations: whoever has returned from a change is heard by all that
 * begins afterwards. To see that there is nothing new takes two loads.
 *
 * When it is full, it begins a new generation: keys are forgotten, of methods and tags the newest change stays, and of too
 * many tags the oldest are folded into a watermark, up to which all that is tagged is outdated. When a record is lost, as
 * its writer died or could not wait for the lock, nobody knows what is outdated, and the arena is emptied.
 */
export class ChangeLog {
  readonly #header: Int32Array;
  readonly #bytes: Buffer;
  readonly #lock: StripeLock;
  readonly #id: number;
  readonly #listener: ChangeListener;
  #seen = -1;
  #generation = 0;
  #position = 0;

  constructor(
    memory: SharedArrayBuffer,
    init: { readonly members: Members; readonly id: number; readonly listener: ChangeListener },
  ) {
    this.#header = logHeader(memory);
    this.#bytes = Buffer.from(memory, headerBytes);
    this.#lock = new StripeLock(this.#header, init.members, init.id);
    this.#id = init.id;
    this.#listener = init.listener;
  }

  /** Tells the listener what is new; `false` where that can't be known in time, and a call must go by the arena. */
  sync(): boolean {
    const isNew = Atomics.load(this.#header, versionWord) !== this.#seen;
    if (!isNew && Atomics.load(this.#header, at.due) === 0) return true;
    return this.#read();
  }

  /** Makes a change known to all. */
  append(kind: ChangeKind, stamp: number, name: string): void {
    const record = encode({ kind, stamp, name, by: this.#id });
    if (record.length > this.#bytes.length / 4 || !this.#enter()) {
      this.#lock.leaveReset();
      return;
    }
    try {
      if (this.#header[endWord]! + record.length > this.#bytes.length) this.#compact(record.length);
      record.copy(this.#bytes, this.#header[endWord]!);
      this.#header[endWord]! += record.length;
      Atomics.add(this.#header, versionWord, 1);
    } catch (error) {
      this.#lock.leaveReset();
      throw error;
    } finally {
      this.#lock.release();
    }
  }

  #enter(): boolean {
    if (!this.#lock.take()) return false;
    if (Atomics.load(this.#header, at.due) === 0) return true;
    // Nobody may take it for done before it is, nor take for done what is asked for meanwhile.
    Atomics.or(this.#header, at.due, emptying);
    Atomics.and(this.#header, at.due, ~due.reset);
    this.#listener.emptyArena();
    this.#header[endWord] = 0;
    // Nobody is up to date with what was lost.
    this.#header[previousEndWord] = -1;
    this.#header[generationWord]! += 1;
    Atomics.add(this.#header, versionWord, 1);
    Atomics.and(this.#header, at.due, ~emptying);
    return true;
  }

  #read(): boolean {
    if (!this.#enter()) return false;
    let news: Buffer;
    let isLost = false;
    try {
      isLost = this.#isBehind();
      news = Buffer.from(this.#bytes.subarray(this.#position, this.#header[endWord]!));
      this.#generation = this.#header[generationWord]!;
      this.#position = this.#header[endWord]!;
      this.#seen = Atomics.load(this.#header, versionWord);
    } finally {
      this.#lock.release();
    }
    if (isLost) this.#listener.lost();
    for (const change of decodeAll(news))
      if (isLost || change.by !== this.#id) this.#listener.changed(change);
    return true;
  }

  /** Whether changes of an earlier generation were not read in time: then all there is is read. */
  #isBehind(): boolean {
    const behind = this.#header[generationWord]! - this.#generation;
    if (behind === 0) return false;
    const isUpToDate = behind === 1 && this.#position === this.#header[previousEndWord];
    this.#position = isUpToDate ? this.#header[firstNewWord]! : 0;
    return !isUpToDate;
  }

  /** Begins a new generation with room for so many bytes. */
  #compact(room: number): void {
    const newest = new Map<string, LoggedChange>();
    let watermark = 0;
    for (const change of decodeAll(this.#bytes.subarray(0, this.#header[endWord]!))) {
      if (change.kind === 'watermark') watermark = change.stamp;
      else if (change.kind === 'method' || change.kind === 'tag') {
        const id = `${change.kind}:${change.name}`;
        newest.delete(id);
        newest.set(id, change);
      }
    }
    const most = this.#bytes.length / 2 - room;
    let bytes = 0;
    const kept: Buffer[] = [];
    for (const change of [...newest.values()].reverse()) {
      const record = encode(change);
      if (bytes + record.length <= most || change.kind === 'method') kept.push(record);
      else watermark = Math.max(watermark, change.stamp);
      bytes += record.length;
    }
    kept.push(encode({ kind: 'watermark', by: 0, stamp: watermark, name: '' }));
    const all = Buffer.concat(kept.reverse());
    all.copy(this.#bytes);
    this.#header[previousEndWord] = this.#header[endWord]!;
    this.#header[endWord] = all.length;
    this.#header[firstNewWord] = all.length;
    this.#header[generationWord]! += 1;
  }
}

function encode({ kind, by, stamp, name }: LoggedChange): Buffer {
  const text = Buffer.from(name);
  const record = Buffer.alloc(recordHeader + text.length);
  record.writeUInt8(kinds.indexOf(kind), 0);
  record.writeInt32LE(by, 1);
  record.writeDoubleLE(stamp, 5);
  record.writeUInt32LE(text.length, 13);
  text.copy(record, recordHeader);
  return record;
}

function* decodeAll(bytes: Buffer): Generator<LoggedChange> {
  for (let place = 0; place < bytes.length; ) {
    const end = place + recordHeader + bytes.readUInt32LE(place + 13);
    yield {
      kind: kinds[bytes.readUInt8(place)]!,
      by: bytes.readInt32LE(place + 1),
      stamp: bytes.readDoubleLE(place + 5),
      name: bytes.toString('utf8', place + recordHeader, end),
    };
    place = end;
  }
}
