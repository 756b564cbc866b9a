/** How a disk tier enters its folder: alone, beside others, or without asking. */

import type { Clock, Timer } from '../../clock.js';
import { CacheError } from '../../errors.js';
import type { ResolvedDiskOptions } from '../disk-options.js';
import { hasCode } from '../file-system.js';
import {
  acquireLock,
  assertNotLocked,
  assertNotShared,
  DirectoryTakenError,
  isLockedNow,
  type LockHandle,
} from './acquire-lock.js';
import { isSharedNow, Membership } from './membership.js';

/** The right to use a folder. */
export interface FolderAccess {
  /** Gets it, if it is not had already. Rejects when it is another's. */
  enter(): Promise<void>;
  /** Whether another has the folder, as far as can be told without waiting: for who writes as the process exits. */
  isTaken(): boolean;
  leave(): Promise<void>;
  /** Gets the right to consolidate. It saves work, no more: two that consolidate at once do no harm. */
  enterConsolidation(): Promise<ConsolidationLock>;
}

/** The right to consolidate a folder. */
export interface ConsolidationLock {
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
  /** Called where a folder is had alone: while the lock is lost, others may have written. */
  readonly onOthers?: () => void;
}

const freeLock: ConsolidationLock = {
  isHeld: true,
  hasLeft: () => Promise.resolve(false),
  release: () => Promise.resolve(),
};

/** Asks nobody. */
export const freeAccess: FolderAccess = {
  enter: () => Promise.resolve(),
  isTaken: () => false,
  leave: () => Promise.resolve(),
  enterConsolidation: () => Promise.resolve(freeLock),
};

/** The access that `mode` asks for. */
export function accessByMode(init: AccessInit): FolderAccess {
  return init.options.mode === 'multi' ? sharedAccess(init) : exclusiveAccess(init);
}

/**
 * Has the folder alone. When the lock is lost (a process that stalled for long enough counts as gone), that is told
 * and the lock is tried for again; reading and writing go on meanwhile, since every process writes files of its own,
 * and what others have written is taken in at every try.
 */
function exclusiveAccess({ options, clock, onError, onOthers = () => undefined }: AccessInit): FolderAccess {
  const folder = options.persistDir;
  const lease = new Lease({
    clock,
    onError,
    onOthers,
    async take(onLost) {
      const lock = await acquireLock({ folder, purpose: 'claim', onLost });
      try {
        // Not before: who shares it looks for a lock after having entered, so one of the two sees the other.
        await assertNotShared(folder, (error) => onError(leftoverError(folder, error)));
        return lock;
      } catch (error) {
        await lock.release();
        throw error;
      }
    },
    failure: `Claiming ${folder} failed`,
    loss: `The lock on ${folder} was lost: this process did not renew it in time, or its lock folder was removed`,
  });
  return {
    enter: () => lease.enter(),
    isTaken: () => !lease.isHeld && (isLockedNow(folder) || isSharedNow(folder)),
    leave: () => lease.leave(),
    enterConsolidation: () => Promise.resolve(freeLock),
  };
}

/**
 * Shares the folder, unless somebody has it alone. Who stalls for long enough counts as gone and enters again: at most,
 * others have taken its files out of its hands, which it notices at its next append.
 */
function sharedAccess({ options, clock, writer, onError }: AccessInit): FolderAccess {
  const folder = options.persistDir;
  const membership = new Membership(folder);
  const lease = new Lease({
    clock,
    onError,
    async take(onLost) {
      const entering = membership.enter({ writer, folderMode: options.dirMode, onLost });
      // Whatever comes of it: nobody shares a folder that somebody has alone.
      const lock = await entering.catch(() => undefined);
      try {
        await assertNotLocked(folder);
      } catch (error) {
        await lock?.release().catch((failure: unknown) => onError(leftoverError(folder, failure)));
        throw error;
      }
      return lock ?? entering;
    },
    failure: `Noting that ${folder} is shared failed`,
  });
  return {
    enter: () => lease.enter(),
    isTaken: () => !lease.isHeld && isLockedNow(folder),
    leave: () => lease.leave(),
    async enterConsolidation() {
      const onFailure = (error: unknown) => onError(leftoverError(folder, error));
      // Before the lock, which is not to grow old over it. Where it fails, who left without a word counts as there.
      await membership.sweep(onFailure).catch(onFailure);
      let isHeld = true;
      const onLost = () => {
        isHeld = false;
      };
      const lock = await acquireLock({ folder, purpose: 'consolidation', onLost });
      return {
        get isHeld() {
          return isHeld;
        },
        // Who could not enter itself can't expect that others could.
        hasLeft: async (one) => lease.isHeld && (await membership.hasLeft(one)),
        release: () => lock.release(),
      };
    },
  };
}

function leftoverError(folder: string, cause: unknown): CacheError {
  const message = `Removing the leftovers of ended processes from ${folder} failed`;
  return new CacheError('ERR_STORAGE', message, { cause });
}

/** What a lease is made from. */
interface LeaseInit {
  readonly clock: Clock;
  readonly onError: (error: CacheError) => void;
  readonly take: (onLost: (cause: Error) => void) => Promise<LockHandle>;
  /** What to say when the disk does not take it. */
  readonly failure: string;
  /** What to say when it is lost; without it, it is taken again at once, and only told when that is refused. */
  readonly loss?: string;
  /** Called when it was lost, and after every try to have it again. */
  readonly onOthers?: () => void;
}

const retryInterval = 5_000;

/** A lock in a folder: taken once, and again when it was lost. */
class Lease {
  readonly #init: LeaseInit;
  #lock: LockHandle | undefined;
  #entering: Promise<void> | undefined;
  #timer: Timer | undefined;
  #hasLeft = false;

  constructor(init: LeaseInit) {
    this.#init = init;
  }

  get isHeld(): boolean {
    return this.#lock !== undefined;
  }

  enter(): Promise<void> {
    if (this.#lock !== undefined) return Promise.resolve();
    this.#entering ??= this.#init
      .take((cause) => this.#lost(cause))
      .then((lock) => {
        this.#lock = lock;
      })
      .catch((error: unknown) => {
        // It is taken, or nobody could ever take it: two processes that both had it alone would miss each other's changes.
        if (error instanceof CacheError) throw error;
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
    // Who enters hears of its failure.
    await this.#entering?.catch(() => undefined);
    const lock = this.#lock;
    this.#lock = undefined;
    await lock?.release();
  }

  #lost(cause: Error): void {
    this.#lock = undefined;
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

  /** Nobody has it, but the disk does not take the lock. What is there can be read all the same. */
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
