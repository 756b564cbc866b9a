/**
 * Reads members: files stay open for a while, inflated bodies too, and concurrent readers share one reading. What is
 * small is read and inflated at once, which takes less than handing it to the thread pool and waiting for it.
 */

import { assertReadableLength, damageAt, PartitionDamagedError, TooLargeError } from '../disk-errors.js';
import { type OpenFile, readFully } from '../file-system.js';
import { TableRoom } from '../format/header-entries.js';
import { atOnceBytes, claimedBodyLength, inflateMember, inflatePlain } from '../format/member-body.js';
import { assertWhole, type MemberHeader, readHeader } from '../format/member-header.js';
import type { MemberPlace } from '../index/partition-file.js';
import { LoopTime } from './loop-time.js';
import { MemberRun } from './member-run.js';
import { OpenFiles, type OpenFilesInit } from './open-files.js';
import { isSmall, smallBody } from './small-member.js';

/** Holds the largest header. */
const headBytes = 72 * 1024;
const maxKeptBodies = 64;
const maxKeptBytes = 8 * 1024 * 1024;

/** A file that is another one now, or was overwritten: look for the entry again. */
export class FileChangedError extends Error {}

/** What a member reader works with; only files that could not be closed are told to `onError`. */
export interface MemberReaderInit extends OpenFilesInit {
  readonly maxMemberBytes: number;
}

export class MemberReader {
  readonly #files: OpenFiles;
  readonly #maxMemberBytes: number;
  readonly #bodies = new Map<string, Buffer>();
  readonly #reading = new Map<string, Promise<Buffer>>();
  #keptBytes = 0;
  #isClosed = false;
  #largeReads: Promise<unknown> = Promise.resolve();
  readonly #loopTime = new LoopTime();
  /** Where members are read to at once, one after another, and what their headers tell. */
  #room: Buffer | undefined;
  readonly #tables = new TableRoom();

  constructor(init: MemberReaderInit) {
    this.#files = new OpenFiles(init);
    this.#maxMemberBytes = init.maxMemberBytes;
  }

  /** The inflated body of a member, whole and checked. The bytes are shared: nobody changes them. */
  body(place: MemberPlace): Buffer | Promise<Buffer> {
    // With the path: a given file may call itself what another one is.
    const id = `${place.fileId}:${place.position}:${place.path}`;
    const stored = this.#bodies.get(id);
    if (stored !== undefined) {
      this.#bodies.delete(id);
      this.#bodies.set(id, stored);
      return stored;
    }
    const running = this.#reading.get(id);
    if (running !== undefined) return running;
    const body = this.#bodyAtOnce(place);
    if (body !== undefined) {
      this.#keep(id, body);
      return body;
    }
    const reading = this.#read(place).finally(() => this.#reading.delete(id));
    this.#reading.set(id, reading);
    reading.then(
      (body) => this.#keep(id, body),
      () => undefined,
    );
    return reading;
  }

  /** Reads members one after another, without keeping what was read. */
  run(): MemberRun {
    return new MemberRun({
      open: (path) => this.#files.open(path),
      alone: (place) => this.body(place),
      maxMemberBytes: this.#maxMemberBytes,
    });
  }

  /** Closes the file that was opened under this path, so that the next reading opens it anew. */
  release(path: string): Promise<void> {
    return this.#files.release(path);
  }

  /** Drops all that is kept, and opens nothing from now on: nobody would close it. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#bodies.clear();
    this.#keptBytes = 0;
    await this.#files.close();
  }

  /** The body of a small member, unless it has to be waited for or anything is wrong: then waiting tells what. */
  #bodyAtOnce(place: MemberPlace): Buffer | undefined {
    const { path, position, length, fileId } = place;
    if (!isSmall(place) || !this.#loopTime.isLeft) return undefined;
    const file = this.#files.near(path);
    if (file?.readSync === undefined) return undefined;
    const began = performance.now();
    let hadBytes = began;
    try {
      this.#room ??= Buffer.allocUnsafeSlow(atOnceBytes);
      const bytes = file.readSync(length, position, this.#room);
      hadBytes = performance.now();
      return smallBody(bytes, { fileId, tables: this.#tables, maxBytes: this.#maxMemberBytes });
    } catch {
      return undefined;
    } finally {
      this.#loopTime.note(began, hadBytes);
    }
  }

  async #read(place: MemberPlace): Promise<Buffer> {
    const isLarge = place.length > maxKeptBytes || place.isPlain;
    if (isLarge) return this.#alone(() => this.#readNow(place, (inflate) => inflate()));
    // A small member may claim a large body.
    return this.#readNow(place, (inflate, bytes) =>
      claimedBodyLength(bytes) > maxKeptBytes ? this.#alone(inflate) : inflate(),
    );
  }

  /** Large ones one after another: what is in memory at once stays within one member's bound. */
  async #alone(task: () => Promise<Buffer>): Promise<Buffer> {
    const running = this.#largeReads.then(task);
    this.#largeReads = running.catch(() => undefined);
    return running;
  }

  async #readNow(
    place: MemberPlace,
    inflating: (inflate: () => Promise<Buffer>, bytes: Buffer) => Promise<Buffer>,
  ): Promise<Buffer> {
    const { path, position, length } = place;
    assertReadableLength(length, this.#maxMemberBytes, path);
    const file = await this.#files.open(path);
    let bytes: Buffer;
    try {
      bytes = await file.read(length, position);
      // Less than the file holds says nothing about the file: it is a failed reading, not damage.
      if (bytes.length < length && (await file.status()).size >= position + length) {
        bytes = await readFully(file, length, position);
      }
    } catch (error) {
      await this.release(path);
      throw error;
    }
    try {
      if (place.isPlain) return await inflatePlain(bytes, this.#maxMemberBytes);
      const header = await this.#header(file, bytes, place);
      assertWhole(header, bytes);
      const options = { headerLength: header.headerLength, maxBytes: this.#maxMemberBytes };
      return await inflating(() => inflateMember(bytes, options), bytes);
    } catch (error) {
      if (error instanceof TooLargeError) throw error.in(path);
      if (error instanceof PartitionDamagedError) throw damageAt(error, path, position);
      await this.release(path);
      throw error;
    }
  }

  async #header(file: OpenFile, bytes: Buffer, place: MemberPlace): Promise<MemberHeader> {
    const reading = readHeader(bytes);
    if (reading.kind !== 'member') {
      // The name may have gone to a file in which another member, or nothing, lies at this place.
      const { size } = await file.status();
      const head = readHeader(await readFully(file, Math.min(headBytes, size), 0));
      const isAnother = head.kind === 'member' && head.header.fileId !== place.fileId;
      if (isAnother) throw new FileChangedError('Another file lies there now');
      throw new PartitionDamagedError(reading.kind === 'damaged' ? reading.reason : 'no member any more');
    }
    if (reading.header.fileId !== place.fileId) throw new FileChangedError('Another file lies there now');
    return reading.header;
  }

  #keep(id: string, body: Buffer): void {
    if (this.#isClosed) return;
    this.#bodies.set(id, body);
    this.#keptBytes += body.length;
    for (const [oldest, bytes] of this.#bodies) {
      const fits = this.#bodies.size <= maxKeptBodies && this.#keptBytes <= maxKeptBytes;
      if (fits || oldest === id) return;
      this.#bodies.delete(oldest);
      this.#keptBytes -= bytes.length;
    }
  }
}
