/** Locks a cache folder: a lock that was left behind is taken over, and a refusal says who holds it. */

import { readdir } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { threadId } from 'node:worker_threads';
import { CacheError } from '../../errors.js';
import { FolderLock, type HeldLock, isAbandoned, removeLeftovers } from './folder-lock.js';
import { warnedOfTwin } from './folder-warnings.js';
import { type DirectoryHolder, describeHolder, type HolderNote, holderOf, isOwn } from './holder-note.js';
import { Membership } from './membership.js';

export type { DirectoryHolder } from './holder-note.js';

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

/** What is locked: the folder itself, or its consolidation. */
export type LockPurpose = 'claim' | 'consolidation';

/** A request for a folder. */
export interface LockRequest {
  /** The folder; it must be there. */
  readonly folder: string;
  readonly purpose: LockPurpose;
  /**
   * A holder that gives no sign of life for so long, in ms, has left.
   * @default 5000
   */
  readonly staleAfter?: number;
  /** Called when the lock is lost to somebody else, or its lock folder was removed. */
  readonly onLost: (cause: Error) => void;
}

/** A lock that is held. */
export interface LockHandle {
  release(): Promise<void>;
}

const defaultStaleAfter = 5_000;
/** After a lock was freed, two may believe that they have it: whoever wrote the note last has. */
const settleTime = 150;

/** @throws DirectoryTakenError that says who has it */
export async function acquireLock(request: LockRequest): Promise<LockHandle> {
  const held = await takeLock(request);
  // What can't be listed or removed does no harm, and the next who takes the lock tries again.
  const names = await readdir(request.folder).catch(() => []);
  await removeLeftovers(request.folder, names, () => undefined);
  return held;
}

async function takeLock(request: LockRequest): Promise<HeldLock> {
  const { folder, purpose, staleAfter = defaultStaleAfter, onLost } = request;
  const lock = new FolderLock(folder, purpose);
  const held = await lock.acquire(onLost);
  if (held !== undefined) return held;
  // Before its note, so that the lock folder of a new owner is not judged by the note of the one who has left.
  const seen = await lock.stat();
  const note = await lock.note();
  if (!(await isAbandoned(lock, note, staleAfter))) throw takenError(folder, purpose, note);
  const latest = await lock.note();
  if (latest?.token !== note?.token) throw takenError(folder, purpose, latest);
  const isFree = seen === undefined || (await lock.removeFolder(seen));
  if (!isFree) throw takenError(folder, purpose, await lock.note());
  const newOwner = await lock.acquire(onLost);
  if (newOwner === undefined) throw takenError(folder, purpose, await lock.note());
  await delay(settleTime);
  const winner = await lock.note();
  if (winner?.token === newOwner.token) return newOwner;
  await newOwner.release();
  throw takenError(folder, purpose, winner);
}

/** Fails when somebody holds the folder. @throws DirectoryTakenError */
export async function assertNotLocked(folder: string, staleAfter = defaultStaleAfter): Promise<void> {
  const lock = new FolderLock(folder, 'claim');
  if ((await lock.refreshedAt()) === undefined) return;
  const note = await lock.note();
  if (!(await isAbandoned(lock, note, staleAfter))) throw takenError(folder, 'claim', note);
}

/** Whether somebody holds the folder, as far as can be told at once. */
export function isLockedNow(folder: string): boolean {
  return new FolderLock(folder, 'claim').isHeldNow();
}

/**
 * Fails when processes share the folder.
 * @param onFailure hears of what could not be removed of those that have left
 * @throws DirectoryTakenError that names the one that has been there longest
 */
export async function assertNotShared(folder: string, onFailure: (error: unknown) => void): Promise<void> {
  const [first, ...others] = await new Membership(folder).sweep(onFailure);
  if (first === undefined) return;
  const who = first.holder === undefined ? 'a process that has left no note' : describeHolder(first.holder);
  const more = others.length === 0 ? '' : ` and ${others.length} more`;
  const message = `${folder} is shared by ${who}${more}: close the caches there, use another \`persistDir\`, or share it with \`mode: 'multi'\` here too`;
  throw new DirectoryTakenError(message, first.holder);
}

function takenError(folder: string, purpose: LockPurpose, note: HolderNote | undefined): DirectoryTakenError {
  const holder = holderOf(note);
  const isOurs = note !== undefined && isOwn(note);
  // No module was evaluated again where another thread has it.
  const isTwin = isOurs && (note.thread ?? 0) === threadId;
  if (purpose === 'claim' && isTwin) return new DirectoryTakenError(warnedOfTwin(folder), holder);
  const named = holder === undefined ? 'another process, which has left no note' : describeHolder(holder);
  const who = isOurs && !isTwin ? 'another thread of this process' : named;
  const message =
    purpose === 'claim'
      ? `${folder} is taken by ${who}: close that cache, use another \`persistDir\`, or share it with \`mode: 'multi'\` in all of them`
      : `${folder} is being consolidated by ${who}`;
  return new DirectoryTakenError(message, holder);
}
