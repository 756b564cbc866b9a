/** One caller's patience: its own abort signal, and a timeout of ours, as one signal. */

/** A signal that is aborted when the caller aborts, until it was answered, or when we give up for it. */
export class Patience {
  readonly #controller = new AbortController();
  readonly #callers: AbortSignal | undefined;
  readonly #abort = () => this.#controller.abort(this.#callers?.reason);
  /** Whether the caller has its answer: what comes of the load is then nobody's error. */
  isAnswered = false;

  constructor(signal: AbortSignal | undefined) {
    this.#callers = signal;
    if (signal?.aborted) this.#abort();
    else signal?.addEventListener('abort', this.#abort, { once: true });
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
    this.#callers?.removeEventListener('abort', this.#abort);
  }
}
