/** Abort signals of any make: Node's own, another realm's, those of jsdom and of polyfills. */

/** Whether a value is an abort signal, whichever class it is of. */
export function isAbortSignal(value: unknown): value is AbortSignal {
  if (typeof value !== 'object' || value === null) return false;
  if (value instanceof AbortSignal) return true;
  // Most values are told by the first of these.
  if (typeof (value as Partial<AbortSignal>).aborted !== 'boolean') return false;
  const { addEventListener, removeEventListener } = value as Partial<AbortSignal>;
  return typeof addEventListener === 'function' && typeof removeEventListener === 'function';
}

/** One of ours for each foreign signal: a signal that lives long has one listener, however many calls it is given to. */
const mirrors = new WeakMap<AbortSignal, AbortSignal>();

/** A signal of Node's own that is aborted when the given one is, with its reason; polyfills know none. */
export function nativeSignal(signal: AbortSignal): AbortSignal {
  if (signal instanceof AbortSignal) return signal;
  let mirror = mirrors.get(signal);
  if (mirror === undefined) {
    const controller = new AbortController();
    const abort = () => controller.abort((signal as AbortSignal).reason);
    if ((signal as AbortSignal).aborted) abort();
    else (signal as AbortSignal).addEventListener('abort', abort, { once: true });
    mirror = controller.signal;
    mirrors.set(signal, mirror);
  }
  return mirror;
}
