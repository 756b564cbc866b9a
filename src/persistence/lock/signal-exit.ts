/**
 * Takes signal-exit's hands off the process's signals. proper-lockfile brings it to remove its locks at the exit, which it
 * still does. But it also ends the process by a signal as soon as it sees no other listener: it takes a handler that was
 * registered with `once` for none, and what the handler has begun (closing a cache) for done. A lock that a signal leaves
 * behind is freed like any other of a process that is gone.
 */

type Listener = NodeJS.SignalsListener;

/** What the copies of signal-exit in a process share: each adds one listener to every signal and counts it here. */
interface SharedEmitter {
  count: number;
}

/** Loads what may bring signal-exit along, and takes back the listeners on signals that this has added. */
export async function withoutSignalExit<T>(load: () => Promise<T>): Promise<T> {
  const before = signalListeners();
  const loaded = await load();
  let isFound = false;
  for (const [signal, listeners] of signalListeners()) {
    for (const listener of listeners) {
      if (before.get(signal)?.has(listener) || !isOfSignalExit(listener)) continue;
      process.off(signal, listener);
      isFound = true;
    }
  }
  const shared = (process as { __signal_exit_emitter__?: SharedEmitter }).__signal_exit_emitter__;
  // Other copies compare the number of listeners with it.
  if (isFound && shared !== undefined) shared.count -= 1;
  return loaded;
}

function signalListeners(): Map<string, ReadonlySet<Listener>> {
  const signals = process.eventNames().filter((name) => typeof name === 'string' && name.startsWith('SIG'));
  return new Map(signals.map((name) => [name as string, new Set(process.listeners(name as NodeJS.Signals))]));
}

/** Others may have begun to listen meanwhile. Only this one compares its like with their count. */
function isOfSignalExit(listener: Listener): boolean {
  return /\.listeners\(.*\.count\b/s.test(Function.prototype.toString.call(listener));
}
