/**
 * Who shares a cache folder: every process holds a lock folder and a note in `.presence/`, named for its writer. So
 * others can tell whether the writer of a file has left, and who wants the folder alone sees that it is shared.
 */

import { existsSync, readdirSync } from 'node:fs';
import { lstat, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CacheError } from '../../errors.js';
import { hasCode } from '../file-system.js';
import { FolderLock, type HeldLock, isAbandoned, removeLeftovers } from './folder-lock.js';
import { type DirectoryHolder, type HolderNote, hasEnded, holderOf, isOfLocalThread } from './holder-note.js';

/** A process that shares a folder. */
export interface MemberProcess {
  /** The id of its writer, 16 hex digits. */
  readonly writer: string;
  /** `undefined` when it has left no note. */
  readonly holder: DirectoryHolder | undefined;
}

/** The folder below the cache folder that lock folders and notes lie in. */
export const membershipFolder = '.presence';
/**
 * A process that gives no sign of life for so long has left, unless it is known to have ended before. What is left
 * behind costs little; taking somebody who is only slow for gone costs another append.
 */
const staleAfter = 60_000;
/** The same for a worker thread of this machine, of which nothing but its silence tells that it was terminated. */
const threadStaleAfter = 5_000;
const lockPattern = /^\.([0-9a-f]{16})\.(?:lock|json)$/;
/** The writer that a name below that folder speaks of, if it does of any. */
export const writerIn = (name: string): string | undefined => lockPattern.exec(name)?.[1];

/** Whether anybody shares the folder, as far as can be told at once. */
export function isSharedNow(folder: string): boolean {
  const members = join(folder, membershipFolder);
  if (!existsSync(members)) return false;
  return readdirSync(members).some((name) => {
    const writer = writerIn(name);
    return writer !== undefined && new FolderLock(members, writer).isHeldNow();
  });
}

/** The processes that share a folder. */
export class Membership {
  readonly #folder: string;
  /** When each writer had given its last sign of life at the last look, by its own clock. */
  readonly #refreshes = new Map<string, number>();

  /** @param folder the cache folder */
  constructor(folder: string) {
    this.#folder = join(folder, membershipFolder);
  }

  /**
   * Enters a process. To be done before it writes, and before it looks whether somebody has the folder alone: of two
   * who enter at once in different ways, one at least then sees the other.
   */
  async enter(request: {
    readonly writer: string;
    readonly folderMode: number;
    readonly onLost: (cause: Error) => void;
  }): Promise<HeldLock> {
    await this.#makeFolder(request.folderMode);
    const lock = this.#lockOf(request.writer);
    // Nobody else has a lock of this name: what lies there is of an earlier membership.
    await lock.removeFolder();
    const holding = await lock.acquire(request.onLost);
    if (holding !== undefined) return holding;
    throw new CacheError('ERR_STORAGE', `Expected the id of the writer ${request.writer} to be its own`);
  }

  /** Whether a writer has left, or was never there. */
  async hasLeft(writer: string): Promise<boolean> {
    return (await this.#lockOf(writer).refreshedAt()) === undefined;
  }

  /** Tells who is there, longest first, and removes what others have left behind. */
  async sweep(onFailure: (error: unknown) => void): Promise<MemberProcess[]> {
    try {
      const names = await this.#list();
      const writers = new Set(names.flatMap((name) => writerIn(name) ?? []));
      for (const known of this.#refreshes.keys()) if (!writers.has(known)) this.#refreshes.delete(known);
      const present = await Promise.all([...writers].map((writer) => this.#look(writer, onFailure)));
      await removeLeftovers(this.#folder, names, onFailure);
      const since = ({ holder }: MemberProcess) => holder?.since ?? Number.POSITIVE_INFINITY;
      return present.filter((one) => one !== undefined).sort((a, b) => since(a) - since(b));
    } catch (error) {
      throw new CacheError('ERR_STORAGE', `Reading which processes share ${this.#folder} failed`, {
        cause: error,
      });
    }
  }

  /** The process of a writer if it is there; what it has left behind is removed. */
  async #look(writer: string, onFailure: (error: unknown) => void): Promise<MemberProcess | undefined> {
    const lock = this.#lockOf(writer);
    const note = await lock.note();
    const isGone =
      !(await this.#isRefreshed(lock, writer, note)) &&
      (await isAbandoned(lock, note, isOfLocalThread(note) ? threadStaleAfter : staleAfter));
    // Another note: it has come back meanwhile.
    if (!isGone || (await lock.note())?.token !== note?.token) return { writer, holder: holderOf(note) };
    this.#refreshes.delete(writer);
    await lock.remove().catch(onFailure);
    return undefined;
  }

  /** Whether a writer has given a sign of life since the last look: then it needs no watching, however far its clock is off. */
  async #isRefreshed(lock: FolderLock, writer: string, note: HolderNote | undefined): Promise<boolean> {
    const dated = await lock.refreshedAt();
    const known = this.#refreshes.get(writer);
    if (dated !== undefined) this.#refreshes.set(writer, dated);
    return dated !== undefined && known !== undefined && dated !== known && !hasEnded(note);
  }

  #lockOf(writer: string): FolderLock {
    return new FolderLock(this.#folder, writer);
  }

  async #list(): Promise<string[]> {
    try {
      return await readdir(this.#folder);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return [];
      throw error;
    }
  }

  async #makeFolder(mode: number): Promise<void> {
    try {
      await mkdir(this.#folder, { mode });
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
    }
    // A symlink would lead out of the cache folder.
    if ((await lstat(this.#folder)).isDirectory()) return;
    throw Object.assign(new Error(`Expected a folder at ${this.#folder}`), { code: 'ENOTDIR' });
  }
}
