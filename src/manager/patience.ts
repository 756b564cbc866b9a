/** One caller's patience: its own abort signal, and a timeout of ours, as one signal. */

import { onAbort } from '../guard/shared-abort.js';

/** A signal that is aborted when the caller aborts, until it was answered, or when we give up for it. */
export class Patience {
  readonly #controller = new AbortController();
  #release: (() => void) | undefined;
  /** Whether the caller has its answer: what comes of the load is then nobody's error. */
  isAnswered = false;

  constructor(signal: AbortSignal | undefined) {
    if (signal === undefined) return;
    const abort = () => this.#controller.abort(signal.reason);
    if (signal.aborted) abort();
    else this.#release = onAbort(signal, abort);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  giveUp(reason: unknown): void {
    this.#controller.abort(reason);
  }

  /** The caller goes on with an answer; the load goes on without the caller. */
  answered(): void {
    this.isAnswered = true;
    this.release();
  }

  /** Lets go of the caller's signal, which may live much longer than one call. */
  release(): void {
    this.#release?.();
  }
}
