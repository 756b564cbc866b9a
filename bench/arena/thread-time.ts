/** What one thread takes of the processors, and how long it waits for one. */

import { closeSync, openSync, readSync } from 'node:fs';

/** Nanoseconds since the thread began. */
export interface ThreadTime {
  readonly running: number;
  readonly waiting: number;
}

const bytes = Buffer.alloc(64);

/** Tells the time of the thread that made it; only Linux knows it, elsewhere it stands still. */
export class ThreadTimes {
  readonly #file = process.platform === 'linux' ? openSync('/proc/thread-self/schedstat', 'r') : undefined;

  now(): ThreadTime {
    if (this.#file === undefined) return { running: 0, waiting: 0 };
    const length = readSync(this.#file, bytes, 0, bytes.length, 0);
    const [running = 0, waiting = 0] = bytes.toString('latin1', 0, length).split(' ').map(Number);
    return { running, waiting };
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
  }
}
