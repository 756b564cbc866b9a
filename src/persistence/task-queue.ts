/** Tasks one after another, until it is closed. */

import { CacheClosedError } from '../errors.js';

export class TaskQueue {
  #last: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  /** Runs a task once all earlier ones have ended. @throws CacheClosedError after `close` */
  run<T>(task: () => Promise<T>): Promise<T> {
    const running = this.#last.then(() => {
      if (this.#isClosed) throw new CacheClosedError('The disk tier is closed');
      return task();
    });
    this.#last = running.catch(() => undefined);
    return running;
  }

  /** Runs a last task; those that come after it are refused. */
  close(task: () => Promise<void>): Promise<void> {
    return this.run(() => {
      this.#isClosed = true;
      return task();
    });
  }
}
