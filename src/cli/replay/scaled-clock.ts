/** Time that passes as fast in the cache as it does in a replayed trace. */

import type { Clock } from '../../index.js';

/**
 * A clock for replays in which one second of the trace takes `scale` seconds: a ttl of 5 minutes then ends after 5
 * minutes of the trace. At scale 0, which doesn't wait, it is the real time. Only for caches that live in memory:
 * its times run ahead of the real ones.
 */
export function scaledClock(scale: number): Clock {
  const factor = scale === 0 ? 1 : scale;
  const startedAt = Date.now();
  const startedElapsed = performance.now();
  const elapsed = () => (performance.now() - startedElapsed) / factor;
  return {
    now: () => Math.floor(startedAt + elapsed()),
    elapsed,
    schedule(callback, delayMs) {
      const timer = setTimeout(callback, Math.min(delayMs * factor, 2 ** 31 - 1)).unref();
      return { cancel: () => clearTimeout(timer) };
    },
  };
}
