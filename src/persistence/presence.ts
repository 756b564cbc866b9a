/**
 * Who shares a cache folder: every process holds a lock folder and a note in `.presence/`, named for its writer. So
 * others can tell whether the writer of a file has left, and who wants the folder alone sees that it is shared.
 */

import { lstat, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CacheError } from '../errors.js';
import { hasCode } from './file-system.js';
import {
  type DirectoryHolder,
  type HolderNote,
  type Holding,
  hasEnded,
  holderOf,
  isAbandoned,
  LockPlace,
} from './lock-place.js';

/** A process that shares a folder. */
export interface PresentProcess {
  /** The id of its writer, 16 hex digits. */
  readonly writer: string;
  /** `undefined` when it has left no note. */
  readonly holder: DirectoryHolder | undefined;
}

/** The folder below the cache folder that lock folders and notes lie in. */
const presenceFolder = '.presence';
/**
 * A process that gives no sign of life for so long has left, unless it is known to have ended before. What is left
 * behind costs little; taking somebody who is only slow for gone costs another append.
 */
const staleAfter = 60_000;
const placePattern = /^\.([0-9a-f]{16})\.(?:lock|json)$/;
/** What a crash left of a note being written, or of a lock folder being taken away. */
const leftoverPattern = /^\.[0-9a-f]{32}\.(?:tmp|lock)$/;

/** The processes that share a folder. */
export class PresenceList {
  readonly #folder: string;
  /** When each writer had given its last sign of life at the last look, by its own clock. */
  readonly #dates = new Map<string, number>();

  /** @param folder the cache folder */
  constructor(folder: string) {
    this.#folder = join(folder, presenceFolder);
  }

  /**
   * Enters a process. To be done before it writes, and before it looks whether somebody has the folder alone: of two
   * who enter at once in different ways, one at least then sees the other.
   */
  async enter(request: {
    readonly writer: string;
    readonly folderMode: number;
    readonly onLost: (cause: Error) => void;
  }): Promise<Holding> {
    await this.#makeFolder(request.folderMode);
    const place = this.#placeOf(request.writer);
    // Nobody else has a place of this name: what lies there is of an earlier stay.
    await place.clear();
    const holding = await place.hold(request.onLost);
    if (holding !== undefined) return holding;
    throw new CacheError('ERR_STORAGE', `Expected the id of the writer ${request.writer} to be its own`);
  }

  /** Whether a writer has left, or was never there. */
  async hasLeft(writer: string): Promise<boolean> {
    return (await this.#placeOf(writer).datedAt()) === undefined;
  }

  /** Tells who is there, longest first, and removes what others have left behind. */
  async sweep(onFailure: (error: unknown) => void): Promise<PresentProcess[]> {
    try {
      const names = await this.#list();
      const writers = new Set(names.flatMap((name) => placePattern.exec(name)?.[1] ?? []));
      for (const known of this.#dates.keys()) if (!writers.has(known)) this.#dates.delete(known);
      const present = await Promise.all([...writers].map((writer) => this.#look(writer, onFailure)));
      const leftovers = names.filter((name) => leftoverPattern.test(name));
      await Promise.all(leftovers.map((name) => this.#removeLeftover(name).catch(onFailure)));
      const since = ({ holder }: PresentProcess) => holder?.since ?? Number.POSITIVE_INFINITY;
      return present.filter((one) => one !== undefined).sort((a, b) => since(a) - since(b));
    } catch (error) {
      throw new CacheError('ERR_STORAGE', `Looking who is in ${this.#folder} failed`, { cause: error });
    }
  }

  /** The process of a writer if it is there; what it has left behind is removed. */
  async #look(writer: string, onFailure: (error: unknown) => void): Promise<PresentProcess | undefined> {
    const place = this.#placeOf(writer);
    const note = await place.note();
    const isGone =
      !(await this.#hasMoved(place, writer, note)) && (await isAbandoned(place, note, staleAfter));
    // Another note: it has come back meanwhile.
    if (!isGone || (await place.note())?.token !== note?.token) return { writer, holder: holderOf(note) };
    this.#dates.delete(writer);
    await place.remove().catch(onFailure);
    return undefined;
  }

  /** Whether a writer has given a sign of life since the last look: then it needs no watching, however far its clock is off. */
  async #hasMoved(place: LockPlace, writer: string, note: HolderNote | undefined): Promise<boolean> {
    const dated = await place.datedAt();
    const known = this.#dates.get(writer);
    if (dated !== undefined) this.#dates.set(writer, dated);
    return dated !== undefined && known !== undefined && dated !== known && !hasEnded(note);
  }

  #placeOf(writer: string): LockPlace {
    return new LockPlace(this.#folder, writer);
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

  async #removeLeftover(name: string): Promise<void> {
    const path = join(this.#folder, name);
    try {
      if (Date.now() - (await lstat(path)).mtimeMs < staleAfter) return;
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return;
      throw error;
    }
    await rm(path, { recursive: true, force: true });
  }
}
