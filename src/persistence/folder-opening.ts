/** Opens the cache folder once, and after a failure again; those who look something up wait, but not for ever. */

import type { Clock, Timer } from '../clock.js';
import { CacheClosedError, CacheError } from '../errors.js';
import { toStorageError } from './disk-errors.js';
import type { ResolvedDiskOptions } from './disk-options.js';
import { warnOfUnopened } from './lock/folder-warnings.js';

/** What an opening is made from. */
export interface FolderOpeningInit {
  readonly options: Pick<ResolvedDiskOptions, 'persistDir' | 'flushInterval' | 'openTimeout'>;
  readonly clock: Clock;
  readonly enter: () => Promise<void>;
  readonly onOpened: () => void;
  readonly onError: (error: CacheError) => void;
  /** Whether a process warning has to say what went wrong. */
  readonly hasNoErrorListener: () => boolean;
}

export class FolderOpening {
  readonly #init: FolderOpeningInit;
  #running: Promise<void> | undefined;
  #isOpen = false;
  #isClosed = false;
  #failedAt = Number.NEGATIVE_INFINITY;

  constructor(init: FolderOpeningInit) {
    this.#init = init;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  open(): Promise<void> {
    const { options, clock, enter, onOpened, onError, hasNoErrorListener } = this.#init;
    if (this.#isClosed) return Promise.reject(new CacheClosedError('The disk tier is closed'));
    this.#running ??= enter().then(
      () => {
        this.#isOpen = true;
        onOpened();
      },
      (error: unknown) => {
        this.#running = undefined;
        this.#failedAt = clock.elapsed();
        const failure = toStorageError(error, `Opening ${options.persistDir} failed`);
        onError(failure);
        if (hasNoErrorListener()) warnOfUnopened(options.persistDir, failure);
        throw failure;
      },
    );
    return this.#running;
  }

  /** Waits for the index, but not for ever, and without asking a broken disk at every lookup. */
  async wait(): Promise<void> {
    const { options, clock } = this.#init;
    if (this.#running === undefined) {
      const isEarly = clock.elapsed() - this.#failedAt < options.flushInterval;
      if (isEarly) throw new CacheError('ERR_STORAGE', `${options.persistDir} could not be opened`);
    }
    let timer: Timer | undefined;
    const timeout = new Promise<never>((_, reject) => {
      const message = `Reading ${options.persistDir} takes longer than \`openTimeout\``;
      timer = clock.schedule(() => reject(new CacheError('ERR_STORAGE', message)), options.openTimeout);
    });
    try {
      await Promise.race([this.open(), timeout]);
    } finally {
      timer?.cancel();
    }
  }

  /** Opens no more, and waits for an opening under way, whatever comes of it. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#running?.catch(() => undefined);
  }
}
