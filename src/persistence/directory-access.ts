/** How a disk tier enters its folder: alone, beside others, or without asking. */

import type { Clock, Timer } from '../clock.js';
import { CacheError } from '../errors.js';
import {
  assertUnclaimed,
  assertUnshared,
  claimDirectory,
  type DirectoryClaim,
  DirectoryTakenError,
} from './directory-claim.js';
import type { ResolvedDiskOptions } from './disk-options.js';
import { hasCode } from './file-system.js';
import { PresenceList } from './presence.js';

/** The right to use a folder. */
export interface DirectoryAccess {
  /** Gets it, if it is not had already. Rejects when it is another's. */
  enter(): Promise<void>;
  leave(): Promise<void>;
  /** Gets the right to consolidate. It saves work, no more: two that consolidate at once do no harm. */
  enterConsolidation(): Promise<ConsolidationRight>;
}

/** The right to consolidate a folder. */
export interface ConsolidationRight {
  /** Whether it was not lost to somebody else meanwhile. */
  readonly isHeld: boolean;
  /** Whether a writer has left the folder, as far as is known: a frozen one may come back. */
  hasLeft(writer: string): Promise<boolean>;
  release(): Promise<void>;
}

/** What entering a folder takes. */
export interface AccessInit {
  readonly options: Pick<ResolvedDiskOptions, 'persistDir' | 'dirMode' | 'mode'>;
  readonly clock: Clock;
  /** The id of this process's writer. */
  readonly writer: string;
  readonly onError: (error: CacheError) => void;
  /** Called where a folder is had alone: while the claim is lost, others may have written. */
  readonly onOthers?: () => void;
}

const freeRight: ConsolidationRight = {
  isHeld: true,
  hasLeft: () => Promise.resolve(false),
  release: () => Promise.resolve(),
};

/** Asks nobody. */
export const freeAccess: DirectoryAccess = {
  enter: () => Promise.resolve(),
  leave: () => Promise.resolve(),
  enterConsolidation: () => Promise.resolve(freeRight),
};

/** The access that `mode` asks for. */
export function accessByMode(init: AccessInit): DirectoryAccess {
  return init.options.mode === 'multi' ? sharedAccess(init) : soleAccess(init);
}

/**
 * Has the folder alone. When the claim is lost (a process that stalled for long enough counts as gone), that is told
 * and the claim is tried for again; reading and writing go on meanwhile, since every process writes files of its own,
 * and what others have written is taken in at every try.
 */
function soleAccess({ options, clock, onError, onOthers = () => undefined }: AccessInit): DirectoryAccess {
  const folder = options.persistDir;
  const stay = new Stay({
    clock,
    onError,
    onOthers,
    async take(onLost) {
      const claim = await claimDirectory({ folder, purpose: 'claim', onLost });
      try {
        // Not before: who shares it looks for a claim after having entered, so one of the two sees the other.
        await assertUnshared(folder, (error) => onError(leftoverError(folder, error)));
        return claim;
      } catch (error) {
        await claim.release();
        throw error;
      }
    },
    failure: `Claiming ${folder} failed`,
    loss: `The claim on ${folder} was lost: this process gave no sign of life, or its lock folder was removed`,
  });
  return {
    enter: () => stay.enter(),
    leave: () => stay.leave(),
    enterConsolidation: () => Promise.resolve(freeRight),
  };
}

/**
 * Shares the folder, unless somebody has it alone. Who stalls for long enough counts as gone and enters again: at most,
 * others have taken its files out of its hands, which it notices at its next append.
 */
