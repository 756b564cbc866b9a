/** Many who wait for one abort signal, behind one listener: Node takes more than ten of them for a leak, and warns. */

/** Who is told of a signal's abort, over all caches of the process. */
const audiences = new WeakMap<AbortSignal, Audience>();

/** What ends a wait: an abort signal, or several of which any does. */
export type AbortSource = AbortSignal | AnySignal;

/** Several signals of one call, aborted with the first of them. `AbortSignal.any` would stay with each until it fires. */
export class AnySignal {
  readonly signals: readonly AbortSignal[];
  #first: AbortSignal | undefined;

  constructor(signals: readonly AbortSignal[]) {
    this.signals = signals;
  }

  get aborted(): boolean {
    return this.signals.some(({ aborted }) => aborted);
  }

  /** Of the first that was found aborted. */
  get reason(): unknown {
    this.#first ??= this.signals.find(({ aborted }) => aborted);
    return this.#first?.reason;
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.reason;
  }
}

/** Calls `abort` once `signal` is aborted, until the returned function is called. A signal aborted already tells nobody. */
export function onAbort(signal: AbortSource, abort: () => void): () => void {
  if (signal instanceof AnySignal) {
    let isOver = false;
    const releases = signal.signals.map((each) =>
      onAbort(each, () => {
        if (isOver) return;
        isOver = true;
        abort();
      }),
    );
    return () => {
      isOver = true;
      for (const release of releases) release();
    };
  }
  let audience = audiences.get(signal);
  if (audience === undefined) {
    audience = new Audience(signal);
    audiences.set(signal, audience);
  }
  return audience.add(abort);
}

class Audience {
  readonly #signal: AbortSignal;
  readonly #aborts = new Set<() => void>();
  readonly #tell = () => {
    audiences.delete(this.#signal);
    // Whoever is told may make others leave, and those are not told any more.
    for (const abort of this.#aborts) {
      this.#aborts.delete(abort);
      abort();
    }
  };

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', this.#tell, { once: true });
  }

  add(abort: () => void): () => void {
    this.#aborts.add(abort);
    return () => {
      if (!this.#aborts.delete(abort) || this.#aborts.size > 0) return;
      // The signal may outlive all who wait for it by far.
      this.#signal.removeEventListener('abort', this.#tell);
      audiences.delete(this.#signal);
    };
  }
}
