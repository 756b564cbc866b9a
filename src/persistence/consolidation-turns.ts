/** One consolidation after another, each while no other process runs one. */

import type { ConsolidationReport } from './consolidation.js';
import type { DirectoryAccess } from './directory-access.js';
import type { DiskStore } from './disk-store.js';

export class ConsolidationTurns {
  readonly #store: DiskStore;
  readonly #access: DirectoryAccess;
  #isStopped = false;
  #running: Promise<unknown> = Promise.resolve();

  constructor(store: DiskStore, access: DirectoryAccess) {
    this.#store = store;
    this.#access = access;
  }

  /** @throws DirectoryTakenError when another process is consolidating the folder */
  run(isThorough: boolean): Promise<ConsolidationReport> {
    const run = async () => {
      const lock = await this.#access.enterConsolidation();
      try {
        const goesOn = () => !this.#isStopped && lock.isHeld;
        const hasLeft = (writer: string) => lock.hasLeft(writer);
        return await this.#store.consolidate({ isThorough, goesOn, hasLeft });
      } finally {
        await lock.release();
      }
    };
    const running = this.#running.then(run, run);
    this.#running = running;
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
