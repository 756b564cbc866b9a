/** The status of files, asked for at once where that takes less than handing it to the thread pool and waiting for it. */

import type { FileStatus, FileSystem } from '../file-system.js';
import { LoopTime } from './loop-time.js';

/** What asking takes. */
export interface SyncStatInit {
  readonly files: Pick<FileSystem, 'status' | 'statusSync'>;
  /** Whether the files lie on a network file system: there asking may take for ever. */
  readonly isOnNetwork: () => Promise<boolean>;
}

export class SyncStat {
  readonly #init: SyncStatInit;
  readonly #loopTime = new LoopTime();
  #isNear: boolean | undefined;

  constructor(init: SyncStatInit) {
    this.#init = init;
  }

  /** Throws or rejects as `FileSystem.status` does. */
  of(path: string): FileStatus | Promise<FileStatus> {
    const { files } = this.#init;
    if (files.statusSync === undefined || this.#isNear !== true || !this.#loopTime.isLeft)
      return this.#askFarther(path);
    const began = performance.now();
    try {
      return files.statusSync(path);
    } finally {
      this.#loopTime.note(began, performance.now());
    }
  }

  async #askFarther(path: string): Promise<FileStatus> {
    if (this.#isNear === undefined) {
      this.#isNear = false;
      this.#isNear = await this.#init.isOnNetwork().then(
        (isOnNetwork) => !isOnNetwork,
        // Whatever is wrong, asking without blocking will tell.
        () => false,
      );
    }
    return this.#init.files.status(path);
  }
}
