/**
 * The time of a shared folder: what its file system stamps a new file with. Every process on the folder can ask for it,
 * so stamps that are taken from it have one order, however far the processes' own clocks are apart.
 */

import { join } from 'node:path';
import { type Clock, systemClock } from '../../clock.js';
import type { ClockOffset } from '../../stamp.js';
import type { ResolvedDiskOptions } from '../disk-options.js';
import { type FileSystem, hasCode } from '../file-system.js';
import { temporaryFileName } from '../format/partition-name.js';

import { membershipFolder } from './membership.js';

/** Kernels stamp files with the time of their last tick, which is this long ago at most, in ms. */
const longestTick = 20;
/** Where a file system tells whole seconds only; some (FAT) even ones. */
const coarseTick = 2_000;

/** How the machine's clock stands to the folder's, asked again and again. */
export class FolderTime {
  readonly #measure: (() => Promise<ClockOffset>) | undefined;
  readonly #onOffset: (offset: ClockOffset, setBack: number) => void;
  #offset: ClockOffset = { ahead: 0, uncertainty: 0 };

  /** @param init.isMachines whether the files are the machine's own */
  constructor(init: {
    readonly options: Pick<ResolvedDiskOptions, 'mode' | 'persistDir' | 'fileMode'>;
    readonly clock: Clock;
    readonly files: FileSystem;
    readonly isMachines: boolean;
    readonly onOffset?: (offset: ClockOffset, setBack: number) => void;
  }) {
    const { options, clock, files, isMachines, onOffset } = init;
    const { mode, persistDir, fileMode } = options;
    this.#onOffset = onOffset ?? (() => undefined);
    const folder = join(persistDir, membershipFolder);
    // A folder that is had alone needs none, and a clock of the user's own is taken at its word.
    const isAsked = mode === 'multi' && isMachines && clock === systemClock && onOffset !== undefined;
    const measureIn = (place: string) => measureOffset({ files, folder: place, fileMode, clock });
    // Where that folder is another user's, or could not be made, the cache folder may be written all the same, or says why not.
    const measure = () => measureIn(folder).catch(() => measureIn(persistDir));
    this.#measure = isAsked ? measure : undefined;
  }

  /** By how many ms the machine's clock is ahead. */
  get aheadMs(): number {
    return this.#offset.ahead / 1_000;
  }

  /**
   * Asks the folder for its time.
   * @param restamp called with how many microseconds what was stamped so far is to be set back, where it can be
   */
  async follow(restamp?: (setBack: number) => void): Promise<void> {
    if (this.#measure === undefined) return;
    const offset = await this.#measure().catch(unlessReadOnly);
    if (offset === undefined) return;
    const setBack = restamp === undefined ? 0 : offset.ahead - this.#offset.ahead;
    this.#offset = offset;
    if (setBack !== 0) restamp?.(setBack);
    this.#onOffset(offset, setBack);
  }
}

/** Nothing that this process stamps gets into a folder that it can't write, so its time makes no difference there. */
function unlessReadOnly(error: unknown): undefined {
  if (!hasCode(error, 'EROFS', 'EACCES', 'EPERM')) throw error;
}

/** Asks for the folder's time by making a file in it that is removed at once. */
export async function measureOffset(request: {
  readonly files: FileSystem;
  /** Where the file is made. */
  readonly folder: string;
  readonly fileMode: number;
  readonly clock: Clock;
}): Promise<ClockOffset> {
  const { files, folder, fileMode, clock } = request;
  const path = join(folder, temporaryFileName());
  const earliest = clock.now();
  const file = await files.create(path, fileMode);
  try {
    const { modifiedAt } = await file.status();
    return offsetBetween(modifiedAt, { earliest, latest: clock.now() });
  } finally {
    await file.close();
    await files.unlink(path);
  }
}

/** @param own what the machine's clock told before and after the file was made, in ms */
export function offsetBetween(
  modifiedAt: number,
  own: { readonly earliest: number; readonly latest: number },
): ClockOffset {
  const tick = modifiedAt % 1_000 === 0 ? coarseTick : longestTick;
  // The folder's time was between `modifiedAt` and a tick later, and the machine's between the two that it told.
  const least = own.earliest - modifiedAt - tick;
  const most = own.latest + 1 - modifiedAt;
  const uncertainty = Math.ceil((most - least) * 1_000);
  // As far as can be told it is the same clock, and then it is exact.
  if (least <= 0 && most >= 0) return { ahead: 0, uncertainty };
  return { ahead: Math.round(((least + most) / 2) * 1_000), uncertainty };
}
