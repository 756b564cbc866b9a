/** The file that a merge makes: entries put together to members, and members of others as they stand. */

import type { OpenFile } from '../file-system.js';
import { deflateMembers, type EncodedEntry, encodedSize, newMemberBytes } from '../format/member-body.js';
import { copyMember, frameMember } from '../format/member-frame.js';
import { entryKind, type MemberHeader } from '../format/member-header.js';
import { randomId } from '../format/partition-name.js';
import { appendBytes, MemberGrouping } from '../write/member-groups.js';

/** What the file is made with. */
export interface MergeOutputInit {
  readonly writer: string;
  readonly method: string | undefined;
  readonly methodHash: string;
  readonly compressionLevel: number;
  readonly now: () => number;
}

/** What was written. */
export interface Written {
  readonly writtenBytes: number;
  readonly writtenEntries: number;
  /** How many of them are values. */
  readonly writtenValues: number;
}

/** A member whose entries all stay is copied as it is when it is at least this large. */
export const copiedBytes = newMemberBytes / 2;
/** What an entry takes besides its bytes while it waits, about. */
const waitingBytes = 1_000;

export class MergeOutput {
  readonly #init: MergeOutputInit;
  readonly #file: OpenFile;
  readonly #fileId = randomId();
  #members = 0;
  #bytes = 0;
  #entries = 0;
  #values = 0;
  /** Entries that wait until a member is full. */
  readonly #grouping = new MemberGrouping();
  /** Full members and copies of whole ones, which wait until they are many: each append takes a turn of the thread pool. */
  #full: EncodedEntry[][] = [];
  #frames: Buffer[] = [];
  #waitingBytes = 0;
  /** What is appended is put together here, one time after another. */
  #room = Buffer.alloc(0);

  constructor(file: OpenFile, init: MergeOutputInit) {
    this.#file = file;
    this.#init = init;
  }

  add(entry: EncodedEntry): void {
    this.#fill(this.#grouping.add(entry));
  }

  /** Takes a member over as it stands; tells whether that can be done. */
  copy(header: MemberHeader, bytes: Buffer): boolean {
    const frame = copyMember(bytes, header, this.#identity());
    if (frame === undefined) return false;
    const { entries } = header;
    this.#note(entries.count, (entry) => entries.kind(entry));
    this.#frames.push(frame);
    this.#waitingBytes += frame.length;
    return true;
  }

  /** Writes what waits where it is much; a promise only then. */
  writeIfMuch(): Promise<void> | undefined {
    return this.#waitingBytes >= appendBytes ? this.#write() : undefined;
  }

  /** Writes the rest, and tells what the file has come to. */
  async finish(): Promise<Written> {
    this.#fill(this.#grouping.takeRest());
    await this.#write();
    return { writtenBytes: this.#bytes, writtenEntries: this.#entries, writtenValues: this.#values };
  }

  #fill(group: EncodedEntry[] | undefined): void {
    if (group === undefined || group.length === 0) return;
    this.#full.push(group);
    for (const entry of group) this.#waitingBytes += encodedSize(entry) + waitingBytes;
  }

  /** Writes what waits, together. */
  async #write(): Promise<void> {
    const { methodHash, compressionLevel } = this.#init;
    const deflated = await deflateMembers(methodHash, this.#full, compressionLevel);
    const frames = this.#frames;
    for (const content of deflated) {
      frames.push(frameMember(content, this.#identity()));
      this.#note(content.entries.length, (entry) => content.entries[entry]!.kind);
    }
    this.#full = [];
    this.#frames = [];
    this.#waitingBytes = 0;
    if (frames.length === 0) return;
    const bytes = this.#together(frames);
    const taken = await this.#file.append(bytes);
    if (taken !== bytes.length) throw new Error(`Only ${taken} of ${bytes.length} bytes were written`);
    this.#bytes += bytes.length;
  }

  #together(frames: readonly Buffer[]): Buffer {
    if (frames.length === 1) return frames[0]!;
    const length = frames.reduce((sum, frame) => sum + frame.length, 0);
    if (this.#room.length < length) this.#room = Buffer.allocUnsafeSlow(2 * length);
    let end = 0;
    for (const frame of frames) end += frame.copy(this.#room, end);
    return this.#room.subarray(0, end);
  }

  /** Of the next member. */
  #identity(): Parameters<typeof frameMember>[1] {
    const isFirst = this.#members === 0;
    return {
      fileId: this.#fileId,
      writer: this.#init.writer,
      memberNumber: this.#members,
      batchIndex: 0,
      writtenAt: this.#init.now(),
      ...(isFirst && this.#init.method !== undefined ? { method: this.#init.method } : {}),
    };
  }

  /** Counts a member that was framed. */
  #note(entries: number, kindOf: (entry: number) => number): void {
    this.#members += 1;
    this.#entries += entries;
    for (let entry = 0; entry < entries; entry += 1) if (kindOf(entry) === entryKind.value) this.#values += 1;
  }
}
