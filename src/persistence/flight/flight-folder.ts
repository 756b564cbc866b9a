/**
 * The folder of the loads under way, `.flights/`: a file per key, which one process at a time has made. A file is taken
 * away from a process that has ended or stalled under a name that nobody knows, and looked at before it goes: what has
 * come into its place meanwhile is put back.
 */

import { join } from 'node:path';
import {
  type FileStatus,
  type FileSystem,
  hasCode,
  isSameStatus,
  type OpenFile,
  unlinkIfThere,
} from '../file-system.js';
import { isTemporaryFileName, temporaryFileName } from '../format/partition-name.js';
import type { HolderNote } from '../lock/holder-note.js';
import { encodeNote, type FlightFile, hasToken, readFlightFile } from './flight-file.js';

/** The folder below the cache folder. */
export const flightFolder = '.flights';

const keyPattern = /^[0-9a-f]{32}$/;

/** What a folder of flights is made from. */
export interface FlightFolderInit {
  readonly files: FileSystem;
  readonly persistDir: string;
  readonly fileMode: number;
  readonly dirMode: number;
  /** The status of a file, at once where that can be had. */
  readonly statusOf: (path: string) => FileStatus | Promise<FileStatus>;
  /** Whether what a user has written is believed. */
  readonly isTrustedOwner: (owner: number) => boolean;
}

export class FlightFolder {
  readonly #init: FlightFolderInit;
  readonly #folder: string;
  #isMade = false;

  constructor(init: FlightFolderInit) {
    this.#init = init;
    this.#folder = join(init.persistDir, flightFolder);
  }

