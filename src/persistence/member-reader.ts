/** Reads members: files stay open for a while, inflated bodies too, and concurrent readers share one reading. */

import { damageAt, PartitionDamagedError } from './damage.js';
import { type FileSystem, type OpenFile, readFully } from './file-system.js';
import { claimedBodyLength, inflateMember, inflatePlain } from './member-body.js';
import { assertWhole, type MemberHeader, readHeader } from './partition-codec.js';

/** Where a member lies. */
export interface MemberPlace {
  readonly path: string;
  readonly fileId: string;
  readonly isPlain: boolean;
  readonly position: number;
  readonly length: number;
}

const maxOpenFiles = 16;
/** Holds the largest header. */
const headBytes = 72 * 1024;
const maxKeptBodies = 8;
const maxKeptBytes = 8 * 1024 * 1024;

/** A file that is another one now, or was overwritten: look for the entry again. */
export class FileChangedError extends Error {}

/** What a member reader works with. */
export interface MemberReaderInit {
  readonly files: FileSystem;
  readonly maxMemberBytes: number;
  /** Hears of files that could not be closed; all other failures go to whoever wants to read. */
  readonly onError: (error: unknown) => void;
}

export class MemberReader {
  readonly #files: FileSystem;
  readonly #maxMemberBytes: number;
  readonly #onError: (error: unknown) => void;
  readonly #open = new Map<string, Promise<OpenFile>>();
  readonly #bodies = new Map<string, Buffer>();
  readonly #reading = new Map<string, Promise<Buffer>>();
  #keptBytes = 0;
  #largeReads: Promise<unknown> = Promise.resolve();

  constructor({ files, maxMemberBytes, onError }: MemberReaderInit) {
    this.#files = files;
    this.#maxMemberBytes = maxMemberBytes;
    this.#onError = onError;
  }

  /** The inflated body of a member, whole and checked. The bytes are shared: nobody changes them. */
  body(place: MemberPlace): Promise<Buffer> {
    // With the path: a given file may call itself what another one is.
    const id = `${place.fileId}:${place.position}:${place.path}`;
    const kept = this.#bodies.get(id);
    if (kept !== undefined) {
      this.#bodies.delete(id);
      this.#bodies.set(id, kept);
      return Promise.resolve(kept);
    }
    const running = this.#reading.get(id);
    if (running !== undefined) return running;
    const reading = this.#read(place).finally(() => this.#reading.delete(id));
    this.#reading.set(id, reading);
    reading.then(
      (body) => this.#keep(id, body),
      () => undefined,
    );
    return reading;
  }

  /** Closes the file that was opened under this path, so that the next reading opens it anew. */
  async release(path: string): Promise<void> {
    const file = this.#open.get(path);
    this.#open.delete(path);
    await this.#close(file);
  }

  /** Drops all that is kept. */
  async close(): Promise<void> {
    const files = [...this.#open.values()];
    this.#open.clear();
    this.#bodies.clear();
    this.#keptBytes = 0;
    await Promise.all(files.map((file) => this.#close(file)));
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
    if (length > this.#maxMemberBytes + 1024 * 1024) {
      throw new PartitionDamagedError(`a member of ${length} bytes`, { file: path, offset: position });
    }
    const file = await this.#file(path);
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

  #file(path: string): Promise<OpenFile> {
    const known = this.#open.get(path);
    if (known !== undefined) {
      this.#open.delete(path);
      this.#open.set(path, known);
      return known;
    }
    const opening = this.#files.openToRead(path);
    this.#open.set(path, opening);
    opening.catch(() => {
      if (this.#open.get(path) === opening) this.#open.delete(path);
    });
    if (this.#open.size > maxOpenFiles) {
      const oldest = this.#open.keys().next().value;
      // A file that is being read closes when that reading has ended.
      if (oldest !== undefined) void this.release(oldest);
    }
    return opening;
  }

  async #close(opening: Promise<OpenFile> | undefined): Promise<void> {
    // That it could not be opened was told to whoever wanted to read it.
    const file = await opening?.catch(() => undefined);
    await file?.close().catch(this.#onError);
  }

  #keep(id: string, body: Buffer): void {
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
