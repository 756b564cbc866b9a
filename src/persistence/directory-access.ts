/** How a disk tier enters its folder: alone, beside others, or without asking. */

import type { Clock, Timer } from '../clock.js';
import { CacheError } from '../errors.js';
import {
  assertUnclaimed,
  claimDirectory,
  type DirectoryClaim,
  DirectoryTakenError,
} from './directory-claim.js';
import { hasCode } from './file-system.js';

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
  release(): Promise<void>;
}

const freeRight: ConsolidationRight = { isHeld: true, release: () => Promise.resolve() };

/** Asks nobody. */
export const freeAccess: DirectoryAccess = {
  enter: () => Promise.resolve(),
  leave: () => Promise.resolve(),
  enterConsolidation: () => Promise.resolve(freeRight),
};

/** Shares the folder, unless somebody has it alone. */
export function sharedAccess(folder: string): DirectoryAccess {
  return {
    enter: () => assertUnclaimed(folder),
    leave: () => Promise.resolve(),
    async enterConsolidation() {
      let isHeld = true;
      const onLost = () => {
        isHeld = false;
      };
      const claim = await claimDirectory({ folder, purpose: 'consolidation', onLost });
      return {
        get isHeld() {
          return isHeld;
        },
        release: () => claim.release(),
      };
    },
  };
}

const retryInterval = 5_000;

/**
 * Has the folder alone. When the claim is lost (a process that stalled for long enough counts as gone), that is told
 * and the claim is tried for again; reading and writing go on meanwhile, since every process writes files of its own.
 */
export class SoleAccess implements DirectoryAccess {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #onError: (error: CacheError) => void;
  #claim: DirectoryClaim | undefined;
  #entering: Promise<void> | undefined;
  #timer: Timer | undefined;
  #hasLeft = false;

  constructor(init: { folder: string; clock: Clock; onError: (error: CacheError) => void }) {
    this.#folder = init.folder;
    this.#clock = init.clock;
    this.#onError = init.onError;
  }

  enter(): Promise<void> {
    if (this.#claim !== undefined) return Promise.resolve();
    this.#entering ??= claimDirectory({
      folder: this.#folder,
      purpose: 'claim',
      onLost: (cause) => this.#lost(cause),
    })
      .then((claim) => {
        this.#claim = claim;
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
    const claim = this.#claim;
    this.#claim = undefined;
    await claim?.release();
  }

  enterConsolidation(): Promise<ConsolidationRight> {
    return Promise.resolve(freeRight);
  }

  #lost(cause: Error): void {
    this.#claim = undefined;
    const message = `The claim on ${this.#folder} was lost: this process gave no sign of life, or its lock folder was removed`;
    this.#onError(new DirectoryTakenError(message, undefined, { cause }));
    this.#retryLater();
  }

  /** Nobody has it, but the disk does not take the claim. What is there can be read all the same. */
  #failed(error: unknown): void {
    if (hasCode(error, 'EROFS', 'EACCES', 'EPERM')) return;
    this.#onError(new CacheError('ERR_STORAGE', `Claiming ${this.#folder} failed`, { cause: error }));
    this.#retryLater();
  }

  #retryLater(): void {
    if (this.#hasLeft) return;
    this.#timer?.cancel();
    // Taken meanwhile: told when it was lost, and tried again until it is free.
    const retry = () => this.enter().catch(() => this.#retryLater());
    this.#timer = this.#clock.schedule(() => void retry(), retryInterval);
  }
}