  /** Makes a key's file, open to be appended to; `undefined` when there is one. */
  async create(key: string, note: HolderNote): Promise<OpenFile | undefined> {
    const { files, fileMode } = this.#init;
    if (!this.#isMade) await this.#makeFolder();
    const path = this.#pathOf(key);
    let file: OpenFile;
    try {
      file = await files.create(path, fileMode);
    } catch (error) {
      if (hasCode(error, 'EEXIST')) return undefined;
      // Somebody has removed the folder: it is made anew by who comes next.
      if (hasCode(error, 'ENOENT')) this.#isMade = false;
      throw error;
    }
    try {
      await appendWhole(file, encodeNote(note), path);
      return file;
    } catch (error) {
      // Why it can't be written matters more; what is left behind is swept away.
      await file.close().catch(() => undefined);
      await unlinkIfThere(files, path).catch(() => undefined);
      throw error;
    }
  }

  /** Opens a key's file to be appended to; `undefined` when it is not that of this token any more. */
  async open(key: string, token: string): Promise<OpenFile | undefined> {
    let file: OpenFile;
    try {
      file = await this.#init.files.openToAppend(this.#pathOf(key));
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
    let isMeant = false;
    try {
      isMeant = await hasToken(file, token);
    } finally {
      if (!isMeant) await file.close();
    }
    return isMeant ? file : undefined;
  }

  /** A key's file; `seen` itself where it has not changed since, `undefined` when there is none. */
  async look(key: string, seen: FlightFile | undefined): Promise<FlightFile | undefined> {
    const { files, isTrustedOwner, statusOf } = this.#init;
    const path = this.#pathOf(key);
    try {
      if (seen !== undefined && isSameStatus(await statusOf(path), seen.status)) return seen;
      const file = await readFlightFile(files, path, key);
      if (isTrustedOwner(file.status.owner)) return file;
      return { ...file, note: undefined, record: undefined };
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  /** Removes a file that is still as it was left. */
  async remove(key: string, left: FileStatus): Promise<void> {
    if (await this.#isLeft(key, left)) await unlinkIfThere(this.#init.files, this.#pathOf(key));
  }

  /**
   * Takes away the file that was seen, and no other one; tells whether it has gone. Of several who want to, the one may
   * that gives it a second name first, made of its token; with `isForced` whoever comes, as that one may have ended over it.
   */
  async takeAway(key: string, seen: FlightFile, isForced = false): Promise<boolean> {
    const { files } = this.#init;
    const path = this.#pathOf(key);
    const token = seen.note?.token;
    if (isForced || token === undefined || !keyPattern.test(token)) return this.#moveAway(key, seen);
    const right = join(this.#folder, `.${token}.tmp`);
    try {
      await files.link(path, right);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return true;
      if (hasCode(error, 'EEXIST')) return false;
      throw error;
    }
    try {
      // It may have gone before that, and another one have come.
      const isThere = isMeant(await readFlightFile(files, right, key), seen);
      return isThere ? await this.#moveAway(key, seen) : true;
    } finally {
      await unlinkIfThere(files, right);
    }
  }

  /** The keys that there are files of, and names of files that were not finished. */
  async list(): Promise<{ readonly keys: string[]; readonly temporary: string[] }> {
    try {
      const entries = await this.#init.files.list(this.#folder);
      const names = entries.flatMap(({ name, kind }) => (kind === 'file' ? [name] : []));
      return {
        keys: names.filter((name) => keyPattern.test(name)),
        temporary: names.filter((name) => isTemporaryFileName(name)),
      };
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return { keys: [], temporary: [] };
      throw error;
    }
  }

  /** Removes a file that was not finished and is older than a moment of the file system's clock. */
  async removeLeftover(name: string, before: number): Promise<void> {
    const path = join(this.#folder, name);
    try {
      if ((await this.#init.files.status(path)).modifiedAt < before) await this.#init.files.unlink(path);
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
    }
  }

  #pathOf(key: string): string {
    if (!keyPattern.test(key)) throw new Error(`Expected a key of 32 hex digits, got \`${key}\``);
    return join(this.#folder, key);
  }

  /** Moves a file to a name that nobody knows, and looks at it before it goes for good. */
  async #moveAway(key: string, seen: FlightFile): Promise<boolean> {
    const { files } = this.#init;
    const path = this.#pathOf(key);
    const aside = join(this.#folder, temporaryFileName());
    try {
      await files.rename(path, aside);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return true;
      throw error;
    }
    let isRight = false;
    try {
      isRight = isMeant(await readFlightFile(files, aside, key), seen);
    } finally {
      // Somebody was quicker, and loads: with both of us doing it the tool would run once more than it must.
      if (!isRight) await this.#putBack(aside, path);
      await unlinkIfThere(files, aside);
    }
    return true;
  }

  async #putBack(aside: string, path: string): Promise<void> {
    try {
      await this.#init.files.link(aside, path);
    } catch (error) {
      // Or a third one was quicker still.
      if (!hasCode(error, 'EEXIST')) throw error;
    }
  }

  async #isLeft(key: string, left: FileStatus): Promise<boolean> {
    try {
      return isSameStatus(await this.#init.statusOf(this.#pathOf(key)), left);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return false;
      throw error;
    }
  }

  async #makeFolder(): Promise<void> {
    const { files, dirMode } = this.#init;
    await files.makeFolder(this.#folder, { mode: dirMode, recursive: false });
    // A symlink would lead out of the cache folder.
    if ((await files.status(this.#folder)).kind !== 'directory') {
      throw Object.assign(new Error(`Expected a folder at ${this.#folder}`), { code: 'ENOTDIR' });
    }
    this.#isMade = true;
  }
}

/** Whether a file is the one that was seen. Only who has made a file knows its token beforehand. */
function isMeant(file: FlightFile, seen: FlightFile): boolean {
  if (seen.note === undefined) return isSameStatus(file.status, seen.status);
  return file.note?.token === seen.note.token;
}

/** Appends all of it, at once; what is less is no room. */
export async function appendWhole(file: OpenFile, bytes: Uint8Array, path: string): Promise<void> {
  const taken = await file.append(bytes);
  if (taken === bytes.length) return;
  throw Object.assign(new Error(`Wrote ${taken} of ${bytes.length} bytes to ${path}`), { code: 'ENOSPC' });
}
