/** Ctrl-C and `kill`: the first asks a command to come to an end, a second ends the process. */

import { setMaxListeners } from 'node:events';

/** Exit codes by signal. */
const exitCodes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
type Interrupt = keyof typeof exitCodes;

/** What a command is told of its interruption. */
export interface Interruption {
  /** The exit code that says by which signal; `undefined` while there was none. */
  readonly exitCode: number | undefined;
  /** Aborted by it. */
  readonly signal: AbortSignal;
  /** Leaves signals to Node again. */
  stop(): void;
}

/** What may be said of how a command is interrupted. */
export interface InterruptionOptions {
  /** @default Ctrl-C and `kill` */
  readonly signals?: readonly Interrupt[];
  /** Called before a second signal ends the process: nothing that listens for its exit is told of that. */
  beforeEnd?(): void;
}

/** Listens for signals until it is stopped. */
export function watchInterruption({
  signals = ['SIGINT', 'SIGTERM'],
  beforeEnd,
}: InterruptionOptions = {}): Interruption {
  const controller = new AbortController();
  // Every tool call under way listens.
  setMaxListeners(0, controller.signal);
  let exitCode: number | undefined;
  const listener = (signal: Interrupt) => {
    // The listener stays: where it is the last one to go, signal-exit ends the process before the report is written.
    if (exitCode === undefined) {
      exitCode = exitCodes[signal];
      controller.abort();
      return;
    }
    stop();
    beforeEnd?.();
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
