/** A claim on a cache folder: who holds it, and how one that was left behind is freed. */

import { readlinkSync } from 'node:fs';
import { readFile, rename, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { lock } from 'proper-lockfile';
import { CacheError } from '../errors.js';
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

/** The folder is another's. */
export class DirectoryTakenError extends CacheError {
  /** `undefined` when the holder has left no note. */
  readonly holder: DirectoryHolder | undefined;

  constructor(message: string, holder: DirectoryHolder | undefined, options?: ErrorOptions) {
    super('ERR_DIRECTORY_TAKEN', message, options);
    this.name = 'DirectoryTakenError';
    this.holder = holder;
  }
}

/** What is claimed: the folder itself, or the right to consolidate it. */
export type ClaimPurpose = 'claim' | 'consolidation';

/** A request for a folder. */
export interface ClaimRequest {
  /** The folder; it must be there. */
  readonly folder: string;
  readonly purpose: ClaimPurpose;
  /**
   * A holder that gives no sign of life for so long, in ms, has left.
   * @default 5000
   */
  readonly staleAfter?: number;
  /** Called when the claim is lost to somebody else, or its lock folder was removed. */
  readonly onLost: (cause: Error) => void;
}

/** A claim that is held. */
export interface DirectoryClaim {
  release(): Promise<void>;
}

interface Note extends DirectoryHolder {
  /** Where the process id means something: ids of two containers on one host are strangers. */
  readonly space: string;
  /** Tells this claim from all others. */
  readonly token: string;
}

/** How often a holder gives a sign of life; the shortest that proper-lockfile offers. */
const heartbeat = 1_000;
const defaultStaleAfter = 5_000;
/** Lock folders are dated in whole seconds on some file systems, rounded up. */
const datingSlack = 2_000;
/** How often a lock folder is looked at for a sign of life. */
const watchInterval = 200;
/** After a lock was freed, two may believe that they have it: whoever wrote the note last has. */
const settleTime = 150;
/**
 * From when on proper-lockfile itself takes a lock for left behind, by comparing clocks. Far beyond what clocks are off,
 * since only watching for signs of life tells the truth.
 */
const libraryStale = 7 * 86_400_000;

/** @throws DirectoryTakenError that says who has it */
export async function claimDirectory(request: ClaimRequest): Promise<DirectoryClaim> {
  const claim = new Claim(request);
  await claim.take();
  return claim;
}

/** Fails when somebody holds the folder. @throws DirectoryTakenError */
export async function assertUnclaimed(folder: string, staleAfter = defaultStaleAfter): Promise<void> {
  const place = new LockPlace(folder, 'claim');
  if ((await place.datedAt()) === undefined) return;
  const note = await place.note();
  if (!(await isAbandoned(place, note, staleAfter))) throw takenError(folder, 'claim', note);
}

class Claim implements DirectoryClaim {
  readonly #request: ClaimRequest;
  readonly #place: LockPlace;
  readonly #note: Note;
  #unlock: (() => Promise<void>) | undefined;

  constructor(request: ClaimRequest) {
    this.#request = request;
    this.#place = new LockPlace(request.folder, request.purpose);
    this.#note = {
      host: hostname(),
      pid: process.pid,
      since: Date.now(),
      space: ownSpace(),
      token: randomId(),
    };
  }

  async take(): Promise<void> {
    const { folder, purpose, staleAfter = defaultStaleAfter } = this.#request;
    if (await this.#lock()) return this.#leaveNote();
    const note = await this.#place.note();
    if (!(await isAbandoned(this.#place, note, staleAfter))) throw takenError(folder, purpose, note);
    const latest = await this.#place.note();
    if (latest?.token !== note?.token) throw takenError(folder, purpose, latest);
    await this.#place.clear();
    if (!(await this.#lock())) throw takenError(folder, purpose, await this.#place.note());
    await this.#leaveNote();
    await delay(settleTime);
    const winner = await this.#place.note();
    if (winner?.token === this.#note.token) return;
    this.#unlock = undefined;
    throw takenError(folder, purpose, winner);
  }

  async release(): Promise<void> {
    const unlock = this.#unlock;
    this.#unlock = undefined;
    if (unlock === undefined) return;
    if ((await this.#place.note())?.token === this.#note.token) await this.#place.removeNote();
    try {
      await unlock();
    } catch (error) {
      // It was lost a moment ago, and that was told.
      if (!hasCode(error, 'ERELEASED', 'ENOTACQUIRED')) throw error;
    }
  }

  async #lock(): Promise<boolean> {
    const { folder, onLost } = this.#request;
    try {
      this.#unlock = await lock(join(folder, this.#request.purpose), {
        lockfilePath: this.#place.lockFolder,
        realpath: false,
        stale: libraryStale,
        update: heartbeat,
        onCompromised: (error) => {
          if (this.#unlock === undefined) return;
          this.#unlock = undefined;
          onLost(error);
        },
      });
      return true;
    } catch (error) {
      if (hasCode(error, 'ELOCKED', 'ENOTEMPTY', 'EEXIST')) return false;
      throw error;
    }
  }

  async #leaveNote(): Promise<void> {
    try {
      await this.#place.writeNote(this.#note);
    } catch (error) {
      await this.release().catch(() => undefined);
      throw error;
    }
  }
}

/** A lock folder and the note beside it. */
class LockPlace {
  readonly lockFolder: string;
  readonly #folder: string;
  readonly #notePath: string;

  constructor(folder: string, purpose: ClaimPurpose) {
    this.#folder = folder;
    this.lockFolder = join(folder, `.${purpose}.lock`);
    this.#notePath = join(folder, `.${purpose}.json`);
  }

  /** When the holder last gave a sign of life, by its own clock; `undefined` when there is no lock. */
  async datedAt(): Promise<number | undefined> {
    try {
      return (await stat(this.lockFolder)).mtimeMs;
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  /** The holder's note, if there is one that can be read. */
  async note(): Promise<Note | undefined> {
    try {
      return toNote(JSON.parse(await readFile(this.#notePath, 'utf8')));
    } catch (error) {
      if (error instanceof SyntaxError || hasCode(error, 'ENOENT', 'EACCES', 'EISDIR')) return undefined;
      throw error;
    }
  }

  async writeNote(note: Note): Promise<void> {
    const temporary = join(this.#folder, temporaryFileName(randomId()));
    await writeFile(temporary, `${JSON.stringify(note)}\n`, { flag: 'wx', mode: 0o600 });
    await rename(temporary, this.#notePath);
  }

  async removeNote(): Promise<void> {
    await unlink(this.#notePath).catch((error: unknown) => {
      if (!hasCode(error, 'ENOENT')) throw error;
    });
  }

  /** Takes the lock folder away with whatever lies in it. Moved first, since only one of many can do that. */
  async clear(): Promise<void> {
    const aside = join(this.#folder, `.${randomId()}.lock`);
    try {
      await rename(this.lockFolder, aside);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return;
      throw error;
    }
    await rm(aside, { recursive: true, force: true });
  }
}

async function isAbandoned(place: LockPlace, note: Note | undefined, staleAfter: number): Promise<boolean> {
  if (note !== undefined && isNear(note) && !isAlive(note.pid)) return true;
  const first = await place.datedAt();
  if (first === undefined) return true;
  const age = Date.now() - first;
  if (age < staleAfter && age > -datingSlack) return false;
  // Left behind, or ours and theirs are clocks that disagree: only signs of life tell.
  const watch = age > 0 ? Math.min(staleAfter, heartbeat * 2.5) : staleAfter;
  for (let waited = 0; waited < watch; waited += watchInterval) {
    await delay(watchInterval);
    const dated = await place.datedAt();
    if (dated === undefined) return true;
    if (dated !== first) return false;
  }
  return true;
}

function takenError(folder: string, purpose: ClaimPurpose, note: Note | undefined): DirectoryTakenError {
  const holder = note && { host: note.host, pid: note.pid, since: note.since };
  const who =
    holder === undefined
      ? 'another process, which has left no note'
      : `process ${holder.pid} on ${holder.host} since ${new Date(holder.since).toISOString()}`;
  const message =
    purpose === 'claim'
      ? `${folder} is taken by ${who}: close that cache, use another \`persistDir\`, or share it with \`mode: 'multi'\` in all of them`
      : `${folder} is being consolidated by ${who}`;
  return new DirectoryTakenError(message, holder);
}

function toNote(value: unknown): Note | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { host, pid, since, space, token } = value as Partial<Record<keyof Note, unknown>>;
  if (typeof host !== 'string' || typeof space !== 'string' || typeof token !== 'string') return undefined;
  if (!Number.isSafeInteger(pid) || typeof since !== 'number' || Math.abs(since) > 8.64e15) return undefined;
  return { host, pid: pid as number, since, space, token };
}

function isNear(note: Note): boolean {
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

/** The namespace of process ids, where the system has such. */
function ownSpace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    // No such thing here: one space for all.
    return '';
  }
}
