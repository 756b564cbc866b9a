/** A claim on a cache folder: one that was left behind is taken over, and a refusal says who has it. */

import { setTimeout as delay } from 'node:timers/promises';
import { CacheError } from '../errors.js';
import {
  type DirectoryHolder,
  describeHolder,
  type HolderNote,
  holderOf,
  isAbandoned,
  LockPlace,
} from './lock-place.js';
import { PresenceList } from './presence.js';

export type { DirectoryHolder } from './lock-place.js';

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

const defaultStaleAfter = 5_000;
/** After a lock was freed, two may believe that they have it: whoever wrote the note last has. */
const settleTime = 150;

/** @throws DirectoryTakenError that says who has it */
export async function claimDirectory(request: ClaimRequest): Promise<DirectoryClaim> {
  const { folder, purpose, staleAfter = defaultStaleAfter, onLost } = request;
  const place = new LockPlace(folder, purpose);
  const held = await place.hold(onLost);
  if (held !== undefined) return held;
  // Before its note, so that it is not an heir's lock folder that is judged by the note of who has left.
  const seen = await place.sight();
  const note = await place.note();
  if (!(await isAbandoned(place, note, staleAfter))) throw takenError(folder, purpose, note);
  const latest = await place.note();
  if (latest?.token !== note?.token) throw takenError(folder, purpose, latest);
  const isFree = seen === undefined || (await place.clear(seen));
  if (!isFree) throw takenError(folder, purpose, await place.note());
  const heir = await place.hold(onLost);
  if (heir === undefined) throw takenError(folder, purpose, await place.note());
  await delay(settleTime);
  const winner = await place.note();
  if (winner?.token === heir.token) return heir;
  await heir.release();
  throw takenError(folder, purpose, winner);
}

/** Fails when somebody holds the folder. @throws DirectoryTakenError */
export async function assertUnclaimed(folder: string, staleAfter = defaultStaleAfter): Promise<void> {
  const place = new LockPlace(folder, 'claim');
  if ((await place.datedAt()) === undefined) return;
  const note = await place.note();
  if (!(await isAbandoned(place, note, staleAfter))) throw takenError(folder, 'claim', note);
}

/**
 * Fails when processes share the folder.
 * @param onFailure hears of what could not be removed of those that have left
 * @throws DirectoryTakenError that names the one that has been there longest
 */
export async function assertUnshared(folder: string, onFailure: (error: unknown) => void): Promise<void> {
  const [first, ...others] = await new PresenceList(folder).sweep(onFailure);
  if (first === undefined) return;
  const who = first.holder === undefined ? 'a process that has left no note' : describeHolder(first.holder);
  const more = others.length === 0 ? '' : ` and ${others.length} more`;
  const message = `${folder} is shared by ${who}${more}: close the caches there, use another \`persistDir\`, or share it with \`mode: 'multi'\` here too`;
  throw new DirectoryTakenError(message, first.holder);
}

function takenError(
  folder: string,
  purpose: ClaimPurpose,
  note: HolderNote | undefined,
): DirectoryTakenError {
  const holder = holderOf(note);
  const who = holder === undefined ? 'another process, which has left no note' : describeHolder(holder);
  const message =
    purpose === 'claim'
      ? `${folder} is taken by ${who}: close that cache, use another \`persistDir\`, or share it with \`mode: 'multi'\` in all of them`
      : `${folder} is being consolidated by ${who}`;
  return new DirectoryTakenError(message, holder);
}
