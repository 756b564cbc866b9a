/** A lock folder and the note beside it: who holds something of a cache folder, and whether they have left it behind. */

import { existsSync, readFileSync } from 'node:fs';
import { lstat, readFile, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { hasCode } from '../file-system.js';
import { randomId, temporaryFileName } from '../format/partition-name.js';

import { type HolderNote, hasEnded, isOwn, ownNote, toNote } from './holder-note.js';
import { loadLock } from './lock-library.js';

/** A longer note is none of ours. */
const maxNoteBytes = 65_536;
/** How often a holder gives a sign of life; the shortest that proper-lockfile offers. */
const heartbeat = 1_000;
/** Lock folders are dated in whole seconds on some file systems, rounded up. */
const datingSlack = 2_000;
/** How often a lock folder is looked at for a sign of life. */
const watchInterval = 200;
/** The longest that is waited for one. */
const longestWatch = 5_000;
/**
 * From when on proper-lockfile itself takes a lock for left behind, by comparing clocks. Far beyond what clocks are off,
 * since only watching for signs of life tells the truth.
 */
const libraryStale = 7 * 86_400_000;
/** What a crash left of a note being written, or of a lock folder being taken away. */
const leftoverPattern = /^\.[0-9a-f]{32}\.(?:tmp|lock)$/;
/** Both take milliseconds: one that is older, in ms, was left. */
const leftoverAge = 60_000;

/** A lock folder as it was seen. */
export interface LockStat {
  /** Tells it from one that was made in its place. */
  readonly identity: string;
  /** Epoch ms, by the file system's clock. */
  readonly createdAt: number;
  /** When its holder last gave a sign of life, epoch ms by the holder's clock. */
  readonly refreshedAt: number;
}

export class FolderLock {
  readonly path: string;
  readonly lockFolder: string;
  readonly #folder: string;
  readonly #notePath: string;

  /** @param name tells it from the other places of its folder */
  constructor(folder: string, name: string) {
    this.path = join(folder, name);
    this.#folder = folder;
    this.lockFolder = join(folder, `.${name}.lock`);
    this.#notePath = join(folder, `.${name}.json`);
  }

  /** Takes the lock; `undefined` when it is taken, by whomever. Who loses it hears of that. */
  async acquire(onLost: (cause: Error) => void): Promise<HeldLock | undefined> {
    const holding = new HeldLock(this, onLost);
    return (await holding.take()) ? holding : undefined;
  }

  /** The lock folder, or whatever lies in its place; `undefined` when nothing does. */
  stat(): Promise<LockStat | undefined> {
    return statOf(this.lockFolder);
  }

  /** When the holder last gave a sign of life, by its own clock; `undefined` when there is no lock. */
  async refreshedAt(): Promise<number | undefined> {
    return (await this.stat())?.refreshedAt;
  }

  /** When the note was written, epoch ms by the file system's clock; `undefined` when there is none. */
  async notedAt(): Promise<number | undefined> {
    return (await statOf(this.#notePath))?.refreshedAt;
  }

  /** The holder's note, if there is one that can be read. */
  async note(): Promise<HolderNote | undefined> {
    try {
      const status = await lstat(this.#notePath);
      // Reading a FIFO would never end.
      if (!status.isFile() || status.size > maxNoteBytes) return undefined;
      return toNote(JSON.parse(await readFile(this.#notePath, 'utf8')));
    } catch (error) {
      if (error instanceof SyntaxError || hasCode(error, 'ENOENT', 'EACCES', 'EISDIR')) return undefined;
      throw error;
    }
  }

  /**
   * Whether somebody holds it, as far as can be told at once, without watching for signs of life. A note of this very
   * process counts as nobody's: it is about to enter itself.
   */
  isHeldNow(): boolean {
    if (!existsSync(this.lockFolder)) return false;
    try {
      const note = toNote(JSON.parse(readFileSync(this.#notePath, 'utf8')));
      return note === undefined || !(hasEnded(note) || isOwn(note));
    } catch {
      // One that can't be read is somebody's, too.
      return true;
    }
  }

  async writeNote(note: HolderNote): Promise<void> {
    const temporary = join(this.#folder, temporaryFileName());
    try {
      await writeFile(temporary, `${JSON.stringify(note)}\n`, { flag: 'wx', mode: 0o600 });
      await rename(temporary, this.#notePath);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  async removeNote(): Promise<void> {
    await unlink(this.#notePath).catch((error: unknown) => {
      if (!hasCode(error, 'ENOENT')) throw error;
    });
  }

  /** Takes away what somebody has left behind. */
  async remove(): Promise<void> {
    await this.removeFolder();
    await this.removeNote();
  }

  /**
   * Takes the lock folder away with whatever lies in it, or only that which was `seen`. Moved first, since only one of
   * many can do that, and looked at again afterwards: somebody else may have been faster, and hold it by now.
   * @returns whether it was taken away
   */
  async removeFolder(seen?: LockStat): Promise<boolean> {
    if (seen !== undefined && !isSame(await this.stat(), seen)) return false;
    const aside = join(this.#folder, `.${randomId()}.lock`);
    try {
      await rename(this.lockFolder, aside);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return false;
      throw error;
    }
    const isMeant = seen === undefined || isSame(await statOf(aside), seen);
    // Where it can't go back, somebody has taken the lock meanwhile, and the one who loses it hears of that.
    if (!isMeant && (await isDone(rename(aside, this.lockFolder)))) return false;
    await rm(aside, { recursive: true, force: true });
    return isMeant;
  }
}

/** A lock that is held. */
export class HeldLock {
  readonly #folderLock: FolderLock;
  readonly #onLost: (cause: Error) => void;
  readonly #note = ownNote();
  #unlock: (() => Promise<void>) | undefined;
  #identity: string | undefined;

  constructor(lock: FolderLock, onLost: (cause: Error) => void) {
    this.#folderLock = lock;
    this.#onLost = onLost;
  }

  /** Tells this holding from all others. */
  get token(): string {
    return this.#note.token;
  }

  async take(): Promise<boolean> {
    this.#unlock = await this.#lock();
    if (this.#unlock === undefined) return false;
    try {
      this.#identity = (await this.#folderLock.stat())?.identity;
      await this.#folderLock.writeNote(this.#note);
    } catch (error) {
      await this.release().catch(() => undefined);
      throw error;
    }
    return true;
  }

  async release(): Promise<void> {
    const unlock = this.#unlock;
    this.#unlock = undefined;
    if (unlock === undefined) return;
    const identity = (await this.#folderLock.stat())?.identity;
    // Somebody else has it by now: it is not ours to free, and our own signs of life end when they notice.
    if (identity !== undefined && identity !== this.#identity) return;
    if ((await this.#folderLock.note())?.token === this.token) await this.#folderLock.removeNote();
    try {
      await unlock();
    } catch (error) {
      // It was lost a moment ago, and that was told.
      if (!hasCode(error, 'ERELEASED', 'ENOTACQUIRED')) throw error;
    }
  }

  async #lock(): Promise<(() => Promise<void>) | undefined> {
    const { path, lockFolder } = this.#folderLock;
    const lock = await loadLock();
    try {
      return await lock(path, {
        lockfilePath: lockFolder,
        realpath: false,
        stale: libraryStale,
        update: heartbeat,
        onCompromised: (error) => {
          if (this.#unlock === undefined) return;
          this.#unlock = undefined;
          this.#onLost(error);
        },
      });
    } catch (error) {
      if (hasCode(error, 'ELOCKED', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR')) return undefined;
      throw error;
    }
  }
}

/**
 * Whether a holder has left its lock behind: its process has ended, as far as that can be told from here, or it gives
 * no sign of life for `staleAfter` ms.
 */
export async function isAbandoned(
  lock: FolderLock,
  note: HolderNote | undefined,
  staleAfter: number,
): Promise<boolean> {
  if (hasEnded(note) && (await isOfNote(lock))) return true;
  const first = await lock.refreshedAt();
  if (first === undefined) return true;
  const age = Date.now() - first;
  if (age < staleAfter && age > -datingSlack) return false;
  // Left behind, or ours and theirs are clocks that disagree: only signs of life tell.
  const watch = Math.min(staleAfter, age > 0 ? heartbeat * 2.5 : longestWatch);
  for (let waited = 0; waited < watch; waited += watchInterval) {
    await delay(watchInterval);
    const dated = await lock.refreshedAt();
    if (dated === undefined) return true;
    if (dated !== first) return false;
  }
  return true;
}

/**
 * Removes what crashes have left of notes and lock folders.
 * @param names what lies in the folder
 */
export async function removeLeftovers(
  folder: string,
  names: readonly string[],
  onFailure: (error: unknown) => void,
): Promise<void> {
  const leftovers = names.filter((name) => leftoverPattern.test(name));
  await Promise.all(leftovers.map((name) => removeLeftover(join(folder, name)).catch(onFailure)));
}

async function removeLeftover(path: string): Promise<void> {
  try {
    if (Date.now() - (await lstat(path)).mtimeMs < leftoverAge) return;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    throw error;
  }
  await rm(path, { recursive: true, force: true });
}

/** Whether the lock folder was made before the note: one that was made later is of a new owner who has yet to write its own. */
async function isOfNote(lock: FolderLock): Promise<boolean> {
  const [seen, notedAt] = await Promise.all([lock.stat(), lock.notedAt()]);
  return seen === undefined || (notedAt !== undefined && seen.createdAt <= notedAt);
}

async function statOf(path: string): Promise<LockStat | undefined> {
  try {
    // A symlink is looked at itself: where it leads to is none of ours.
    const { dev, ino, birthtimeMs, mtimeMs } = await lstat(path);
    // Inode numbers are used again at once.
    return { identity: `${dev}:${ino}:${birthtimeMs}`, createdAt: birthtimeMs, refreshedAt: mtimeMs };
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function isSame(one: LockStat | undefined, other: LockStat): boolean {
  return one?.identity === other.identity && one.refreshedAt === other.refreshedAt;
}

function isDone(task: Promise<void>): Promise<boolean> {
  return task.then(
    () => true,
    () => false,
  );
}
