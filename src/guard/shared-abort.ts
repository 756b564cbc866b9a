/** Many who wait for one abort signal, behind one listener: Node takes more than ten of them for a leak, and warns. */

/** Who is told of a signal's abort, over all caches of the process. */
const audiences = new WeakMap<AbortSignal, Audience>();

/** Calls `abort` once `signal` is aborted, until the returned function is called. A signal aborted already tells nobody. */
export function onAbort(signal: AbortSignal, abort: () => void): () => void {
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
