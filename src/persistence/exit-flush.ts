/** Flushes what waits when the process runs out of work. */

const flushes = new Set<() => Promise<void>>();

/** Calls `flush` once the process has nothing else to do; returns how to call that off. */
export function flushBeforeExit(flush: () => Promise<void>): () => void {
  // One listener for all, or many caches would set off Node's leak warning.
  if (flushes.size === 0) process.on('beforeExit', flushAll);
  flushes.add(flush);
  return () => {
    flushes.delete(flush);
    if (flushes.size === 0) process.off('beforeExit', flushAll);
  };
}

function flushAll(): void {
  for (const flush of flushes) void flush();
}
