/** Ctrl-C and `kill`: the first asks a command to come to an end, a second ends the process. */

import { setMaxListeners } from 'node:events';

const signals = ['SIGINT', 'SIGTERM'] as const;

/** What a command is told of its interruption. */
export interface Interruption {
  /** The exit code that says by which signal; `undefined` while there was none. */
  readonly exitCode: number | undefined;
  /** Aborted by it. */
  readonly signal: AbortSignal;
  /** Leaves signals to Node again. */
  stop(): void;
}

/** Listens for signals until it is stopped. */
export function watchInterruption(): Interruption {
  const controller = new AbortController();
  // Every tool call under way listens.
  setMaxListeners(0, controller.signal);
  let exitCode: number | undefined;
  const listener = (signal: (typeof signals)[number]) => {
    // The listener stays: where it is the last one to go, signal-exit ends the process before the report is written.
    if (exitCode === undefined) {
      exitCode = signal === 'SIGINT' ? 130 : 143;
      controller.abort();
      return;
    }
    stop();
    process.kill(process.pid, signal);
  };
  const stop = () => {
    for (const signal of signals) process.off(signal, listener);
  };
  for (const signal of signals) process.on(signal, listener);
  return {
    get exitCode() {
      return exitCode;
    },
    signal: controller.signal,
    stop,
  };
}
