/** A lock folder and the note beside it: who holds something of a cache folder, and whether they have left it behind. */

import { readFileSync, readlinkSync } from 'node:fs';
import { lstat, readFile, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { lock } from 'proper-lockfile';
import { hasCode } from './file-system.js';
import { randomId } from './partition-file-maker.js';
import { temporaryFileName } from './partition-path.js';

/** Who holds a folder. */
export interface DirectoryHolder {
  readonly host: string;
  readonly pid: number;
  /** Epoch ms. */
  readonly since: number;
}

/** What a holder leaves beside its lock folder. */
export interface HolderNote extends DirectoryHolder {
  /** Where the process id means something: ids of two containers on one host are strangers, as are those of two hosts. */
  readonly space: string;
  /** Tells this holder from all others. */
  readonly token: string;
}

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

/** A lock folder as it was seen. */
export interface LockSight {
  /** Tells it from one that was made in its place. */
  readonly identity: string;
  /** Epoch ms, by the file system's clock. */
  readonly madeAt: number;
  /** When its holder last gave a sign of life, epoch ms by the holder's clock. */
  readonly datedAt: number;
}

export class LockPlace {
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

  /** Takes the place; `undefined` when it is taken, by whomever. Who loses it hears of that. */
  async hold(onLost: (cause: Error) => void): Promise<Holding | undefined> {
    const holding = new Holding(this, onLost);
    return (await holding.take()) ? holding : undefined;
  }

  /** The lock folder, or whatever lies in its place; `undefined` when nothing does. */
  sight(): Promise<LockSight | undefined> {
    return sightOf(this.lockFolder);
  }

  /** When the holder last gave a sign of life, by its own clock; `undefined` when there is no lock. */
  async datedAt(): Promise<number | undefined> {
    return (await this.sight())?.datedAt;
  }

  /** When the note was written, epoch ms by the file system's clock; `undefined` when there is none. */
  async notedAt(): Promise<number | undefined> {
    return (await sightOf(this.#notePath))?.datedAt;
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

  async writeNote(note: HolderNote): Promise<void> {
    const temporary = join(this.#folder, temporaryFileName(randomId()));
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
    await this.clear();
    await this.removeNote();
  }

  /**
   * Takes the lock folder away with whatever lies in it, or only that which was `seen`. Moved first, since only one of
   * many can do that, and looked at again afterwards: somebody else may have been faster, and hold it by now.
   * @returns whether it was taken away
   */
  async clear(seen?: LockSight): Promise<boolean> {
    if (seen !== undefined && !isSame(await this.sight(), seen)) return false;
    const aside = join(this.#folder, `.${randomId()}.lock`);
    try {
      await rename(this.lockFolder, aside);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return false;
      throw error;
    }
    const isMeant = seen === undefined || isSame(await sightOf(aside), seen);
    // Where it can't go back, somebody has taken the place meanwhile, and the one who loses it hears of that.
    if (!isMeant && (await isDone(rename(aside, this.lockFolder)))) return false;
    await rm(aside, { recursive: true, force: true });
    return isMeant;
  }
}

/** A place that is held. */
export class Holding {
  readonly #place: LockPlace;
  readonly #onLost: (cause: Error) => void;
  readonly #note: HolderNote = {
    host: hostname(),
    pid: process.pid,
    since: Date.now(),
    space: ownSpace(),
    token: randomId(),
  };
  #unlock: (() => Promise<void>) | undefined;
  #identity: string | undefined;

  constructor(place: LockPlace, onLost: (cause: Error) => void) {
    this.#place = place;
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
      this.#identity = (await this.#place.sight())?.identity;
      await this.#place.writeNote(this.#note);
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
    const identity = (await this.#place.sight())?.identity;
    // Somebody else has it by now: it is not ours to free, and our own signs of life end when they notice.
    if (identity !== undefined && identity !== this.#identity) return;
    if ((await this.#place.note())?.token === this.token) await this.#place.removeNote();
    try {
      await unlock();
    } catch (error) {
      // It was lost a moment ago, and that was told.
      if (!hasCode(error, 'ERELEASED', 'ENOTACQUIRED')) throw error;
    }
  }

  async #lock(): Promise<(() => Promise<void>) | undefined> {
    const { path, lockFolder } = this.#place;
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
 * Whether a holder has left its place behind: its process has ended, as far as that can be told from here, or it gives
 * no sign of life for `staleAfter` ms.
 */
export async function isAbandoned(
  place: LockPlace,
  note: HolderNote | undefined,
  staleAfter: number,
): Promise<boolean> {
  if (hasEnded(note) && (await isOfNote(place))) return true;
  const first = await place.datedAt();
  if (first === undefined) return true;
  const age = Date.now() - first;
  if (age < staleAfter && age > -datingSlack) return false;
  // Left behind, or ours and theirs are clocks that disagree: only signs of life tell.
  const watch = Math.min(staleAfter, age > 0 ? heartbeat * 2.5 : longestWatch);
  for (let waited = 0; waited < watch; waited += watchInterval) {
    await delay(watchInterval);
    const dated = await place.datedAt();
    if (dated === undefined) return true;
    if (dated !== first) return false;
  }
  return true;
}

/** Whether the process that left a note is known to have ended. */
export function hasEnded(note: HolderNote | undefined): boolean {
  return note !== undefined && isNear(note) && !isAlive(note.pid);
}

/** Whether the lock folder was made before the note: one that was made later is of an heir who has yet to write its own. */
async function isOfNote(place: LockPlace): Promise<boolean> {
  const [seen, notedAt] = await Promise.all([place.sight(), place.notedAt()]);
  return seen === undefined || (notedAt !== undefined && seen.madeAt <= notedAt);
}

/** What a note says of its holder. */
export function holderOf(note: HolderNote | undefined): DirectoryHolder | undefined {
  return note && { host: note.host, pid: note.pid, since: note.since };
}

/** The holder for people to read. */
export function describeHolder({ host, pid, since }: DirectoryHolder): string {
  return `process ${pid} on ${host} since ${new Date(since).toISOString()}`;
}

async function sightOf(path: string): Promise<LockSight | undefined> {
  try {
    // A symlink is looked at itself: where it leads to is none of ours.
    const { dev, ino, birthtimeMs, mtimeMs } = await lstat(path);
    // Inode numbers are used again at once.
    return { identity: `${dev}:${ino}:${birthtimeMs}`, madeAt: birthtimeMs, datedAt: mtimeMs };
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function isSame(one: LockSight | undefined, other: LockSight): boolean {
  return one?.identity === other.identity && one.datedAt === other.datedAt;
}

function isDone(task: Promise<void>): Promise<boolean> {
  return task.then(
    () => true,
    () => false,
  );
}

function toNote(value: unknown): HolderNote | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { host, pid, since, space, token } = value as Partial<Record<keyof HolderNote, unknown>>;
  if (typeof host !== 'string' || typeof space !== 'string' || typeof token !== 'string') return undefined;
  if (!Number.isSafeInteger(pid) || typeof since !== 'number' || Math.abs(since) > 8.64e15) return undefined;
  return { host, pid: pid as number, since, space, token };
}

function isNear(note: HolderNote): boolean {
  return note.host === hostname() && note.space === ownSpace();
}

function isAlive(pid: number): boolean {
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !hasCode(error, 'ESRCH');
  }
}

/** Where the ids of this process's kin mean something: the running system, and its namespace of process ids. */
function ownSpace(): string {
  return [bootId, namespace].map((read) => orNothing(read)).join(' ');
}

/** Hosts may share a name, and the first namespace has the same number everywhere; this tells them apart. */
const bootId = () => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
const namespace = () => readlinkSync('/proc/self/ns/pid');

function orNothing(read: () => string): string {
  try {
    return read();
  } catch {
    // No such thing here: one space for all of the host.
    return '';
  }
}
