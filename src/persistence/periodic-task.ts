/** Something that is done again and again, one run after another. */

import type { Clock, Timer } from '../clock.js';

export class PeriodicTask {
  readonly #clock: Clock;
  readonly #interval: number;
  readonly #task: () => Promise<void>;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #isStopped = false;

  /** @param init.task must see to its own failures */
  constructor(init: { clock: Clock; interval: number; task: () => Promise<void> }) {
    this.#clock = init.clock;
    this.#interval = init.interval;
    this.#task = init.task;
  }

  /** Starts it; the first run is one interval away. Calling it again changes nothing. */
  start(): void {
    if (this.#isStopped || this.#timer !== undefined || this.#running !== undefined) return;
    this.#timer = this.#clock.schedule(() => {
      this.#timer = undefined;
      this.#running = this.#task().finally(() => {
        this.#running = undefined;
        this.start();
      });
    }, this.#interval);
  }

  /** Stops it for good, once a run under way has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    await this.#running;
  }
}
