/** Where time comes from, so that tests can move it. */

/** A timer that can be called off. */
export interface Timer {
  cancel(): void;
}

/** Wall time, elapsed time and timers in one injectable place. */
export interface Clock {
  /** Wall time in epoch milliseconds. May jump when the machine's clock is set. */
  now(): number;
  /** Elapsed milliseconds since some fixed moment, with fractions. Never jumps back. */
  elapsed(): number;
  /** Runs `callback` once, `delayMs` from now. The timer keeps no process alive. */
  schedule(callback: () => void, delayMs: number): Timer;
}

/** The longest delay a Node timer takes; longer ones fire at once. */
const longestDelay = 2 ** 31 - 1;

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  schedule(callback, delayMs) {
    const timer = setTimeout(callback, Math.min(delayMs, longestDelay));
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};
