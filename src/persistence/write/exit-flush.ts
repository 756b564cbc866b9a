/** Writes what waits when the process runs out of work, and what still waits when it exits. */

/** What is called as the process ends. */
export interface ExitFlush {
  /** The process has nothing else to do: there is time to write as always. */
  readonly beforeExit: () => Promise<void>;
  /** The process exits (`process.exit()`, an uncaught error): what is not done when this returns is not done at all. */
  readonly onExit: () => void;
}

const flushes = new Set<ExitFlush>();

/** Has a flush called as the process ends; returns how to call that off. */
export function flushAtExit(flush: ExitFlush): () => void {
  // One listener for all, or many caches would set off Node's leak warning.
  if (flushes.size === 0) {
    process.on('beforeExit', beforeExit);
    process.on('exit', onExit);
  }
  flushes.add(flush);
  return () => {
    flushes.delete(flush);
    if (flushes.size > 0) return;
    process.off('beforeExit', beforeExit);
    process.off('exit', onExit);
  };
}

function beforeExit(): void {
  for (const flush of flushes) void flush.beforeExit();
}

function onExit(): void {
  for (const flush of flushes) flush.onExit();
}
