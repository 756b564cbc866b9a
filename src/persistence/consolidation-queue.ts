/** One consolidation after another, each while no other process runs one. */

import { CacheClosedError } from '../errors.js';
import type { ConsolidationReport } from './consolidate/consolidation.js';
import type { DiskFolder } from './disk-folder.js';
import type { FolderAccess } from './lock/folder-access.js';

export class ConsolidationQueue {
  readonly #folder: DiskFolder;
  readonly #access: FolderAccess;
  #isStopped = false;
  #running: Promise<unknown> = Promise.resolve();

  constructor(store: DiskFolder, access: FolderAccess) {
    this.#folder = store;
    this.#access = access;
  }

  /** @throws DirectoryTakenError when another process is consolidating the folder */
  run(isThorough: boolean): Promise<ConsolidationReport> {
    const run = async () => {
      if (this.#isStopped) throw new CacheClosedError('The disk tier is closed');
      const lock = await this.#access.enterConsolidation();
      try {
        const goesOn = () => !this.#isStopped && lock.isHeld;
        const hasLeft = (writer: string) => lock.hasLeft(writer);
        return await this.#folder.consolidate({ isThorough, goesOn, hasLeft });
      } finally {
        await lock.release();
      }
    };
    const running = this.#running.then(run, run);
    this.#running = running;
    // Who has asked gets its failure: what follows waits for its end alone.
    running.catch(() => undefined);
    return running;
  }

  /** Tells a run under way to end at the next group of files. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Waits for the run under way, whatever comes of it. */
  async settle(): Promise<void> {
    await this.#running.catch(() => undefined);
  }
}