function sharedAccess({ options, clock, writer, onError }: AccessInit): DirectoryAccess {
  const folder = options.persistDir;
  const presence = new PresenceList(folder);
  const stay = new Stay({
    clock,
    onError,
    async take(onLost) {
      const entering = presence.enter({ writer, folderMode: options.dirMode, onLost });
      // Whatever comes of it: nobody shares a folder that somebody has alone.
      const place = await entering.catch(() => undefined);
      try {
        await assertUnclaimed(folder);
      } catch (error) {
        await place?.release().catch((failure: unknown) => onError(leftoverError(folder, failure)));
        throw error;
      }
      return place ?? entering;
    },
    failure: `Telling others that ${folder} is shared failed`,
  });
  return {
    enter: () => stay.enter(),
    leave: () => stay.leave(),
    async enterConsolidation() {
      const onFailure = (error: unknown) => onError(leftoverError(folder, error));
      // Before the claim, which is not to grow old over it. Where it fails, who left without a word counts as there.
      await presence.sweep(onFailure).catch(onFailure);
      let isHeld = true;
      const onLost = () => {
        isHeld = false;
      };
      const claim = await claimDirectory({ folder, purpose: 'consolidation', onLost });
      return {
        get isHeld() {
          return isHeld;
        },
        // Who could not enter itself can't expect that others could.
        hasLeft: async (one) => stay.isHeld && (await presence.hasLeft(one)),
        release: () => claim.release(),
      };
    },
  };
}

function leftoverError(folder: string, cause: unknown): CacheError {
  const message = `Removing what processes that have left ${folder} have left behind failed`;
  return new CacheError('ERR_STORAGE', message, { cause });
}

/** What a stay is made from. */
interface StayInit {
  readonly clock: Clock;
  readonly onError: (error: CacheError) => void;
  readonly take: (onLost: (cause: Error) => void) => Promise<DirectoryClaim>;
  /** What to say when the disk does not take it. */
  readonly failure: string;
  /** What to say when it is lost; without it, it is taken again at once, and only told when that is refused. */
  readonly loss?: string;
  /** Called when it was lost, and after every try to have it again. */
  readonly onOthers?: () => void;
}

const retryInterval = 5_000;

/** A place in a folder: taken once, and again when it was lost. */
class Stay {
  readonly #init: StayInit;
  #place: DirectoryClaim | undefined;
  #entering: Promise<void> | undefined;
  #timer: Timer | undefined;
  #hasLeft = false;

  constructor(init: StayInit) {
    this.#init = init;
  }

  get isHeld(): boolean {
    return this.#place !== undefined;
  }

  enter(): Promise<void> {
    if (this.#place !== undefined) return Promise.resolve();
    this.#entering ??= this.#init
      .take((cause) => this.#lost(cause))
      .then((place) => {
        this.#place = place;
      })
      .catch((error: unknown) => {
        if (error instanceof DirectoryTakenError) throw error;
        this.#failed(error);
      })
      .finally(() => {
        this.#entering = undefined;
      });
    return this.#entering;
  }

  async leave(): Promise<void> {
    this.#hasLeft = true;
    this.#timer?.cancel();
    await this.#entering?.catch(() => undefined);
    const place = this.#place;
    this.#place = undefined;
    await place?.release();
  }

  #lost(cause: Error): void {
    this.#place = undefined;
    if (this.#hasLeft) return;
    const { loss, onError } = this.#init;
    if (loss === undefined) {
      this.enter().catch((error: CacheError) => {
        onError(error);
        this.#retryLater();
      });
      return;
    }
    onError(new DirectoryTakenError(loss, undefined, { cause }));
    this.#init.onOthers?.();
    this.#retryLater();
  }

  /** Nobody has it, but the disk does not take the place. What is there can be read all the same. */
  #failed(error: unknown): void {
    if (hasCode(error, 'EROFS', 'EACCES', 'EPERM')) return;
    this.#init.onError(new CacheError('ERR_STORAGE', this.#init.failure, { cause: error }));
    this.#retryLater();
  }

  #retryLater(): void {
    if (this.#hasLeft) return;
    this.#timer?.cancel();
    // Taken meanwhile: told when it was lost, and tried again until it is free.
    const retry = async () => {
      await this.enter().catch(() => this.#retryLater());
      if (!this.#hasLeft) this.#init.onOthers?.();
    };
    this.#timer = this.#init.clock.schedule(() => void retry(), retryInterval);
  }
}
